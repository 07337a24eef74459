"""Addresses and ports, as Kubernetes wants them written."""

from ipaddress import ip_address, ip_network

from schemas import names
from schemas.faults import Path
from schemas.validation.report import Faults, invalid, port_number, well_formed

_LONGEST_ADDRESS = 64


def address(path: Path, text: str) -> Faults:
    try:
        ip_address(text[:_LONGEST_ADDRESS])
    except ValueError:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def network(path: Path, text: str) -> Faults:
    try:
        sound = "/" in text and bool(ip_network(text[:_LONGEST_ADDRESS], strict=False))
    except ValueError:
        sound = False
    if not sound:
        yield invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def port(path: Path, number_or_name: int | str) -> Faults:
    """The number of a port, or the name that a container gives it."""
    if isinstance(number_or_name, int):
        yield from port_number(path, number_or_name)
    else:
        yield from well_formed(path, number_or_name, names.port_name)
