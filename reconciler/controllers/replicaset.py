"""ReplicaSet: the number of pods of one template that its spec asks for.

The pods are counted from the view, never remembered: a plan is one commit, so what it creates is in the view before
the same set is looked at again. The status is that after the plan, so that one commit says both.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.admission.ahead import ahead
from reconciler.controllers import podstate
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import claim, controller_reference, controls
from reconciler.controllers.podnames import free_name, free_suffixes
from reconciler.controllers.scaledown import to_delete
from reconciler.provenance import provenance
from reconciler.store.changes import Change, Create, Delete, Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas import conditions, selectors
from schemas.apps import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from schemas.core.pod import Pod
from schemas.core.quota import ResourceQuota
from schemas.meta import Object, ObjectMeta, Ref, controller_of, ref_of

COMPONENT = "replicaset-controller"
BURST = 500
"""Pods that one plan creates or deletes at most; the rest follow in the next."""

FAILED = "FailedCreate"
FAILURE = "ReplicaFailure"
REFUSED_SECONDS = 30.0
"""When to ask again for pods that admission has refused."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The set itself; for a pod its set, or the sets that might adopt it; for a quota the sets that wait for more."""
    if isinstance(event.object, ReplicaSet):
        return () if event.new is None else (ref_of(event.new),)
    if isinstance(event.object, ResourceQuota):
        found_wanting = (one for one in view.list(ReplicaSet, event.object.metadata.namespace) if _was_refused(one))
        return [ref_of(one) for one in found_wanting]
    if not isinstance(event.object, Pod):
        return ()
    found = set(_sets_of(event.new, view)) if event.new is not None else set()
    if event.old is not None:
        found.update(_controlling(event.old, view))
    return found


def _controlling(pod: Object, view: View) -> Iterator[Ref]:
    owner = controller_of(pod)
    if owner is not None and owner.kind == "ReplicaSet":
        yield Ref("ReplicaSet", pod.metadata.namespace, owner.name)


def _sets_of(pod: Object, view: View) -> Iterator[Ref]:
    if controller_of(pod) is not None:
        yield from _controlling(pod, view)
    elif pod.metadata.labels:
        for candidate in view.selecting(ReplicaSet, pod.metadata.namespace, pod.metadata.labels):
            if selectors.matches(candidate.spec.selector, pod.metadata.labels):
                yield ref_of(candidate)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    replica_set = view.get(ReplicaSet, ref.namespace, ref.name)
    return NOTHING if replica_set is None else kept(replica_set, view, now)


def kept(replica_set: ReplicaSet, view: View, now: datetime) -> Plan:
    """What the set needs, whatever the kind under which it goes."""
    claimed = claim(replica_set, replica_set.spec.selector, Pod, view)
    pods = tuple(pod for pod in claimed.owned if podstate.active(pod))
    ending = tuple(pod for pod in claimed.owned if podstate.terminating(pod))
    changes: list[Change] = [*claimed.changes]
    refusal = ""
    if replica_set.metadata.deletion_timestamp is None:
        pods, refusal = _keep_number(replica_set, pods, view, now, changes)
    status = _with_failure(status_of(replica_set, pods, ending, now), refusal, now)
    if status != replica_set.status:
        # Counts follow from the pods at any time: they need not be on disk.
        changes.append(UpdateStatus(structs.replace(replica_set, status=status), durable=False))
    if refusal:
        return Plan(tuple(changes), REFUSED_SECONDS)
    return Plan(tuple(changes), _until_next_available(replica_set, pods, now))


def _keep_number(
    replica_set: ReplicaSet, pods: tuple[Pod, ...], view: View, now: datetime, changes: list[Change]
) -> tuple[tuple[Pod, ...], str]:
    """Adds what is needed to `changes`; returns the pods as they are afterwards, and why they are no more."""
    missing = wanted(replica_set) - len(pods)
    if missing > 0:
        created, refusal = ahead(tuple(_new_pods(replica_set, min(missing, BURST), view)), view)
        if refusal:
            changes.append(Emit(replica_set, "Warning", FAILED, f"Error creating: {refusal}", COMPONENT))
        for pod in created:
            changes += (Create(pod), _told(replica_set, "SuccessfulCreate", f"Created pod: {pod.metadata.name}"))
        return (*pods, *created), refusal
    if missing == 0:
        return pods, ""
    doomed = to_delete(pods, _relatives(replica_set, view), min(-missing, BURST), now)
    for pod in doomed:
        changes += (
            Delete(ref_of(pod), uid=pod.metadata.uid),
            _told(replica_set, "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}"),
        )
    gone = {pod.metadata.uid for pod in doomed}
    return tuple(pod for pod in pods if pod.metadata.uid not in gone), ""


