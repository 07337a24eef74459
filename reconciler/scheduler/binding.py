"""What is written about a scheduler's decisions: bindings, conditions and Events."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import structs

from reconciler.scheduler.decision import UNSCHEDULABLE, Decision
from reconciler.store.changes import Change, Emit, Update, UpdateStatus
from reconciler.store.view import View
from schemas import conditions
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition

COMPONENT = "default-scheduler"
SCHEDULED = "PodScheduled"
_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


def topology(view: View, node: str) -> dict[str, str]:
    """Labels of the node that its pods bear too, so that what runs in them can read them."""
    found = view.get(Node, "", node)
    return {key: found.metadata.labels[key] for key in _TOPOLOGY if key in found.metadata.labels} if found else {}


def changes_of(pod: Pod, outcome: Decision, view: View, now: datetime) -> Iterator[Change]:
    """What the outcome is told by; nothing where a refusal has been told already."""
    if outcome.node:
        labels = topology(view, outcome.node) | pod.metadata.labels
        bound = structs.replace(
            pod,
            metadata=structs.replace(pod.metadata, labels=labels),
            spec=structs.replace(pod.spec, node_name=outcome.node),
        )
        yield Update(bound)
        yield UpdateStatus(_told(bound, PodCondition("True", SCHEDULED, last_transition_time=now)))
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        text = f"Successfully assigned {name} to {outcome.node}"
        yield Emit(pod, "Normal", "Scheduled", text, COMPONENT)
        return
    told = conditions.find(pod.status.conditions, SCHEDULED)
    if told is not None and (told.status, told.reason, told.message) == ("False", outcome.reason, outcome.message):
        return
    condition = PodCondition(
        "False", SCHEDULED, last_transition_time=now, message=outcome.message, reason=outcome.reason
    )
    # Would be found again after a restart: it need not be on disk.
    yield UpdateStatus(_told(pod, condition), durable=False)
    if outcome.reason == UNSCHEDULABLE:
        yield Emit(pod, "Warning", "FailedScheduling", outcome.message, COMPONENT)


def _told(pod: Pod, condition: PodCondition) -> Pod:
    status = structs.replace(pod.status, conditions=conditions.updated(pod.status.conditions, condition))
    return structs.replace(pod, status=status)
