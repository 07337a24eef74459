"""Every node that an agent has told of is registered by an Event, and has its Lease in `kube-node-lease`.

It is written once in the life of a node: a heartbeat is no reason to write. When it was last renewed is told when
somebody asks (`reconciler.api.heartbeats`). https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats
"""

from collections.abc import Iterable
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Create, Emit
from reconciler.store.view import Event, View
from schemas.coordination import Lease, LeaseSpec
from schemas.core.node import Node
from schemas.meta import ObjectMeta, OwnerReference, Ref, ref_of

COMPONENT = "node-controller"
NAMESPACE = "kube-node-lease"
SECONDS = 40
"""As the kubelet has it."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A node that is first told of, and one that has lost its Lease."""
    if isinstance(event.new, Node):
        is_first = not (isinstance(event.old, Node) and _is_told_of(event.old))
        return (ref_of(event.new),) if is_first and _is_told_of(event.new) else ()
    lost = event.old if event.new is None else None
    if isinstance(lost, Lease) and lost.metadata.namespace == NAMESPACE:
        return (Ref("Node", "", lost.metadata.name),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    node = view.get(Node, "", ref.name)
    if node is None or node.metadata.deletion_timestamp is not None or view.get(Lease, NAMESPACE, ref.name):
        return NOTHING
    if not _is_told_of(node):
        return NOTHING
    owner = OwnerReference("v1", "Node", ref.name, node.metadata.uid)
    metadata = ObjectMeta(name=ref.name, namespace=NAMESPACE, owner_references=(owner,))
    spec = LeaseSpec(holder_identity=ref.name, lease_duration_seconds=SECONDS, renew_time=now)
    text = f"Node {ref.name} event: Registered Node {ref.name} in Controller"
    told = Emit(node, "Normal", "RegisteredNode", text, COMPONENT)
    return Plan((Create(Lease(metadata=metadata, spec=spec)), told))


def _is_told_of(node: Node) -> bool:
    return bool(node.status.conditions)


CONTROLLER = Controller("nodelease", concerns, reconcile)
