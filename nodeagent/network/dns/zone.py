"""What the cluster's domain says: pure, from the Services that are known to the answer to a name.

Follows Kubernetes' DNS specification, version 1.1.0 (https://github.com/kubernetes/dns, docs/specification.md), and
for the names of pods CoreDNS' `pods insecure`.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Literal

import msgspec

from nodeagent.network.state import NetworkState
from schemas.network import SERVICES, Family, NetworkEndpoint, NetworkPort, NetworkService

SPECIFICATION = "1.1.0"
TTL = 5
"""Seconds. Endpoints of headless Services come and go."""

Type = Literal["A", "AAAA", "SRV", "PTR", "CNAME", "TXT"]
_FAMILY: Mapping[str, Family] = {"A": "IPv4", "AAAA": "IPv6"}
_ADDRESS: Mapping[Family, Type] = {"IPv4": "A", "IPv6": "AAAA"}


class Record(msgspec.Struct, frozen=True, order=True):
    """`value` as it is written in a zone file; of SRV `priority weight port target`."""

    name: str
    type: Type
    value: str


class Answer(msgspec.Struct, frozen=True):
    """`exists` is False where there is no such name. `additional`: the addresses of the targets of SRV."""

    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    exists: bool = True


MISSING = Answer(exists=False)
NO_SUCH_TYPE = Answer()
"""The name is there, and has nothing of the type that was asked for."""


class Zone:
    """The names under `domain` (lower-case, no dot at the end) while this state holds."""

    def __init__(self, state: NetworkState, domain: str) -> None:
        self._services, self._domain = state.services, domain
        self._namespaces = {service.namespace for service in state.services.values()}
        self.has_aliases = any(service.type == "ExternalName" for service in state.services.values())
        self._names: dict[str, tuple[str, ...]] | None = None

    def has(self, name: str) -> bool:
        return name == self._domain or name.endswith("." + self._domain)

    def answer(self, name: str, type_: str) -> Answer:
        """`name` is one of the zone's, lower-case and without the dot at the end."""
        labels = name.removesuffix(self._domain).rstrip(".").split(".")
        match labels[::-1]:
            case [""] | ["svc"] | ["pod"]:
                return NO_SUCH_TYPE
            case ["dns-version"]:
                return _only([Record(name, "TXT", SPECIFICATION)], type_)
            case ["svc" | "pod", namespace] if namespace in self._namespaces:
                return NO_SUCH_TYPE
            case ["pod", _, address]:
                return self._pod(name, address, type_)
            case ["svc", namespace, service, *below]:
                found = self._services.get(f"{SERVICES}{namespace}/{service}")
                return MISSING if found is None else self._service(name, found, below, type_)
        return MISSING

    def reverse(self, address: str) -> tuple[str, ...]:
        """The names of an address of a Service or of an endpoint; empty for one that is not the cluster's."""
        if self._names is None:
            self._names = self._reversed()
        return self._names.get(address, ())

    def _service(self, name: str, service: NetworkService, below: list[str], type_: str) -> Answer:
        match below:
            case []:
                records = list(self._own(name, service))
                return _only(records, type_) if records else MISSING
            case [protocol, port] if protocol.startswith("_") and port.startswith("_") and port != "_":
                return self._ports(name, service, port[1:], protocol[1:], type_)
            case ["_tcp" | "_udp" | "_sctp"]:
                return NO_SUCH_TYPE
            case [host]:
                records = [
                    Record(name, _ADDRESS[family], one.address)
                    for family, one in _ready(service)
                    if service.headless and host in (one.hostname, _dashed(one.address))
                ]
                return _only(records, type_) if records else MISSING
        return MISSING

    def _own(self, name: str, service: NetworkService) -> Iterator[Record]:
        if service.type == "ExternalName":
            yield Record(name, "CNAME", service.external_name.rstrip("."))
        elif service.headless:
            yield from (Record(name, _ADDRESS[family], one.address) for family, one in _ready(service))
        else:
            yield from (Record(name, _address_type(one), one) for one in service.cluster_ips)

    def _ports(self, name: str, service: NetworkService, port: str, protocol: str, type_: str) -> Answer:
        targets = sorted(set(self._targets(service, port, protocol.upper())))
        if not targets:
            return MISSING
        if type_ != "SRV":
            return NO_SUCH_TYPE
        share = max(1, 100 // len({target for target, _, _ in targets}))
        pairs = sorted({(target, number) for target, number, _ in targets})
        return Answer(
            tuple(Record(name, "SRV", f"0 {share} {number} {target}") for target, number in pairs),
            tuple(sorted({Record(target, _address_type(address), address) for target, _, address in targets})),
        )

    def _targets(self, service: NetworkService, port: str, protocol: str) -> Iterator[tuple[str, int, str]]:
        """Name, port and address of each target. A headless Service's own ports are those of its endpoints."""
        own = f"{service.name}.{service.namespace}.svc.{self._domain}"
        if service.headless:
            for slice_ in service.slices:
                numbers = [one.port for one in slice_.ports if (one.name, one.protocol) == (port, protocol)]
                for endpoint in slice_.endpoints:
                    if endpoint.ready:
                        yield from ((f"{_host(endpoint)}.{own}", number, endpoint.address) for number in numbers)
        else:
            for one in service.ports:
                if _is(one, port, protocol):
                    yield from ((own, one.port, address) for address in service.cluster_ips)

    def _pod(self, name: str, dashed: str, type_: str) -> Answer:
        for candidate in (dashed.replace("-", "."), dashed.replace("-", ":")):
            try:
                address = str(ip_address(candidate))
            except ValueError:
                continue
            return _only([Record(name, _address_type(address), address)], type_)
        return MISSING

    def _reversed(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for service in self._services.values():
            own = f"{service.name}.{service.namespace}.svc.{self._domain}"
            for address in service.cluster_ips:
                found.setdefault(address, []).append(own)
            if service.headless:
                for _, one in _ready(service):
                    found.setdefault(one.address, []).append(f"{_host(one)}.{own}")
        return {address: tuple(sorted(set(names))) for address, names in found.items()}


def _only(records: Iterable[Record], type_: str) -> Answer:
    """Those of the type; another name is the answer whatever was asked for."""
    return Answer(tuple(one for one in records if one.type in (type_, "CNAME") or type_ == "ANY"))


def _ready(service: NetworkService) -> Iterator[tuple[Family, NetworkEndpoint]]:
    for slice_ in service.slices:
        for endpoint in slice_.endpoints:
            if endpoint.ready:
                yield slice_.family, endpoint


def _is(port: NetworkPort, name: str, protocol: str) -> bool:
    return (port.name, port.protocol) == (name, protocol)


def _host(endpoint: NetworkEndpoint) -> str:
    return endpoint.hostname or _dashed(endpoint.address)


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")


def _address_type(address: str) -> Type:
    return "AAAA" if ":" in address else "A"
