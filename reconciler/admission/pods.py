"""What every new pod is given: tolerations for nodes that are away, and its first status. Pure.

The tolerations are those of the API server's plugin DefaultTolerationSeconds, with a shorter time: a fleet whose
nodes tell that they are gone need not wait five minutes.
"""

from msgspec import structs

from reconciler.store.view import View
from reconciler.taints import NOT_READY, UNREACHABLE
from schemas import conditions
from schemas.core.affinity import Toleration
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Object
from schemas.nodeloss import LEASE_ANNOTATION, is_fenced
from schemas.qos import qos_class

_SCHEDULED = "PodScheduled"


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    status = structs.replace(object_.status, phase=object_.status.phase or "Pending", qos_class=qos_class(object_))
    if object_.spec.scheduling_gates and conditions.find(status.conditions, _SCHEDULED) is None:
        status = structs.replace(status, conditions=(*status.conditions, _gated(object_)))
    return structs.replace(object_, status=status)


def _gated(pod: Pod) -> PodCondition:
    """What the scheduler would say, and need not be asked for."""
    return PodCondition(
        type=_SCHEDULED,
        status="False",
        reason="SchedulingGated",
        message="Scheduling is blocked due to non-empty scheduling gates",
        last_transition_time=pod.metadata.creation_timestamp,
    )


def leased(pod: Pod, seconds: int) -> Pod:
    """The pod with its lease written down where it is fenced: agent and reconciler shall count by the same."""
    annotations = pod.metadata.annotations
    if not is_fenced(pod) or LEASE_ANNOTATION in annotations:
        return pod
    annotations = annotations | {LEASE_ANNOTATION: str(seconds)}
    return structs.replace(pod, metadata=structs.replace(pod.metadata, annotations=annotations))


def tolerating(pod: Pod, seconds: int) -> Pod:
    """The pod with tolerations for nodes that are away, where it has none of its own."""
    missing = tuple(
        Toleration(effect="NoExecute", key=key, operator="Exists", toleration_seconds=seconds)
        for key in (NOT_READY, UNREACHABLE)
        if not any(one.key in ("", key) and one.effect in ("", "NoExecute") for one in pod.spec.tolerations)
    )
    if not missing:
        return pod
    return structs.replace(pod, spec=structs.replace(pod.spec, tolerations=(*pod.spec.tolerations, *missing)))
