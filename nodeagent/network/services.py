"""A Service as rules: from its ports and endpoints to chains that translate, and map elements that lead to them. Pure.

Follows https://kubernetes.io/docs/reference/networking/virtual-ips/ and, for endpoints on their way out, KEP-1669.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from nodeagent.network.table import Element, Part
from schemas.network import Family, NetworkEndpoint, NetworkPort, NetworkService

MASQUERADE = "0x4000"
"""The mark of connections that are to leave with this node's own address."""

MOST_RULES = 16
"""Endpoints that a connection may pass one after another; for more, a map finds the one."""

FAMILIES: tuple[Family, ...] = ("IPv4", "IPv6")
_SUFFIX: Mapping[Family, str] = {"IPv4": "4", "IPv6": "6"}
_WORD: Mapping[Family, str] = {"IPv4": "ip", "IPv6": "ip6"}
_SET_TYPE: Mapping[Family, str] = {"IPv4": "ipv4_addr", "IPv6": "ipv6_addr"}


class Here(msgspec.Struct, frozen=True):
    """The node whose rules they are."""

    node: str
    zone: str = ""


class Backend(msgspec.Struct, frozen=True, order=True):
    """Where connections may go."""

    address: str
    port: int


class _Chosen(msgspec.Struct, frozen=True):
    """`everywhere`: for clients that may be sent to any node. `here`: those on this node."""

    everywhere: tuple[Backend, ...]
    here: tuple[Backend, ...]


def service_part(service: NetworkService, here: Here) -> Part:
    """All rules of a Service on this node. Nothing for a headless one or another name, which are DNS' alone."""
    chains: dict[str, tuple[str, ...]] = {}
    sets: dict[str, str] = {}
    elements: dict[Element, str] = {}
    if service.headless or service.type == "ExternalName":
        return Part()
    for family in FAMILIES:
        addresses = [one for one in service.cluster_ips if _family(one) == family]
        if not addresses:
            continue
        suffix = _SUFFIX[family]
        alone = [*addresses, *(one for one in service.load_balancer_ips if _family(one) == family)]
        elements |= {(f"cluster-ips{suffix}", one): "" for one in alone}
        elements |= {(f"hairpin{suffix}", f"{one} . {one}"): "" for one in _addresses_here(service, family, here)}
        for port in service.ports:
            rules = _PortRules(service, port, family, here)
            elements |= rules.elements(addresses)
            chains |= rules.chains
            sets |= rules.sets
    return Part(chains, sets, elements)


def _addresses_here(service: NetworkService, family: Family, here: Here) -> set[str]:
    slices = (one for one in service.slices if one.family == family)
    return {one.address for slice_ in slices for one in slice_.endpoints if one.node == here.node}


def service_backends(service: NetworkService, port: NetworkPort, family: Family, here: Here) -> _Chosen:
    """The endpoints that get new connections.

    Those that are ready; where there is none, those that still serve though they are on their way out. Hints count
    only where every ready endpoint has one and some are for here.
    """
    found = list(_endpoints(service, port, family))
    ready = [(one, at) for one, at in found if one.ready]
    usable = ready or [(one, at) for one, at in found if one.serving and one.terminating]
    local = [(one, at) for one, at in found if one.node == here.node]
    local_ready = [(one, at) for one, at in local if one.ready]
    local_usable = local_ready or [(one, at) for one, at in local if one.serving and one.terminating]
    return _Chosen(_backends(_hinted(usable, here)), _backends(local_usable))


def _endpoints(service: NetworkService, port: NetworkPort, family: Family) -> Iterator[tuple[NetworkEndpoint, int]]:
    for slice_ in service.slices:
        if slice_.family == family:
            for own in slice_.ports:
                if own.name == port.name and own.protocol == port.protocol:
                    for endpoint in slice_.endpoints:
                        yield endpoint, own.port


def _hinted(endpoints: list[tuple[NetworkEndpoint, int]], here: Here) -> list[tuple[NetworkEndpoint, int]]:
    for near in (
        [pair for pair in endpoints if here.node in pair[0].nodes] if all(one.nodes for one, _ in endpoints) else [],
        [pair for pair in endpoints if here.zone in pair[0].zones] if all(one.zones for one, _ in endpoints) else [],
    ):
        if near:
            return near
    return endpoints


def _backends(endpoints: Sequence[tuple[NetworkEndpoint, int]]) -> tuple[Backend, ...]:
    return tuple(sorted({Backend(one.address, port) for one, port in endpoints}))


