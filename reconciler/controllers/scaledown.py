"""Which pods go when there are too many.

The order is that of the ReplicaSet controller
(https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset): unassigned, pending, not
ready, cheap to delete, doubled on a node, ready for a shorter time, restarted more often, newer. Times count by power
of two (KEP-2185), so that a burst of pods does not always lose the same one; equals go by uid.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cmp_to_key

from reconciler.controllers import podstate
from schemas.core.pod import Pod

_PHASES = {"Pending": 0, "": 0, "Unknown": 1, "Running": 2}
_COST = "controller.kubernetes.io/pod-deletion-cost"
_NEVER = datetime.min.replace(tzinfo=UTC)


def to_delete(pods: Sequence[Pod], relatives: Iterable[Pod], number: int, now: datetime) -> Sequence[Pod]:
    """`number` of the pods; `relatives` are the active pods of all sets of the same owner."""
    if number >= len(pods):
        return pods
    doubled = Counter(pod.spec.node_name for pod in relatives)
    ranks = {pod.metadata.uid: doubled[pod.spec.node_name] for pod in pods}

    def compare(one: Pod, other: Pod) -> int:
        return _compare(one, other, ranks, now)

    return sorted(pods, key=cmp_to_key(compare))[:number]


def _compare(one: Pod, other: Pod, ranks: dict[str, int], now: datetime) -> int:
    """Negative where `one` goes before `other`."""
    first, second = _rank(one, ranks), _rank(other, ranks)
    if first != second:
        return -1 if first < second else 1
    if podstate.ready(one) and (decided := _newer(_ready_since(one), _ready_since(other), one, other, now)):
        return decided
    restarts, others = _restarts(one), _restarts(other)
    if restarts != others:
        return -1 if restarts > others else 1
    return _newer(
        one.metadata.creation_timestamp or _NEVER, other.metadata.creation_timestamp or _NEVER, one, other, now
    )


def _rank(pod: Pod, ranks: dict[str, int]) -> tuple[bool, int, bool, int, int]:
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 0),
        podstate.ready(pod),
        _deletion_cost(pod),
        -ranks[pod.metadata.uid],
    )


def _deletion_cost(pod: Pod) -> int:
    written = pod.metadata.annotations.get(_COST, "0")
    try:
        return int(written)
    except ValueError:
        return 0  # As Kubernetes: an annotation that is no number costs nothing.


def _ready_since(pod: Pod) -> datetime:
    found = podstate.ready_condition(pod)
    return (found.last_transition_time if found else None) or _NEVER


def _newer(one_time: datetime, other_time: datetime, one: Pod, other: Pod, now: datetime) -> int:
    """Negative where `one_time` is the newer; unknown times count as newest, equal ones decide nothing."""
    if one_time == other_time:
        return 0
    if _NEVER in (one_time, other_time):
        return -1 if one_time == _NEVER else 1
    difference = _magnitude(one_time, now) - _magnitude(other_time, now)
    if difference == 0:
        return -1 if one.metadata.uid < other.metadata.uid else 1
    return difference


def _magnitude(time: datetime, now: datetime) -> int:
    nanoseconds = (now - time).total_seconds() * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _restarts(pod: Pod) -> tuple[int, int]:
    """The most restarts of a container, and of a sidecar."""
    sidecars = {container.name for container in pod.spec.init_containers if container.restart_policy == "Always"}
    return (
        max((status.restart_count for status in pod.status.container_statuses), default=0),
        max((s.restart_count for s in pod.status.init_container_statuses if s.name in sidecars), default=0),
    )
