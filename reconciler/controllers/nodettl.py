"""For how long a node may go by what it has read: the annotation that kubelets look for, and tools show.

Agents are told of each change, so it is no time at all, however large the fleet. A node of an agent has it from the
first. https://kubernetes.io/docs/reference/labels-annotations-taints/#node-alpha-kubernetes-io-ttl
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Update
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.meta import Ref, ref_of

ANNOTATIONS = {"node.alpha.kubernetes.io/ttl": "0"}


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Nodes that lack it."""
    lacks = isinstance(event.new, Node) and not event.new.metadata.annotations.items() >= ANNOTATIONS.items()
    return (ref_of(event.object),) if lacks else ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    node = view.get(Node, "", ref.name)
    if node is None or node.metadata.deletion_timestamp is not None:
        return NOTHING
    annotations = node.metadata.annotations | ANNOTATIONS
    if annotations == node.metadata.annotations:
        return NOTHING
    return Plan((Update(structs.replace(node, metadata=structs.replace(node.metadata, annotations=annotations))),))


CONTROLLER = Controller("nodettl", concerns, reconcile)
