"""The `eviction` subresource: a pod is deleted, unless a PodDisruptionBudget needs it where it is.

What is decided is decided on the budget's status, which the disruption controller keeps; a budget that it has not
looked at yet allows nothing. Follows https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/.
"""

from datetime import UTC, datetime

import msgspec
from msgspec import structs

from reconciler.api.bodies import Document
from reconciler.api.deletes import change, check_preconditions
from reconciler.api.options import DeleteOptions
from reconciler.api.reads import get
from reconciler.api.status import Cause, StatusError, bad_request, forbidden
from reconciler.api.target import Target
from reconciler.api.writes import Overtaken, carry_out
from reconciler.store.changes import Change, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.kinds import BY_NAME
from schemas.meta import Condition
from schemas.policy import PodDisruptionBudget
from schemas.selectors import matches

_ATTEMPTS = 5
_MOST_DISRUPTED = 2000
"""Evictions that the disruption controller has not confirmed yet."""
_DONE: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def evict(cluster: Cluster, target: Target, eviction: Document, *, dry: bool) -> Document:
    """Deletes the pod as far as its budget allows. Raises the 429 where it does not."""
    if ((eviction.get("metadata") or {}).get("name") or target.name) != target.name:
        raise bad_request("name in URL does not match name in Eviction object")
    try:
        options = msgspec.convert(eviction.get("deleteOptions") or {}, DeleteOptions)
    except msgspec.ValidationError as error:
        raise bad_request(f"deleteOptions: {error}") from None
    dry = dry or bool(options.dry_run)
    whole = structs.replace(target, subresource="")
    for attempt in range(_ATTEMPTS):
        pod = get(cluster.cache, whole)
        assert isinstance(pod, Pod)
        check_preconditions(whole, pod, options)
        now = datetime.now(UTC).replace(microsecond=0)
        changes = (*budgeted(pod, cluster.cache, now), *_told(pod, now), change(pod, options))
        if dry:
            break
        try:
            await carry_out(cluster, *changes)
            break
        except Overtaken:
            if attempt == _ATTEMPTS - 1:
                raise
    return _DONE


def budgeted(pod: Pod, view: View, now: datetime) -> tuple[Change, ...]:
    """What the eviction takes from a budget, if anything. Raises the 429 where nothing is left of it."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase in ("Succeeded", "Failed", "Pending"):
        return ()
    found = [
        budget
        for budget in view.list(PodDisruptionBudget, pod.metadata.namespace)
        if matches(budget.spec.selector, pod.metadata.labels)
    ]
    if len(found) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise StatusError(500, "", message)
    if not found or (not _is_ready(pod) and _may_lose_unready(found[0])):
        return ()
    return (_taken(found[0], pod, now),)


def _is_ready(pod: Pod) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def _may_lose_unready(budget: PodDisruptionBudget) -> bool:
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return budget.status.current_healthy >= budget.status.desired_healthy > 0


def _taken(budget: PodDisruptionBudget, pod: Pod, now: datetime) -> Change:
    status, name = budget.status, budget.metadata.name
    if status.observed_generation < budget.metadata.generation:
        raise _blocked(f"The disruption budget {name} is still being processed by the server.", seconds=10)
    kind = BY_NAME["PodDisruptionBudget"]
    if status.disruptions_allowed < 0:
        raise forbidden(kind, name, "pdb disruptions allowed is negative")
    if len(status.disrupted_pods) > _MOST_DISRUPTED:
        raise forbidden(kind, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if status.disruptions_allowed == 0:
        needs = f"needs {status.desired_healthy} healthy pods and has {status.current_healthy} currently"
        raise _blocked(f"The disruption budget {name} {needs}")
    left = status.disruptions_allowed - 1
    conditions = status.conditions if left else _exhausted(budget, now)
    disrupted = status.disrupted_pods | {pod.metadata.name: now}
    new = structs.replace(status, disruptions_allowed=left, disrupted_pods=disrupted, conditions=conditions)
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


def _blocked(why: str, seconds: int = 0) -> StatusError:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    details = {"retryAfterSeconds": seconds} if seconds else {}
    return StatusError(429, "TooManyRequests", message, details=details, causes=[Cause("DisruptionBudget", why)])


def _told(pod: Pod, now: datetime) -> tuple[Change, ...]:
    """The pod says why it ends."""
    if pod.metadata.deletion_timestamp is not None:
        return ()
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=now,
    )
    others = tuple(one for one in pod.status.conditions if one.type != "DisruptionTarget")
    return (UpdateStatus(structs.replace(pod, status=structs.replace(pod.status, conditions=(*others, condition)))),)
