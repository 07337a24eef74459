"""The addresses and node ports of Services: what is asked for if it is free, else one that is.

Pure. What is taken follows from the Services in the view, so that no crash can lose or leak anything. What a Service
gets follows from its name: a cluster that is built again from its folder gives the same addresses, unless two
names meet. The lower part of each range is left to those who ask for a certain one, and is given out last
(https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/).
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import structs

from reconciler.store.changes import Unfit, UsedUp
from reconciler.store.claims import HEADLESS, address_claim, claims, port_claim
from reconciler.store.view import View
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.faults import Fault, Path
from schemas.meta import Object, Ref, ref_of
from schemas.validation.report import invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SERVICE_CIDR = "10.96.0.0/16"
NODE_PORTS = "30000-32767"
_FAMILIES = ("IPv4", "IPv6")
_MOST = 1 << 20
"""Addresses of one family that are given out; a range of IPv6 has far more."""
_SPEC: Path = ("spec",)


class Ranges(msgspec.Struct, frozen=True):
    """Where addresses and ports come from: a network for each family, the first the one that is usual."""

    networks: tuple[Network, ...]
    first_port: int
    last_port: int

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(f"IPv{network.version}" for network in self.networks)


def ranges(service_cidr: str = SERVICE_CIDR, node_ports: str = NODE_PORTS) -> Ranges:
    """As the configuration writes them: one network, or two with a comma; `first-last`. Raises `ValueError`."""
    networks = tuple(ipaddress.ip_network(text.strip()) for text in service_cidr.split(","))
    if len({network.version for network in networks}) != len(networks):
        raise ValueError(f"expected one network of each family, found {service_cidr!r}")
    if any(network.num_addresses < 8 for network in networks):
        raise ValueError(f"expected networks of at least 8 addresses, found {service_cidr!r}")
    first, _, last = node_ports.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
        raise ValueError(f"expected FIRST-LAST such as {NODE_PORTS}, found {node_ports!r}")
    return Ranges(networks, int(first), int(last))


def lacks(service: Service) -> bool:
    """Whether a Service that is there has less than it should, having been made before addresses were given out."""
    spec = service.spec
    if spec.type == "ExternalName":
        return False
    ports = _opens_ports(spec) and any(not port.node_port for port in spec.ports)
    return (
        not spec.cluster_ips or not spec.ip_families or ports or (_is_checked(spec) and not spec.health_check_node_port)
    )


def allocated(new: Service, old: Object | None, view: View, given: Ranges) -> Service:
    """The Service with all that it needs for itself. Raises `Unfit` and `UsedUp`."""
    return _Allocation(new, old, view, given).service()


class _Allocation:
    """The allocation of one Service: `_faults` are what it asked for and cannot have."""

    def __init__(self, new: Service, old: Object | None, view: View, given: Ranges) -> None:
        self._new, self._old, self._view, self._given = new, old, view, given
        self._ref = ref_of(new)
        self._held = claims(old)
        self._taken = set[str]()
        self._faults: list[Fault] = []

    def service(self) -> Service:
        spec = self._new.spec
        if spec.type != "ExternalName":
            spec = self._with_addresses(spec)
        if _opens_ports(spec):
            spec = structs.replace(spec, ports=self._ports(spec.ports))
        if _is_checked(spec):
            check = spec.health_check_node_port or 0
            spec = structs.replace(
                spec, health_check_node_port=self._port(check, (*_SPEC, "healthCheckNodePort"), "health")
            )
        if self._faults:
            text = ", ".join(map(str, self._faults))
            raise Unfit(self._ref, f'Service "{self._ref.name}" is invalid: {text}', tuple(self._faults))
        return self._new if spec == self._new.spec else structs.replace(self._new, spec=spec)

    def _with_addresses(self, spec: ServiceSpec) -> ServiceSpec:
        asked = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
        headless = asked[:1] == (HEADLESS,)
        if headless and not spec.selector:
            policy, families = _anywhere(spec, self._given.families)
        else:
            policy = spec.ip_family_policy or "SingleStack"
            families = self._families(spec, policy, () if headless else asked)
        if self._faults:
            return spec
        ips = (HEADLESS,) if headless else self._addresses(families, asked)
        return structs.replace(
            spec, cluster_ip=ips[0] if ips else "", cluster_ips=ips, ip_families=families, ip_family_policy=policy
        )

    def _families(self, spec: ServiceSpec, policy: str, asked: tuple[str, ...]) -> tuple[str, ...]:
        served = self._given.families
        families = spec.ip_families or tuple(f"IPv{ipaddress.ip_address(ip).version}" for ip in asked) or served[:1]
        if policy == "RequireDualStack" and len(served) < 2:
            sentence = "this cluster is not configured for dual-stack services"
            self._faults.append(invalid((*_SPEC, "ipFamilyPolicy"), policy, sentence))
        for index, family in enumerate(families):
            if family not in served and not (index and policy == "PreferDualStack"):
                sentence = "not configured on this cluster"
                self._faults.append(invalid((*_SPEC, "ipFamilies", index), family, sentence))
        families = tuple(family for family in families if family in served)
        if policy == "SingleStack":
            return families[:1]
        before = self._old.spec if isinstance(self._old, Service) else None
        if policy == "PreferDualStack" and before is not None and before.ip_family_policy == policy:
            return families  # one that came before the cluster had two is not changed by surprise
        return (*families, *(family for family in served if family not in families))

    def _addresses(self, families: Iterable[str], asked: tuple[str, ...]) -> tuple[str, ...]:
        networks = {f"IPv{network.version}": network for network in self._given.networks}
        found = []
        for index, family in enumerate(families):
            network = networks[family]
            if index < len(asked):
                found.append(asked[index])
                self._check_address(asked, asked[index], network)
            else:
                found.append(self._free_address(network))
        return tuple(found)

    def _check_address(self, asked: tuple[str, ...], ip: str, network: Network) -> None:
        claim = address_claim(ip)
        if claim in self._held:
            return
        address, why = ipaddress.ip_address(ip), ""
        if address not in network or address in (network.network_address, network.broadcast_address):
            why = f"the provided IP ({ip}) is not in the valid range. The range of valid IPs is {network}"
        elif self._is_taken(claim):
            why = "provided IP is already allocated"
        if why:
            self._faults.append(invalid((*_SPEC, "clusterIPs"), asked, f"failed to allocate IP {ip}: {why}"))
        self._taken.add(claim)

    def _free_address(self, network: Network) -> str:
        size = min(network.num_addresses - 2, _MOST)
        static = min(max(16, size // 16), 256)
        for number in _in_order(size, static, f"{self._ref.namespace}/{self._ref.name}"):
            claim = str(network[number + 1])
            if not self._is_taken(claim):
                self._taken.add(claim)
                return claim
        raise UsedUp(self._ref, "failed to allocate a serviceIP: range is full")

    def _ports(self, ports: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
        """Ports of one number share a node port, whatever their protocol."""
        by_number = {port.port: port.node_port for port in reversed(ports) if port.node_port}
        found = []
        for index, port in enumerate(ports):
            asked = port.node_port or by_number.get(port.port, 0)
            number = self._port(asked, (*_SPEC, "ports", index, "nodePort"), f"{port.port}")
            by_number.setdefault(port.port, number)
            found.append(structs.replace(port, node_port=number))
        return tuple(found)

    def _port(self, asked: int, path: Path, seed: str) -> int:
        """The number asked for, or with 0 one that is free."""
        if not asked:
            return self._free_port(seed)
        claim, why = port_claim(asked), ""
        if claim in self._held or claim in self._taken:
            return asked
        first, last = self._given.first_port, self._given.last_port
        if not first <= asked <= last:
            why = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        elif self._is_taken(claim):
            why = "provided port is already allocated"
        if why:
            self._faults.append(invalid(path, asked, why))
        self._taken.add(claim)
        return asked

    def _free_port(self, seed: str) -> int:
        size = self._given.last_port - self._given.first_port + 1
        static = min(max(16, size // 32), 128) if size > 16 else 0
        for number in _in_order(size, static, f"{self._ref.namespace}/{self._ref.name}/{seed}"):
            claim = port_claim(self._given.first_port + number)
            if not self._is_taken(claim):
                self._taken.add(claim)
                return self._given.first_port + number
        raise UsedUp(self._ref, "failed to allocate a nodePort: range is full")

    def _is_taken(self, claim: str) -> bool:
        return claim in self._taken or claim in self._held or self._holder(claim) is not None

    def _holder(self, claim: str) -> Ref | None:
        holder = self._view.holder(claim)
        return None if holder == self._ref else holder


def _anywhere(spec: ServiceSpec, served: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Policy and families of a headless Service without a selector: what it names may be anywhere."""
    policy = spec.ip_family_policy or "RequireDualStack"
    families = spec.ip_families or served[:1]
    if policy == "SingleStack":
        return policy, families[:1]
    return policy, (*families, *(family for family in _FAMILIES if family not in families))


def _in_order(size: int, static: int, seed: str) -> Iterator[int]:
    """All numbers below `size`, from one on that follows from the seed; the first `static` come last."""
    static = static if static < size else 0
    begin = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % (size - static)
    yield from range(static + begin, size)
    yield from range(static, static + begin)
    yield from range(static)


def _opens_ports(spec: ServiceSpec) -> bool:
    balanced = spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    return spec.type == "NodePort" or balanced


def _is_checked(spec: ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"
