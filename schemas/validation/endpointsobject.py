"""Rules of Endpoints, the older form of EndpointSlices."""

from schemas import names
from schemas.core.endpoints import EndpointAddress, EndpointPort, Endpoints
from schemas.faults import Path
from schemas.validation import address
from schemas.validation.report import Faults, one_of, port_number, required, well_formed


def endpoints(declared: Endpoints) -> Faults:
    for index, subset in enumerate(declared.subsets):
        path: Path = ("subsets", index)
        if not subset.addresses and not subset.not_ready_addresses:
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, one in enumerate(addresses):
                yield from _address((*path, field, number), one)
        for number, port in enumerate(subset.ports):
            yield from _port((*path, "ports", number), port, needs_name=len(subset.ports) > 1)


def _address(path: Path, one: EndpointAddress) -> Faults:
    yield from address.address((*path, "ip"), one.ip)
    yield from address.not_special((*path, "ip"), one.ip)
    if one.hostname:
        yield from well_formed((*path, "hostname"), one.hostname, names.dns1123_label)
    if one.node_name:
        yield from well_formed((*path, "nodeName"), one.node_name, names.dns1123_subdomain)


def _port(path: Path, port: EndpointPort, *, needs_name: bool) -> Faults:
    if needs_name and not port.name:
        yield required((*path, "name"))
    elif port.name:
        yield from well_formed((*path, "name"), port.name, names.dns1123_label)
    yield from port_number((*path, "port"), port.port)
    yield from one_of((*path, "protocol"), port.protocol, ("SCTP", "TCP", "UDP"))
    if port.app_protocol:
        yield from well_formed((*path, "appProtocol"), port.app_protocol, names.qualified_name)
