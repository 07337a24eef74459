"""The `eviction` subresource: a pod is deleted, unless a PodDisruptionBudget needs it where it is.

What the budgets say is in `controllers.budgets`. Follows https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/.
"""

from collections.abc import Sequence
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
from reconciler.controllers.budgets import Blocked, Obstacle, taken, told_why
from reconciler.store.changes import Change
from reconciler.store.cluster import Cluster
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.kinds import BY_NAME

_ATTEMPTS = 5
_WHY = ("EvictionByEvictionAPI", "Eviction API: evicting")
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
        changes = (*budgeted(pod, cluster.cache, now), *told_why(pod, *_WHY, now), change(pod, options))
        if dry:
            break
        try:
            await carry_out(cluster, *changes)
            break
        except Overtaken:
            if attempt == _ATTEMPTS - 1:
                raise
    return _DONE


def budgeted(pod: Pod, view: View, now: datetime) -> Sequence[Change]:
    """What the eviction takes from a budget, if anything. Raises the 429 where nothing is left of it."""
    found = taken(pod, view, now)
    if isinstance(found, Blocked):
        raise _refused(found)
    return found


def _refused(blocked: Blocked) -> StatusError:
    status, name = blocked.budget.status, blocked.budget.metadata.name
    kind = BY_NAME["PodDisruptionBudget"]
    match blocked.why:
        case Obstacle.SEVERAL:
            message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            return StatusError(500, "", message)
        case Obstacle.UNSEEN:
            return _blocked(f"The disruption budget {name} is still being processed by the server.", seconds=10)
        case Obstacle.NEGATIVE:
            return forbidden(kind, name, "pdb disruptions allowed is negative")
        case Obstacle.UNCONFIRMED:
            why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
            return forbidden(kind, name, why)
        case Obstacle.NEEDED:
            needs = f"needs {status.desired_healthy} healthy pods and has {status.current_healthy} currently"
            return _blocked(f"The disruption budget {name} {needs}")


def _blocked(why: str, seconds: int = 0) -> StatusError:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    details = {"retryAfterSeconds": seconds} if seconds else {}
    return StatusError(429, "TooManyRequests", message, details=details, causes=[Cause("DisruptionBudget", why)])
