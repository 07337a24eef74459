"""Heartbeats of nodes as readers see them: told when they are asked for, never written.

The broker knows at any moment which agents are there, so a node that is not known to be silent is alive now; a silent
one was last heard when that became known. Times are those of the kubelet's rhythm, so that two looks in a row agree.
Watches tell of changes alone, and a heartbeat is none.
"""

from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers.nodelease import NAMESPACE
from reconciler.controllers.nodestate import is_silent
from reconciler.store.view import View
from schemas import conditions
from schemas.coordination import Lease
from schemas.core.node import Node, NodeCondition
from schemas.meta import Object

KINDS = ("Lease", "Node")
RHYTHM = timedelta(seconds=10)


def shown(object_: Object, view: View, now: datetime) -> Object:
    """The object with its heartbeats, where it is one that has them."""
    if isinstance(object_, Node):
        return _node(object_, now)
    if isinstance(object_, Lease) and object_.metadata.namespace == NAMESPACE:
        node = view.get(Node, "", object_.metadata.name)
        return object_ if node is None else _lease(object_, node, now)
    return object_


def _node(node: Node, now: datetime) -> Node:
    if is_silent(node):
        return node
    told = tuple(_alive(one, now) for one in node.status.conditions)
    return structs.replace(node, status=structs.replace(node.status, conditions=told))


def _alive(one: NodeCondition, now: datetime) -> NodeCondition:
    if one.status == "Unknown" or one.last_heartbeat_time is None:
        return one
    return structs.replace(one, last_heartbeat_time=max(_beat(now), one.last_heartbeat_time))


def _lease(lease: Lease, node: Node, now: datetime) -> Lease:
    renewed = _beat(now)
    if is_silent(node):
        ready = conditions.find(node.status.conditions, "Ready")
        renewed = (ready.last_transition_time if ready is not None else None) or renewed
    if lease.spec.renew_time is not None:
        renewed = max(renewed, lease.spec.renew_time)
    return structs.replace(lease, spec=structs.replace(lease.spec, renew_time=renewed))


def _beat(now: datetime) -> datetime:
    """The last time of the rhythm."""
    whole = now.replace(microsecond=0)
    return whole - timedelta(seconds=whole.second % int(RHYTHM.total_seconds()))