def _with_failure(status: ReplicaSetStatus, refusal: str, now: datetime) -> ReplicaSetStatus:
    """The status with the condition that says that pods were refused; it keeps the first refusal."""
    if bool(refusal) == (conditions.find(status.conditions, FAILURE) is not None):
        return status
    others = tuple(one for one in status.conditions if one.type != FAILURE)
    if not refusal:
        return structs.replace(status, conditions=others)
    return structs.replace(status, conditions=(*others, ReplicaSetCondition("True", FAILURE, now, refusal, FAILED)))


def _was_refused(replica_set: ReplicaSet) -> bool:
    return conditions.find(replica_set.status.conditions, FAILURE) is not None


def wanted(replica_set: ReplicaSet) -> int:
    """How many pods the spec asks for."""
    return 1 if replica_set.spec.replicas is None else replica_set.spec.replicas


def _told(replica_set: ReplicaSet, reason: str, message: str) -> Emit:
    return Emit(replica_set, "Normal", reason, message, COMPONENT)


def _relatives(replica_set: ReplicaSet, view: View) -> Sequence[Pod]:
    """Pods of all sets of the same Deployment: a node that has several of them can spare one."""
    owner = controller_of(replica_set)
    if owner is None:
        return ()
    return [
        pod
        for one in view.owned_by(ReplicaSet, owner.uid)
        for pod in view.owned_by(Pod, one.metadata.uid)
        if podstate.active(pod)
    ]


def _new_pods(replica_set: ReplicaSet, number: int, view: View) -> Iterator[Pod]:
    """Pods by the template, with names that nobody has."""
    template = replica_set.spec.template
    if template is None or template.spec is None:
        return
    namespace, prefix = replica_set.metadata.namespace, f"{replica_set.metadata.name}-"
    suffixes = free_suffixes(replica_set, view)
    for _ in range(number):
        name = free_name(prefix, namespace, suffixes, view)
        metadata = ObjectMeta(
            name=name,
            generate_name=prefix,
            namespace=namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations | provenance(replica_set),
            finalizers=template.metadata.finalizers,
            owner_references=(controller_reference(replica_set),),
        )
        yield Pod(metadata=metadata, spec=template.spec)


def status_of(replica_set: ReplicaSet, pods: Iterable[Pod], ending: Sequence[Pod], now: datetime) -> ReplicaSetStatus:
    """The status that follows from the active pods and those that are ending."""
    labels = replica_set.spec.template.metadata.labels.items() if replica_set.spec.template else ()
    replicas = labelled = ready = available = 0
    for pod in pods:
        replicas += 1
        labelled += labels <= pod.metadata.labels.items() if labels else 1
        if podstate.ready(pod):
            ready += 1
            available += podstate.available(pod, replica_set.spec.min_ready_seconds, now)
    return structs.replace(
        replica_set.status,
        replicas=replicas,
        fully_labeled_replicas=labelled,
        ready_replicas=ready,
        available_replicas=available,
        terminating_replicas=len(ending),
        observed_generation=replica_set.metadata.generation,
    )


def current(replica_set: ReplicaSet, view: View, now: datetime) -> ReplicaSet:
    """The set with the status that its pods give it at this revision, written or not."""
    pods = [pod for pod in view.owned_by(Pod, replica_set.metadata.uid) if controls(replica_set, pod)]
    status = status_of(
        replica_set,
        (pod for pod in pods if podstate.active(pod)),
        [pod for pod in pods if podstate.terminating(pod)],
        now,
    )
    return structs.replace(replica_set, status=status)


def _until_next_available(replica_set: ReplicaSet, pods: Iterable[Pod], now: datetime) -> float | None:
    if replica_set.spec.min_ready_seconds == 0:
        return None
    waits = (podstate.available_in(pod, replica_set.spec.min_ready_seconds, now) for pod in pods)
    return min((wait for wait in waits if wait), default=None)


CONTROLLER = Controller("replicaset", concerns, reconcile)
