"""Whether the PodDisruptionBudgets let a pod go, and what its going takes from them.

Decided on the budget's status, which the disruption controller keeps; a budget that it has not looked at yet allows
nothing. Follows https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto

import msgspec
from msgspec import structs

from reconciler.controllers import podstate
from reconciler.store.changes import UpdateStatus
from reconciler.store.view import View
from schemas import conditions
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Condition
from schemas.policy import PodDisruptionBudget
from schemas.selectors import matches

_MOST_DISRUPTED = 2000
"""Evictions that the disruption controller has not confirmed yet."""


class Obstacle(Enum):
    SEVERAL = auto()
    UNSEEN = auto()
    NEGATIVE = auto()
    UNCONFIRMED = auto()
    NEEDED = auto()


class Blocked(msgspec.Struct, frozen=True):
    """The pod has to stay. `budget` is the one that keeps it, the first of several."""

    why: Obstacle
    budget: PodDisruptionBudget


def taken(pod: Pod, view: View, now: datetime) -> Sequence[UpdateStatus] | Blocked:
    """What the end of the pod takes from its budget, if it has one."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase in ("Succeeded", "Failed", "Pending"):
        return ()
    found = [
        budget
        for budget in view.list(PodDisruptionBudget, pod.metadata.namespace)
        if matches(budget.spec.selector, pod.metadata.labels)
    ]
    if len(found) > 1:
        return Blocked(Obstacle.SEVERAL, found[0])
    if not found or (not podstate.ready(pod) and _may_lose_unready(found[0])):
        return ()
    obstacle = _obstacle(found[0])
    return (_less(found[0], pod, now),) if obstacle is None else Blocked(obstacle, found[0])


def _may_lose_unready(budget: PodDisruptionBudget) -> bool:
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return budget.status.current_healthy >= budget.status.desired_healthy > 0


def _obstacle(budget: PodDisruptionBudget) -> Obstacle | None:
    status = budget.status
    if status.observed_generation < budget.metadata.generation:
        return Obstacle.UNSEEN
    if status.disruptions_allowed < 0:
        return Obstacle.NEGATIVE
    if len(status.disrupted_pods) > _MOST_DISRUPTED:
        return Obstacle.UNCONFIRMED
    return Obstacle.NEEDED if status.disruptions_allowed == 0 else None


def _less(budget: PodDisruptionBudget, pod: Pod, now: datetime) -> UpdateStatus:
    status = budget.status
    left = status.disruptions_allowed - 1
    told = status.conditions if left else _exhausted(budget, now)
    disrupted = status.disrupted_pods | {pod.metadata.name: now}
    new = structs.replace(status, disruptions_allowed=left, disrupted_pods=disrupted, conditions=told)
    return UpdateStatus(structs.replace(budget, status=new))


def _exhausted(budget: PodDisruptionBudget, now: datetime) -> tuple[Condition, ...]:
    others = tuple(one for one in budget.status.conditions if one.type != "DisruptionAllowed")
    condition = Condition(
        last_transition_time=now,
        message="",
        reason="InsufficientPods",
        status="False",
        type="DisruptionAllowed",
        observed_generation=budget.status.observed_generation,
    )
    return (*others, condition)


def told_why(pod: Pod, reason: str, message: str, now: datetime) -> Sequence[UpdateStatus]:
    """The pod says why it ends, unless it is ending already."""
    if pod.metadata.deletion_timestamp is not None:
        return ()
    target = PodCondition("True", "DisruptionTarget", last_transition_time=now, message=message, reason=reason)
    told = conditions.updated(pod.status.conditions, target)
    return (UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, conditions=told))),)