class _PortRules:
    """The chains of one port in one family, and the elements that lead to them."""

    def __init__(self, service: NetworkService, port: NetworkPort, family: Family, here: Here) -> None:
        self._service, self._port, self._family = service, port, family
        self._word, self._suffix = _WORD[family], _SUFFIX[family]
        self._chosen = service_backends(service, port, family, here)
        name = f"{service.namespace}/{service.name}/{port.protocol.lower()}/{port.port}/{self._suffix}"
        self._inside, self._outside, self._here = f"svc/{name}", f"ext/{name}", f"here/{name}"
        self._name = name
        self.chains: dict[str, tuple[str, ...]] = {}
        self.sets: dict[str, str] = {}

    def elements(self, addresses: Sequence[str]) -> dict[Element, str]:
        service, chosen = self._service, self._chosen
        inside = chosen.here if service.internal_local else chosen.everywhere
        found: dict[Element, str] = {}
        for one in addresses:
            found |= self._leads(one, self._balanced(self._inside, inside))
        external = [one for one in service.external_ips if _family(one) == self._family]
        balancers = [one for one in service.load_balancer_ips if _family(one) == self._family]
        node_port = self._port.node_port if service.type != "LoadBalancer" or service.load_balancer_node_ports else 0
        if external or balancers or node_port:
            way = self._from_outside() if chosen.everywhere else ""
            guarded = self._guarded(way) if way else ""
            for one in external:
                found |= self._leads(one, way)
            for one in balancers:
                found |= self._leads(one, guarded)
            if node_port:
                found |= self._node_port(node_port, way)
        return found

    def _leads(self, address: str, way: str) -> dict[Element, str]:
        """To the chain where there is somewhere to go; else new connections are refused."""
        key = f"{address} . {self._port.protocol.lower()} . {self._port.port}"
        if way:
            return {(f"services{self._suffix}", key): f"goto {way}"}
        return {(f"refused{self._suffix}", key): "drop" if self._chosen.everywhere else "goto refuse"}

    def _node_port(self, number: int, way: str) -> dict[Element, str]:
        key = f"{self._port.protocol.lower()} . {number}"
        if way:
            return {(f"node-ports{self._suffix}", key): f"goto {way}"}
        return {(f"refused-ports{self._suffix}", key): "goto refuse"}

    def _from_outside(self) -> str:
        """Clients outside go to any node with this node's address, or with their own where they may only come here.

        Pods and the node itself are inside, whatever address they use.
        """
        name = f"all/{self._name}" if self._service.internal_local else self._inside
        everywhere = self._balanced(name, self._chosen.everywhere)
        marked = f"meta mark set meta mark or {MASQUERADE}"
        if not self._service.external_local:
            self.chains[self._outside] = (f"{marked} goto {everywhere}",)
            return self._outside
        here = self._chosen.here
        self.chains[self._outside] = (
            f"{self._word} saddr @pods{self._suffix} goto {everywhere}",
            f"fib saddr type local {marked} goto {everywhere}",
            f"goto {self._balanced(self._here, here)}" if here else "drop",
        )
        return self._outside

    def _guarded(self, way: str) -> str:
        ranges = [one for one in self._service.source_ranges if _family(one.partition("/")[0]) == self._family]
        if not self._service.source_ranges:
            return way
        name = f"from/{self._name}"
        allowed = f"{self._word} saddr {{ {', '.join(ranges)} }} goto {way}"
        self.chains[name] = (*((allowed,) if ranges else ()), "drop")
        return name

    def _balanced(self, name: str, backends: Sequence[Backend]) -> str:
        """The chain that sends each new connection to one of these at random, or where its client was before.

        Empty where there is nowhere to go.
        """
        if not backends:
            return ""
        if name not in self.chains:
            self.chains[name] = (
                tuple(self._with_affinity(name, backends))
                if self._service.affinity_seconds
                else tuple(self._translations(backends))
            )
        return name

    def _translations(self, backends: Sequence[Backend]) -> Iterator[str]:
        """A rule for each backend, which has its share of those that came so far; where they are many, one map.

        A map for every Service would cost the kernel more with each other one: it looks for a free name among all.
        """
        head = f"meta l4proto {self._port.protocol.lower()} dnat {self._word} to"
        if len(backends) > MOST_RULES:
            pairs = ", ".join(f"{number} : {one.address} . {one.port}" for number, one in enumerate(backends))
            yield f"{head} numgen random mod {len(backends)} map {{ {pairs} }}"
            return
        for left, one in zip(range(len(backends), 0, -1), backends, strict=True):
            address = one.address if self._family == "IPv4" else f"[{one.address}]"
            share = f"numgen random mod {left} 0 " if left > 1 else ""
            yield f"{share}{head} {address}:{one.port}"

    def _with_affinity(self, name: str, backends: Sequence[Backend]) -> Iterator[str]:
        """A set of clients for each endpoint; the timeout is in its name, for a set cannot change."""
        seconds = self._service.affinity_seconds
        ways = []
        for one in backends:
            place = f"{name}/{one.address.replace(':', '_')}/{one.port}"
            clients, way = f"{place}/{seconds}", f"at/{place}"
            self.sets[clients] = (
                f"{{ type {_SET_TYPE[self._family]}; size 65535; flags dynamic,timeout; timeout {seconds}s; }}"
            )
            self.chains[way] = (f"update @{clients} {{ {self._word} saddr }}", *self._translations([one]))
            ways.append(way)
            yield f"{self._word} saddr @{clients} goto {way}"
        choices = ", ".join(f"{number} : goto {way}" for number, way in enumerate(ways))
        yield f"numgen random mod {len(ways)} vmap {{ {choices} }}"


def _family(address: str) -> Family:
    return "IPv6" if ":" in address else "IPv4"
