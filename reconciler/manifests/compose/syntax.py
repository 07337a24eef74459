"""The short forms of Compose: ports, mounts, durations, sizes and commands written as one text.

Pure; a text that has no such form raises `ValueError` with words for the person who wrote it.
"""

import ipaddress
import re
import shlex
from collections.abc import Mapping

import msgspec

from reconciler.manifests.scalars import Scalar

MOST_PORTS = 500
"""Ports that one entry may stand for."""
_MODES = frozenset(("ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy"))
_PROPAGATIONS = frozenset(("shared", "slave", "private", "rshared", "rslave", "rprivate"))
_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9A-Fa-f:.]+\]|[0-9.]*):)?(?P<published>[0-9-]*):)?(?P<target>[0-9-]+)(?:/(?P<protocol>\w+))?"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|us|µs|ns|h|m|s)")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([bkmgtp]?)(?:i?b)?", re.IGNORECASE)


class Port(msgspec.Struct, frozen=True):
    """A port of the container, and the one of the host that leads to it, where there is a fixed one."""

    target: int
    protocol: str = "tcp"
    published: int | None = None
    host_ip: str = ""
    name: str = ""
    app_protocol: str = ""


class ShortMount(msgspec.Struct, frozen=True):
    """`[SOURCE:]TARGET[:MODE]`, the mode in its parts."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    ignored: tuple[str, ...] = ()


def read_port(text: str) -> tuple[Port, ...]:
    """`[[IP:]HOST:]CONTAINER[/PROTOCOL]`, where ports may be ranges."""
    found = _PORT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"expected [[IP:]HOST:]CONTAINER[/PROTOCOL] such as 8080:80, found {text!r}")
    host_ip = (found["ip"] or "").strip("[]")
    return ports(found["target"], found["published"] or "", host_ip, (found["protocol"] or "tcp").lower())


def ports(target: str, published: str, host_ip: str, protocol: str) -> tuple[Port, ...]:
    """All ports that two ranges stand for."""
    if protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"expected the protocol tcp, udp or sctp, found {protocol!r}")
    if host_ip:
        try:
            ipaddress.ip_address(host_ip)
        except ValueError:
            raise ValueError(f"expected an IP address of the host, found {host_ip!r}") from None
    inside = _range(target)
    outside: list[int | None] = list(_range(published)) if published not in ("", "0") else [None] * len(inside)
    if len(inside) == 1 and len(outside) > 1:
        outside = outside[:1]
    if len(inside) != len(outside):
        raise ValueError(f"the ranges {published} and {target} differ in length; write as many ports on both sides")
    return tuple(Port(target, protocol, published, host_ip) for target, published in zip(inside, outside, strict=True))


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    try:
        found = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        raise ValueError(f"expected a port or a range such as 8000-8010, found {text!r}") from None
    if not found or found[0] < 1 or found[-1] > 65535:
        raise ValueError(f"expected ports from 1 to 65535, lower first, found {text!r}")
    if len(found) > MOST_PORTS:
        raise ValueError(f"{text} stands for {len(found)} ports, more than the {MOST_PORTS} allowed")
    return found


def port_key(fields: Mapping[str, Scalar]) -> str:
    """What makes a port one of its own where files are merged: address, port of the host, port, protocol."""
    published = fields.get("published")
    return f"{fields.get('host_ip') or ''}:{published or ''}:{fields.get('target')}/{fields.get('protocol') or 'tcp'}"


def short_port_key(text: str) -> str:
    """The same of the short form."""
    found = _PORT.fullmatch(text.strip())
    if not found:
        return text
    fields = {"host_ip": (found["ip"] or "").strip("[]"), "published": found["published"], "target": found["target"]}
    return port_key({**fields, "protocol": found["protocol"]})


def read_mount(text: str) -> ShortMount:
    """`[SOURCE:]TARGET[:MODE]`."""
    parts = text.split(":")
    if len(parts) > 1 and not parts[0]:
        raise ValueError(f"nothing stands before the colon of {text!r}; name a volume or a path")
    if len(parts) == 1:
        parts = ["", *parts]
    source, target, *mode = parts
    options = [option for option in ",".join(mode).split(",") if option]
    unknown = [option for option in options if option not in _MODES | _PROPAGATIONS]
    if len(parts) > 3 or unknown or not target:
        raise ValueError(f"expected [SOURCE:]TARGET[:MODE] such as ./data:/data:ro, found {text!r}")
    propagation = next((option for option in options if option in _PROPAGATIONS), "")
    ignored = tuple(option for option in options if option in ("z", "Z"))
    return ShortMount(source, target, "ro" in options, propagation, ignored)


def mount_target(text: str) -> str:
    """Where in the container a short form mounts, as far as it can be told."""
    parts = text.split(":")
    return parts[min(1, len(parts) - 1)]


def seconds(text: str) -> float:
    """A duration such as `1m30s`."""
    at, total = 0, 0.0
    for found in _DURATION.finditer(text):
        if found.start() != at:
            break
        total += float(found[1]) * _SECONDS[found[2]]
        at = found.end()
    if at != len(text) or not text:
        if text in ("0", "+0", "-0"):
            return 0.0
        raise ValueError(f"expected a duration such as 30s or 1m30s, found {text!r}")
    return total


def size(value: Scalar) -> int:
    """Bytes, of a number or of a text such as `512m` or `1.5gb`, where units are powers of 1024."""
    found = _SIZE.fullmatch(str(value).strip())
    if not found or isinstance(value, bool):
        raise ValueError(f"expected a size such as 512m or 2g, found {value!r}")
    return int(float(found[1]) * 1024 ** "bkmgtp".index(found[2].lower() or "b"))


def words(text: str) -> list[str]:
    """A command written as one text, in the words that it is run with. No shell is started."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"the text is no command ({str(error).lower()}); write it as a list of words") from None


def quantity(size: int) -> str:
    """Bytes as Kubernetes writes them."""
    for unit, factor in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def millicores(value: Scalar) -> str:
    """CPUs as Kubernetes writes them."""
    try:
        thousandths = round(float(str(value)) * 1000)
    except (ValueError, OverflowError):
        thousandths = -1
    if thousandths < 0 or isinstance(value, bool):
        raise ValueError(f"expected a number of CPUs such as 0.5, found {value!r}")
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def pair(text: str, separators: str) -> tuple[str, str | None]:
    """Name and value on both sides of the first separator; no value where there is none."""
    at = next((i for i, letter in enumerate(text) if letter in separators), None)
    if at == 0:
        raise ValueError(f"expected NAME{separators[0]}value, found {text!r}")
    return (text.strip(), None) if at is None else (text[:at].strip(), text[at + 1 :])
