"""What a controller asks about a pod: does it count, is it ready, and since when.

Rules of the Kubernetes controllers (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

from datetime import datetime, timedelta

from reconciler.store.view import View
from schemas import conditions, selectors
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import LabelSelector


def selected(selector: LabelSelector | None, namespace: str, view: View) -> list[Pod]:
    """The pods of the namespace that the selector picks."""
    if selector is None:
        return []
    candidates = view.pods_with(namespace, selector.match_labels)
    return [pod for pod in candidates if selectors.matches(selector, pod.metadata.labels)]


def ended(pod: Pod) -> bool:
    """All containers have ended and none starts again."""
    return pod.status.phase in ("Succeeded", "Failed")


def active(pod: Pod) -> bool:
    """Counts as a replica: neither ended nor ending."""
    return pod.metadata.deletion_timestamp is None and not ended(pod)


def terminating(pod: Pod) -> bool:
    """Was told to end and has not yet."""
    return pod.metadata.deletion_timestamp is not None and not ended(pod)


def ready_condition(pod: Pod) -> PodCondition | None:
    """The condition `Ready`, where it is true."""
    found = conditions.find(pod.status.conditions, "Ready")
    return found if found is not None and found.status == "True" else None


def ready(pod: Pod) -> bool:
    return ready_condition(pod) is not None


def available(pod: Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Has been ready for `min_ready_seconds`."""
    return available_in(pod, min_ready_seconds, now) == 0


def available_in(pod: Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until the pod counts as available if it stays ready, 0 if it does; None while it is not ready."""
    found = ready_condition(pod)
    if found is None:
        return None
    if min_ready_seconds == 0:
        return 0
    if found.last_transition_time is None:
        return None
    since = found.last_transition_time + timedelta(seconds=min_ready_seconds)
    return max(0.0, (since - now).total_seconds())
