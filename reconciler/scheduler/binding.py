"""What is written about a scheduler's decisions: bindings, nominations, victims, conditions and Events."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import structs

from reconciler.scheduler.decision import DISRUPTION_TARGET, PREEMPTED, UNSCHEDULABLE, Decision
from reconciler.scheduler.snapshot import TOPOLOGY
from reconciler.store.changes import Bind, Change, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import View
from schemas import conditions
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import ref_of

COMPONENT = "default-scheduler"
SCHEDULED, ASSIGNED = "PodScheduled", "Scheduled"
_EVICTED = f"{COMPONENT}: preempting to accommodate a higher priority pod"


def topology(view: View, node: str) -> dict[str, str]:
    """Labels of the node that its pods bear too, so that what runs in them can read them."""
    found = view.get(Node, "", node)
    return {key: found.metadata.labels[key] for key in TOPOLOGY if key in found.metadata.labels} if found else {}


def changes_of(pod: Pod, decision: Decision, view: View, now: datetime) -> Iterator[Change]:
    """What the decision is told by; nothing where a refusal has been told already."""
    if decision.waits:
        yield from (Update(one) for one in decision.objects)
        if pod.status.nominated_node_name != decision.node:
            yield UpdateStatus(_nominated(pod, decision.node))
        return
    if decision.node:
        yield Bind(_bound(pod, decision.node, view, now))
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        yield Emit(pod, "Normal", ASSIGNED, f"Successfully assigned {name} to {decision.node}", COMPONENT)
        return
    for victim in decision.victims:
        yield from _evicted(victim, pod, decision.nominated_node, view, now)
    for other in decision.displaced:
        present = _present(other, view)
        if present is not None and present.status.nominated_node_name == decision.nominated_node:
            yield UpdateStatus(_nominated(present, ""))
    yield from _refused(pod, decision, now)


def _refused(pod: Pod, decision: Decision, now: datetime) -> Iterator[Change]:
    told = conditions.find(pod.status.conditions, SCHEDULED)
    same = told is not None and (told.status, told.reason, told.message) == ("False", decision.reason, decision.message)
    nominated = pod.status.nominated_node_name != decision.nominated_node
    if same and not nominated:
        return
    condition = PodCondition(
        "False", SCHEDULED, last_transition_time=now, message=decision.message, reason=decision.reason
    )
    # A refusal would be found again after a restart: it need not be on disk. Those that end for a pod are gone.
    yield UpdateStatus(_nominated(_told(pod, condition), decision.nominated_node), durable=nominated)
    if decision.reason == UNSCHEDULABLE and not same:
        yield Emit(pod, "Warning", "FailedScheduling", decision.message, COMPONENT)


def _bound(pod: Pod, node: str, view: View, now: datetime) -> Pod:
    labels = topology(view, node)
    condition = PodCondition("True", SCHEDULED, last_transition_time=now)
    status = structs.replace(
        pod.status, conditions=conditions.updated(pod.status.conditions, condition), nominated_node_name=""
    )
    metadata = structs.replace(pod.metadata, labels=labels | pod.metadata.labels) if labels else pod.metadata
    return structs.replace(pod, metadata=metadata, spec=structs.replace(pod.spec, node_name=node), status=status)


def _evicted(victim: Pod, by: Pod, node: str, view: View, now: datetime) -> Iterator[Change]:
    """A victim is told why, and has its grace period."""
    present = _present(victim, view)
    if present is None or present.metadata.deletion_timestamp is not None:
        return
    condition = PodCondition("True", DISRUPTION_TARGET, last_transition_time=now, message=_EVICTED, reason=PREEMPTED)
    yield UpdateStatus(_told(present, condition))
    yield Delete(ref_of(present), uid=present.metadata.uid)
    yield Emit(present, "Normal", "Preempted", f"Preempted by pod {by.metadata.uid} on node {node}", COMPONENT)


def _present(pod: Pod, view: View) -> Pod | None:
    found = view.get(Pod, pod.metadata.namespace, pod.metadata.name)
    return found if found is not None and found.metadata.uid == pod.metadata.uid else None


def _nominated(pod: Pod, node: str) -> Pod:
    return structs.replace(pod, status=structs.replace(pod.status, nominated_node_name=node))


def _told(pod: Pod, condition: PodCondition) -> Pod:
    status = structs.replace(pod.status, conditions=conditions.updated(pod.status.conditions, condition))
    return structs.replace(pod, status=status)
