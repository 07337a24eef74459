"""Pod garbage collection: pods that nobody can end any more are removed.

A pod whose node has been deleted has no agent that would report it gone, and a pod that was to end before it had a
node never started (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection).
"""

from collections.abc import Iterable
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Delete
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A pod itself; of a deleted node its pods."""
    if isinstance(event.new, Pod):
        return (ref_of(event.new),)
    if event.new is None and isinstance(event.old, Node):
        return tuple(ref_of(pod) for pod in view.pods_on(event.old.metadata.name))
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    pod = view.get(Pod, ref.namespace, ref.name)
    if pod is None:
        return NOTHING
    bound, ending = pod.spec.node_name, pod.metadata.deletion_timestamp is not None
    lost = view.get(Node, "", bound) is None if bound else ending
    return Plan((Delete(ref, uid=pod.metadata.uid, grace_seconds=0),)) if lost else NOTHING


CONTROLLER = Controller("podgc", concerns, reconcile)
