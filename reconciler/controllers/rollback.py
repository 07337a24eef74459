"""Automatic roll-back: a rollout that misses its deadline gives way to the last revision that was healthy.

Asked for by the annotation `wherry.dev/rollback: auto` of a Deployment. The Deployment itself stays as its manifest
has it: what is turned back are the ReplicaSets. Which of them was ever healthy, and which has failed, is written on the
ReplicaSets, so that it is known after a restart. A failed one is not tried again until the template has been another
one: a changed manifest, `kubectl rollout restart` and `kubectl rollout undo` each make it so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers import progress, revision
from schemas.apps import Deployment, DeploymentStatus, ReplicaSet

ROLLBACK = "wherry.dev/rollback"
HEALTHY = "wherry.dev/healthy"
FAILED = "wherry.dev/rollout-failed"
ROLLED_BACK = "RolledBack"


def asked(deployment: Deployment) -> bool:
    return deployment.metadata.annotations.get(ROLLBACK) == "auto"


def has_failed(replica_set: ReplicaSet) -> bool:
    return FAILED in replica_set.metadata.annotations


def as_healthy(replica_set: ReplicaSet) -> ReplicaSet:
    return _annotated(replica_set, add=HEALTHY, drop=FAILED)


def as_failed(replica_set: ReplicaSet) -> ReplicaSet:
    return _annotated(replica_set, add=FAILED, drop=HEALTHY)


def as_untried(replica_set: ReplicaSet) -> ReplicaSet:
    return _annotated(replica_set, add="", drop=FAILED)


def _annotated(replica_set: ReplicaSet, *, add: str, drop: str) -> ReplicaSet:
    annotations = {key: text for key, text in replica_set.metadata.annotations.items() if key != drop}
    if add:
        annotations[add] = "true"
    if annotations == replica_set.metadata.annotations:
        return replica_set
    return structs.replace(replica_set, metadata=structs.replace(replica_set.metadata, annotations=annotations))


def last_healthy(sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The newest revision that was once complete and has not failed since."""
    found = [one for one in sets if HEALTHY in one.metadata.annotations and one.metadata.deletion_timestamp is None]
    return max(found, key=lambda one: revision.number(one.metadata.annotations), default=None)


def told(failed: ReplicaSet, healthy: ReplicaSet, deployment: Deployment) -> str:
    """For the condition and the Event."""
    return (
        f'Revision {_number(failed)} (ReplicaSet "{failed.metadata.name}") missed its progress deadline of '
        f"{progress.deadline(deployment)} s: revision {_number(healthy)} "
        f'(ReplicaSet "{healthy.metadata.name}") runs in its place until the template changes.'
    )


def _number(replica_set: ReplicaSet) -> int:
    return revision.number(replica_set.metadata.annotations)


def held(
    deployment: Deployment, sets: Sequence[ReplicaSet], failed: ReplicaSet, healthy: ReplicaSet, now: datetime
) -> DeploymentStatus:
    """The status while a failed revision is held back: the rollout stays as late as it was."""
    status = progress.failing(progress.counted(deployment, sets, failed, now), sets, healthy, now)
    text = told(failed, healthy, deployment)
    return progress.with_condition(status, ROLLED_BACK, "True", progress.TIMED_OUT, text, now)
