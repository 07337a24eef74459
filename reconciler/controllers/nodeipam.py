"""Pod addresses: each node gets a range of its own out of the cluster's, one of each family that it has.

All nodes are one key, so that two of them never get the same range. A range is given only to a node that has none,
the lowest free one first, nodes by name.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import Controller, Plan
from reconciler.store.changes import Change, Emit, Update
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.meta import Ref

COMPONENT = "cidrAllocator"
ALL_NODES = Ref("Node", "", "")

NODE_PREFIX = {4: 24, 6: 64}
"""How much of a network one node gets, by family."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Nodes without a range; a deleted node, whose range another one may be waiting for."""
    if not isinstance(event.object, Node):
        return ()
    return (ALL_NODES,) if event.new is None or not event.object.spec.pod_cidr else ()


def networks(cluster_cidr: str) -> tuple[Network, ...]:
    """As the configuration writes them: one network, or one of each family with a comma. Raises `ValueError`."""
    found = tuple(ipaddress.ip_network(one.strip()) for one in cluster_cidr.split(","))
    if len({one.version for one in found}) != len(found):
        raise ValueError(f"expected one network of each family, found {cluster_cidr!r}")
    for one in found:
        if one.prefixlen > NODE_PREFIX[one.version]:
            raise ValueError(f"{one} has no room for a node's /{NODE_PREFIX[one.version]}")
    return found


def nodeipam(cluster_cidr: str = "10.244.0.0/16") -> Controller:
    """Hands out ranges of these networks. Raises `ValueError`, as `networks` does."""
    ranges = networks(cluster_cidr)

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        nodes = view.list(Node)
        waiting = [node for node in nodes if not node.spec.pod_cidr and node.metadata.deletion_timestamp is None]
        if not waiting:
            return Plan()
        free = [_free(network, NODE_PREFIX[network.version], nodes) for network in ranges]
        return Plan(tuple(_change(node, [next(each, None) for each in free]) for node in waiting))

    return Controller("nodeipam", concerns, reconcile)


def _free(network: Network, prefix: int, nodes: Iterable[Node]) -> Iterator[Network]:
    taken = [
        ipaddress.ip_network(written, strict=False)
        for node in nodes
        for written in {node.spec.pod_cidr, *node.spec.pod_cidrs} - {""}
    ]
    exact = {one for one in taken if one.prefixlen == prefix}
    others = [one for one in taken if one.prefixlen != prefix and one.version == network.version]
    for candidate in network.subnets(new_prefix=prefix):
        if candidate not in exact and not any(candidate.overlaps(one) for one in others):
            yield candidate


def _change(node: Node, given: Sequence[Network | None]) -> Change:
    if None in given:
        text = "no pod CIDR is left for this node: the cluster's CIDR is used up; delete nodes or widen it"
        return Emit(node, "Warning", "CIDRNotAvailable", text, COMPONENT)
    written = tuple(str(one) for one in given)
    spec = structs.replace(node.spec, pod_cidr=written[0], pod_cidrs=written)
    return Update(structs.replace(node, spec=spec))
