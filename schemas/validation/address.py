"""Addresses and ports, as Kubernetes wants them written."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from schemas import names
from schemas.faults import Path
from schemas.validation.report import Faults, invalid, port_number, well_formed

_LONGEST_ADDRESS = 64


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return None if "%" in text else ip_address(text[:_LONGEST_ADDRESS])
    except ValueError:
        return None


def version(text: str) -> int | None:
    """4 or 6; None for what is no address."""
    found = _parsed(text)
    return None if found is None else found.version


def address(path: Path, text: str) -> Faults:
    if _parsed(text) is None:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def not_special(path: Path, text: str) -> Faults:
    """Addresses that mean the machine or the link itself lead to no endpoint."""
    if (found := _parsed(text)) is None:
        return
    if found.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if found.is_loopback:
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if found.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if any(found in block for block in _LINK_LOCAL_MULTICAST if block.version == found.version):
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


_LINK_LOCAL_MULTICAST = (ip_network("224.0.0.0/24"), ip_network("ff02::/16"))


def network(path: Path, text: str) -> Faults:
    try:
        # A netmask after the slash is Python's own idea.
        sound = text.partition("/")[2].isdecimal() and bool(ip_network(text[:_LONGEST_ADDRESS], strict=False))
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
