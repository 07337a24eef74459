"""What a Node that somebody declares keeps of the one that is there: the taints that are not for people to declare.

A list of taints is one field, so whoever declares one would take away those that tell of the node's state, and the
times from which tolerations count. Both are the cluster's. Pure.
"""

from msgspec import structs

from reconciler.store.view import View
from reconciler.taints import OF_THE_CLUSTER
from schemas.core.node import Node, Taint


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
