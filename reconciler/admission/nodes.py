"""Taints of nodes: what a new one is given, and what one that somebody declares keeps of the one that is there.

A node is not ready until it says so, and no pod should get there first (TaintNodesByCondition).

A list of taints is one field, so whoever declares one would take away those that tell of the node's state, and the
times from which tolerations count. Both are the cluster's. Pure.
"""

from msgspec import structs

from reconciler.store.view import View
from reconciler.taints import NOT_READY, OF_THE_CLUSTER
from schemas import conditions
from schemas.core.node import Node, Taint
from schemas.meta import Object

_EFFECT = "NoSchedule"


def tainted(object_: Object) -> Object:
    """One that a client makes, and no agent has told of yet."""
    if not isinstance(object_, Node):
        return object_
    ready = conditions.find(object_.status.conditions, "Ready")
    if ready is not None and ready.status == "True":
        return object_
    taints = object_.spec.taints
    if any(taint.key == NOT_READY and taint.effect == _EFFECT for taint in taints):
        return object_
    spec = structs.replace(object_.spec, taints=(*taints, Taint(key=NOT_READY, effect=_EFFECT)))
    return structs.replace(object_, spec=spec)


def keeping(declared: Node, view: View) -> Node:
    live = view.get(Node, "", declared.metadata.name)
    if live is None:
        return declared
    there = {_same(taint): taint for taint in live.spec.taints}
    taints = tuple(
        there.get(_same(taint), taint) if taint.time_added is None else taint for taint in declared.spec.taints
    )
    named = {_same(taint) for taint in taints}
    ours = tuple(taint for taint in live.spec.taints if taint.key in OF_THE_CLUSTER and _same(taint) not in named)
    if (*taints, *ours) == declared.spec.taints:
        return declared
    return structs.replace(declared, spec=structs.replace(declared.spec, taints=(*taints, *ours)))


def _same(taint: Taint) -> tuple[str, str, str]:
    return taint.key, taint.effect, taint.value
