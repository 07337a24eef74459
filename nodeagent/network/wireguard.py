"""The ways to nodes beyond our links that nobody between can read: WireGuard, pure.

Which peers there are follows from what the nodes have told: both must have a key, and know of each other's. See
https://www.wireguard.com/#conceptual-overview; a node behind a router that translates addresses is found by what it
sends, so that it must be the first, and must not fall silent.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

import msgspec

PORT = 51830
KEEPALIVE_SECONDS = 25
"""Shorter than routers remember a flow of UDP."""
OVERHEAD = 80
"""Bytes of a packet around another one: IPv6, UDP and WireGuard's own."""


class SecuredPeer(msgspec.Struct, frozen=True, order=True):
    """`ranges`: of its pods, the only addresses that it may use. `endpoint` is empty where it has to come to us."""

    public_key: str
    ranges: tuple[str, ...]
    endpoint: str = ""
    keepalive: int = 0


def secured_peer(public_key: str, ranges: tuple[str, ...], own: str, other: str) -> SecuredPeer:
    """`own` and `other`: the addresses of the two nodes.

    A private address cannot be reached from a public one: who has it is behind a router, and speaks first.
    """
    private, theirs_private = ip_address(own).is_private, ip_address(other).is_private
    return SecuredPeer(
        public_key,
        ranges,
        endpoint="" if theirs_private and not private else _endpoint(other),
        keepalive=KEEPALIVE_SECONDS if private and not theirs_private else 0,
    )


def _endpoint(address: str) -> str:
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


def changes(wanted: Sequence[SecuredPeer], before: Sequence[SecuredPeer], present: Sequence[str]) -> list[str]:
    """The words for `wg set DEVICE`; none where all is as it should be.

    `before`: what was set last; `present`: the keys of the peers that the device has. An endpoint is not set again,
    for the kernel follows a peer whose address changes.
    """
    keys = {one.public_key for one in wanted}
    words = [word for key in present if key not in keys for word in ("peer", key, "remove")]
    known = {one.public_key: one for one in before if one.public_key in present}
    for one in wanted:
        if known.get(one.public_key) != one:
            words += _words(one, known)
    return words


def _words(peer: SecuredPeer, known: Mapping[str, SecuredPeer]) -> Iterator[str]:
    yield from ("peer", peer.public_key)
    last = known.get(peer.public_key)
    if peer.endpoint and (last is None or last.endpoint != peer.endpoint):
        yield from ("endpoint", peer.endpoint)
    yield from ("persistent-keepalive", str(peer.keepalive), "allowed-ips", ",".join(peer.ranges))
