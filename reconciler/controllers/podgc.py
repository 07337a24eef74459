"""Pod garbage collection: pods that nobody can end any more are removed.

A pod whose node has been deleted has no agent that would report it gone, and a pod that was to end before it had a
node never started (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.evictions import counted_out
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.silence import Silences
from reconciler.store.changes import Change, Delete, UpdateStatus
from reconciler.store.view import Event, View
from schemas import conditions
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Ref, controller_of, ref_of
from schemas.nodeloss import is_fenced

_UNPLACED_SECONDS = 20.0
"""How long a pod that was to end before it had a node is left as it is; so often Kubernetes looks for such pods."""

_UNKNOWN_SECONDS = 40.0
"""How long a new pod waits for a node that is not there yet: as long as Kubernetes takes to believe that it is not."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A pod itself; of a deleted node its pods."""
    if isinstance(event.new, Pod):
        return (ref_of(event.new),)
    if event.new is None and isinstance(event.old, Node):
        return tuple(ref_of(pod) for pod in view.pods_on(event.old.metadata.name))
    return ()


def podgc(silences: Silences | None = None) -> Controller:
    """`silences` tells how long nodes have had no word: so long a fenced pod may run, whoever deletes its node."""
    return Controller("podgc", concerns, partial(reconcile, silences=silences))


def reconcile(ref: Ref, view: View, now: datetime, silences: Silences | None = None) -> Plan:
    pod = view.get(Pod, ref.namespace, ref.name)
    if pod is None:
        return NOTHING
    told, bound = pod.metadata.deletion_timestamp, pod.spec.node_name
    if bound and view.get(Node, "", bound) is None:
        ahead = _ahead(pod, now)
        if ahead > 0 and told is None:
            return Plan((), ahead)
        left = counted_out(pod, silences(bound)) if silences is not None and is_fenced(pod) else 0
        if left > 0:
            return Plan(() if told else (Delete(ref_of(pod), uid=pod.metadata.uid),), left)
        return Plan((*_failed(pod, now), *_deleted(pod)))
    if bound or told is None:
        return NOTHING
    wait = 0.0 if podstate.ended(pod) else (told - now).total_seconds() + _UNPLACED_SECONDS
    failed = _failed(pod, now) if wait <= 0 else ()
    return Plan((*failed, *_deleted(pod)), wait if wait > 0 else None)


def _ahead(pod: Pod, now: datetime) -> float:
    """For how many seconds a pod that somebody has bound by hand may still be ahead of the node that he named."""
    created = pod.metadata.creation_timestamp
    if created is None or pod.status.start_time is not None or controller_of(pod) is not None:
        return 0.0
    return (created - now).total_seconds() + _UNKNOWN_SECONDS


def _deleted(pod: Pod) -> Iterator[Change]:
    """What is told to go at once, and is still there, only waits for whoever has set its finalizers."""
    if pod.metadata.deletion_timestamp is None or pod.metadata.deletion_grace_period_seconds:
        yield Delete(ref_of(pod), uid=pod.metadata.uid, grace_seconds=0)


def _failed(pod: Pod, now: datetime) -> Iterator[Change]:
    """A pod that finalizers keep is told to have failed, and by whose fault: a Job counts that, or does not."""
    if podstate.ended(pod) or not pod.metadata.finalizers:
        return
    told = pod.status.conditions
    if pod.spec.node_name:
        text, reason = "PodGC: node no longer exists", "DeletionByPodGC"
        lost = PodCondition("True", "DisruptionTarget", last_transition_time=now, message=text, reason=reason)
        told = conditions.updated(told, lost)
    yield UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, phase="Failed", conditions=told)))


CONTROLLER = podgc()
