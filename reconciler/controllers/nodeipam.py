"""Pod addresses: each node gets a range of its own out of the cluster's.

All nodes are one key, so that two of them never get the same range. A range is given only to a node that has none,
the lowest free one first, nodes by name.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import Controller, Plan
from reconciler.store.changes import Change, Emit, Update
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.meta import Ref

COMPONENT = "cidrAllocator"
ALL_NODES = Ref("Node", "", "")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Nodes without a range; a deleted node, whose range another one may be waiting for."""
    if not isinstance(event.object, Node):
        return ()
    return (ALL_NODES,) if event.new is None or not event.object.spec.pod_cidr else ()


def nodeipam(cluster_cidr: str = "10.244.0.0/16", node_prefix: int = 24) -> Controller:
    """Hands out ranges of `node_prefix` bits. Raises `ValueError` where the cluster's range is no network."""
    network = ipaddress.ip_network(cluster_cidr)

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        nodes = view.list(Node)
        waiting = [node for node in nodes if not node.spec.pod_cidr and node.metadata.deletion_timestamp is None]
        if not waiting:
            return Plan()
        free = _free(network, node_prefix, nodes)
        return Plan(tuple(_change(node, next(free, None)) for node in waiting))

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


def _change(node: Node, range_: Network | None) -> Change:
    if range_ is None:
        text = "no pod CIDR is left for this node: the cluster's CIDR is used up; delete nodes or widen it"
        return Emit(node, "Warning", "CIDRNotAvailable", text, COMPONENT)
    spec = structs.replace(node.spec, pod_cidr=str(range_), pod_cidrs=(str(range_),))
    return Update(structs.replace(node, spec=spec))
