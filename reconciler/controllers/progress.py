"""Status of a Deployment: counts, conditions, and whether its rollout gets on.

Reasons and messages are those of the Kubernetes Deployment controller
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers.replicacounts import max_unavailable, total, wanted
from schemas import conditions
from schemas.apps import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet

AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
TIMED_OUT = "ProgressDeadlineExceeded"
NEW_SET_AVAILABLE = "NewReplicaSetAvailable"
_NO_DEADLINE = 2**31 - 1


def deadline(deployment: Deployment) -> int | None:
    """Seconds in which a rollout has to get on, or None."""
    seconds = deployment.spec.progress_deadline_seconds
    return None if seconds == _NO_DEADLINE else seconds


def with_condition(
    status: DeploymentStatus, type_: str, value: str, reason: str, message: str, now: datetime
) -> DeploymentStatus:
    """The status with that condition; it stays as it is while value and reason are the same."""
    old = conditions.find(status.conditions, type_)
    if old is not None and old.status == value and old.reason == reason:
        return status
    since = old.last_transition_time if old is not None and old.status == value else now
    new = DeploymentCondition(value, type_, since, now, message, reason)
    return structs.replace(status, conditions=(*without(status, type_).conditions, new))


def without(status: DeploymentStatus, type_: str) -> DeploymentStatus:
    return structs.replace(status, conditions=tuple(one for one in status.conditions if one.type != type_))


def paused_told(deployment: Deployment, now: datetime) -> DeploymentStatus:
    """The status with a condition that says that the Deployment has been paused or resumed."""
    status = deployment.status
    found = conditions.find(status.conditions, PROGRESSING)
    if deadline(deployment) is None or (found is not None and found.reason == TIMED_OUT):
        return status
    told = found is not None and found.reason == "DeploymentPaused"
    if deployment.spec.paused and not told:
        return with_condition(status, PROGRESSING, "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if not deployment.spec.paused and told:
        return with_condition(status, PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return status


def counted(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The status by the ReplicaSets, with the condition Available."""
    available = sum(one.status.available_replicas for one in sets)
    status = structs.replace(
        deployment.status,
        observed_generation=deployment.metadata.generation,
        replicas=sum(one.status.replicas for one in sets),
        updated_replicas=new.status.replicas if new is not None else 0,
        ready_replicas=sum(one.status.ready_replicas for one in sets),
        available_replicas=available,
        unavailable_replicas=max(0, total(sets) - available),
        terminating_replicas=sum(one.status.terminating_replicas or 0 for one in sets),
    )
    if available >= wanted(deployment) - max_unavailable(deployment):
        text = "Deployment has minimum availability."
        return with_condition(status, AVAILABLE, "True", "MinimumReplicasAvailable", text, now)
    text = "Deployment does not have minimum availability."
    return with_condition(status, AVAILABLE, "False", "MinimumReplicasUnavailable", text, now)


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """All pods are of the new template and available, and no old one is left."""
    replicas = wanted(deployment)
    return (
        status.updated_replicas == status.replicas == status.available_replicas == replicas
        and status.observed_generation >= deployment.metadata.generation
    )


def rolled(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """`counted`, and the conditions Progressing and ReplicaFailure."""
    status = failing(_progressing(deployment, sets, new, now), sets, new, now)
    return without(status, PROGRESSING) if deadline(deployment) is None else status


def failing(
    status: DeploymentStatus, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The status with what keeps a set from making its pods; that of the newest set goes first."""
    for one in (*([new] if new is not None else []), *sets):
        found = conditions.find(one.status.conditions, FAILURE)
        if found is not None:
            return with_condition(status, FAILURE, found.status, found.reason, found.message, now)
    return without(status, FAILURE)


def _progressing(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    status = counted(deployment, sets, new, now)
    before = conditions.find(deployment.status.conditions, PROGRESSING)
    settled = status.replicas == status.updated_replicas and before is not None and before.reason == NEW_SET_AVAILABLE
    if settled:
        return status
    subject = f'Deployment "{deployment.metadata.name}"' if new is None else f'ReplicaSet "{new.metadata.name}"'
    if complete(deployment, status):
        text = f"{subject} has successfully progressed."
        return with_condition(status, PROGRESSING, "True", NEW_SET_AVAILABLE, text, now)
    if _got_on(deployment.status, status):
        text = f"{subject} is progressing."
        since = before.last_transition_time if before is not None and before.status == "True" else now
        new_condition = DeploymentCondition("True", PROGRESSING, since, now, text, "ReplicaSetUpdated")
        status = without(status, PROGRESSING)
        return structs.replace(status, conditions=(*status.conditions, new_condition))
    if _timed_out(deployment, status, now):
        text = f"{subject} has timed out progressing."
        return with_condition(status, PROGRESSING, "False", TIMED_OUT, text, now)
    return status


def _got_on(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updated_replicas > old.updated_replicas
        or new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        or new.ready_replicas > old.ready_replicas
        or new.available_replicas > old.available_replicas
    )


def _timed_out(deployment: Deployment, status: DeploymentStatus, now: datetime) -> bool:
    found = conditions.find(status.conditions, PROGRESSING)
    if found is None or found.reason == NEW_SET_AVAILABLE:
        return False
    return found.reason == TIMED_OUT or _until_deadline(deployment, found, now) < 0


def _until_deadline(deployment: Deployment, found: DeploymentCondition, now: datetime) -> float:
    since = found.last_update_time or now
    return (since + timedelta(seconds=deadline(deployment) or 0) - now).total_seconds()


def look_again_in(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """Seconds until the rollout has missed its deadline if nothing happens, or None."""
    found = conditions.find(status.conditions, PROGRESSING)
    if deadline(deployment) is None or found is None or complete(deployment, status):
        return None
    if found.reason in (TIMED_OUT, NEW_SET_AVAILABLE, "DeploymentPaused"):
        return None
    return max(0.0, _until_deadline(deployment, found, now)) + 1  # As Kubernetes: one second of patience.
