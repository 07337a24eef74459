"""Addresses for Services of `type: LoadBalancer`: which one a Service gets, and the node that answers for it. Pure.

A pool says which nodes are on the link where its addresses are. What a Service gets follows from its name, so that a
cluster that is built again from its folder gives the same addresses. The node follows from the address and the names
of the nodes that could answer (rendezvous hashing): when one goes, only its own addresses move, and the others stay.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec
from msgspec import field

from schemas.configuration import Section
from schemas.core.node import Node

CLASS = "wherry.dev/l2"
"""`loadBalancerClass` of Services that have one and are to get an address from here all the same."""
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A label: its node never answers for an address of a Service."""
_MOST = 1 << 16
"""Addresses of one range that are given out; a range of IPv6 has far more."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class LoadBalancerPool(Section, frozen=True, kw_only=True):
    """`addresses`: networks (`192.0.2.64/28`), ranges (`192.0.2.70-192.0.2.79`) and single addresses.

    `node_selector`: labels of the nodes that are on their link; empty for all nodes.
    """

    addresses: tuple[str, ...]
    node_selector: dict[str, str] = field(default_factory=dict)


class Pool(msgspec.Struct, frozen=True):
    """`ranges`: first and last address of each, both given out."""

    ranges: tuple[tuple[Address, Address], ...]
    node_selector: Mapping[str, str]

    def __contains__(self, address: Address) -> bool:
        return any(_holds(each, address) for each in self.ranges)

    def in_order(self, family: str, seed: str) -> Iterator[str]:
        """All addresses of the family, beginning with one that follows from the seed."""
        found = [each for each in self.ranges if f"IPv{each[0].version}" == family]
        counts = [min(int(last) - int(first) + 1, _MOST) for first, last in found]
        begin = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % sum(counts) if counts else 0
        for number in chain(range(begin, sum(counts)), range(begin)):
            for (first, _), count in zip(found, counts, strict=True):
                if number < count:
                    yield str(first + number)
                    break
                number -= count


def pools(written: Sequence[LoadBalancerPool]) -> tuple[Pool, ...]:
    """As the configuration writes them. Raises `ValueError` where one makes no sense or two overlap."""
    found = tuple(Pool(tuple(_range(text) for text in one.addresses), one.node_selector) for one in written)
    before: list[tuple[Address, Address]] = []
    for one in chain.from_iterable(pool.ranges for pool in found):
        for other in before:
            if one[0].version == other[0].version and int(one[0]) <= int(other[1]) and int(other[0]) <= int(one[1]):
                raise ValueError(f"{_shown(one)} overlaps {_shown(other)}: an address must be in one pool alone")
        before.append(one)
    return found


def announcer(addresses: Iterable[str], among: Sequence[Pool], nodes: Iterable[Node], only: set[str] | None) -> str:
    """The node that answers for all these addresses; empty where there is none. `only`: none but these may."""
    wanted = [ipaddress.ip_address(one) for one in addresses]
    own = [next((pool for pool in among if address in pool), None) for address in wanted]
    if not wanted or None in own:
        return ""
    candidates = (
        node.metadata.name
        for node in nodes
        if _answers(node)
        and all(_selected(pool.node_selector, node) for pool in own if pool)
        and (only is None or node.metadata.name in only)
    )
    return max(candidates, key=lambda name: hashlib.sha256(f"{wanted[0]} {name}".encode()).digest(), default="")


def _answers(node: Node) -> bool:
    ready = any(one.type == "Ready" and one.status == "True" for one in node.status.conditions)
    return ready and EXCLUDED not in node.metadata.labels and node.metadata.deletion_timestamp is None


def _selected(selector: Mapping[str, str], node: Node) -> bool:
    return selector.items() <= node.metadata.labels.items()


def _holds(range_: tuple[Address, Address], address: Address) -> bool:
    return address.version == range_[0].version and int(range_[0]) <= int(address) <= int(range_[1])


def _range(text: str) -> tuple[Address, Address]:
    """Of a network of IPv4 that has more than two, the first and last address mean something else."""
    first, dash, last = text.partition("-")
    if dash:
        low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        if low.version != high.version or int(low) > int(high):
            raise ValueError(f"expected FIRST-LAST such as 192.0.2.70-192.0.2.79, found {text!r}")
        return low, high
    network = ipaddress.ip_network(text)
    if network.num_addresses > 2:
        return network[1], network[-2] if network.version == 4 else network[-1]
    return network[0], network[-1]


def _shown(range_: tuple[Address, Address]) -> str:
    return f"{range_[0]}-{range_[1]}"
