"""Rules of EndpointSlices."""

from collections.abc import Callable

from schemas import names
from schemas.discovery import Endpoint, EndpointPort, EndpointSlice
from schemas.faults import Path
from schemas.validation import address, metadata
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    duplicate,
    invalid,
    one_of,
    required,
    too_many,
    unsupported,
    well_formed,
)

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS = 1000
_MOST_ADDRESSES = 100
_MOST_PORTS = 20000
_MOST_LABELS = 16
_MOST_HINTS = 8


def endpoint_slice(declared: EndpointSlice) -> Faults:
    if not declared.address_type:
        yield required(("addressType",))
    elif declared.address_type not in _ADDRESS_TYPES:
        yield unsupported(("addressType",), declared.address_type, _ADDRESS_TYPES)
    if len(declared.endpoints) > _MOST_ENDPOINTS:
        yield too_many(("endpoints",), len(declared.endpoints), _MOST_ENDPOINTS)
    else:
        for index, endpoint in enumerate(declared.endpoints):
            yield from _endpoint(("endpoints", index), endpoint, declared.address_type)
    if len(declared.ports) > _MOST_PORTS:
        yield too_many(("ports",), len(declared.ports), _MOST_PORTS)
    else:
        yield from _ports(declared.ports)


def _endpoint(path: Path, endpoint: Endpoint, type_: str) -> Faults:
    at = (*path, "addresses")
    if not endpoint.addresses:
        yield required(at, "must contain at least 1 address")
    elif len(endpoint.addresses) > _MOST_ADDRESSES:
        yield too_many(at, len(endpoint.addresses), _MOST_ADDRESSES)
    if check := _ADDRESSES.get(type_):
        for index, text in enumerate(endpoint.addresses):
            yield from check((*at, index), text)
    if endpoint.node_name:
        yield from well_formed((*path, "nodeName"), endpoint.node_name, names.dns1123_subdomain)
    labels = endpoint.deprecated_topology
    if len(labels) > _MOST_LABELS:
        yield too_many((*path, "deprecatedTopology"), len(labels), _MOST_LABELS)
    yield from metadata.labels((*path, "deprecatedTopology"), labels)
    if endpoint.hostname:
        yield from well_formed((*path, "hostname"), endpoint.hostname, names.dns1123_label)
    if endpoint.hints is not None:
        zones = tuple(zone.name for zone in endpoint.hints.for_zones)
        nodes = tuple(node.name for node in endpoint.hints.for_nodes)
        yield from _hints((*path, "hints", "forZones"), zones, names.label_value)
        yield from _hints((*path, "hints", "forNodes"), nodes, names.dns1123_subdomain)


def _hints(path: Path, hints: tuple[str, ...], rule: Callable[[str], tuple[str, ...]]) -> Faults:
    if len(hints) > _MOST_HINTS:
        yield too_many(path, len(hints), _MOST_HINTS)
        return
    for index, hint in enumerate(hints):
        if hint in hints[:index]:
            yield duplicate((*path, index, "name"), hint)
        yield from well_formed((*path, index, "name"), hint, rule)


def _ipv4(path: Path, text: str) -> Faults:
    yield from _ip(path, text, 4)


def _ipv6(path: Path, text: str) -> Faults:
    yield from _ip(path, text, 6)


def _ip(path: Path, text: str, version: int) -> Faults:
    found = address.version(text)
    if found is None:
        yield from address.address(path, text)
    elif found != version:
        yield invalid(path, text, f"must be an IPv{version} address")
    else:
        yield from address.not_special(path, text)


def _domain(path: Path, text: str) -> Faults:
    bare = text.removesuffix(".")
    if not bare:
        yield required(path)
    elif complaints := names.dns1123_subdomain(bare):
        for complaint in complaints:
            yield invalid(path, text, complaint)
    elif "." not in bare:
        yield invalid(path, text, "should be a domain with at least two segments separated by dots")


_ADDRESSES: dict[str, Callable[[Path, str], Faults]] = {"FQDN": _domain, "IPv4": _ipv4, "IPv6": _ipv6}


def _ports(ports: tuple[EndpointPort, ...]) -> Faults:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at, name = ("ports", index), port.name or ""
        if name:
            yield from well_formed((*at, "name"), name, names.dns1123_label)
        if name in seen:
            yield duplicate((*at, "name"), name)
        seen.add(name)
        yield from one_of((*at, "protocol"), port.protocol, ("SCTP", "TCP", "UDP"))
        if port.app_protocol is not None:
            yield from well_formed((*at, "appProtocol"), port.app_protocol, names.qualified_name)


def endpoint_slice_update(new: EndpointSlice, old: EndpointSlice) -> Faults:
    if new.address_type != old.address_type:
        yield invalid(("addressType",), new.address_type, IMMUTABLE)
