"""Which pods a Job makes and which it ends: never more active than its parallelism, the lowest missing indexes first.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#parallel-jobs
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.admission.ahead import ahead
from reconciler.controllers import jobbackoff
from reconciler.controllers.jobpods import (
    FAILURES,
    IGNORED_FAILURES,
    INDEX,
    TRACKING,
    failures,
    ignored_failures,
    is_indexed,
    limits_each_index,
    replaces_only_failed,
    surplus,
    valid_index,
)
from reconciler.controllers.jobpolicies import verdict
from reconciler.controllers.jobtally import Tally
from reconciler.controllers.ownership import controller_reference
from reconciler.controllers.podnames import LONGEST_PREFIX, free_name, free_suffixes
from reconciler.controllers.replicaset import REFUSED_SECONDS
from reconciler.provenance import provenance
from reconciler.store.view import View
from schemas.batch import Job
from schemas.core.container import Container, EnvVar, EnvVarSource, ObjectFieldSelector
from schemas.core.pod import Pod, PodSpec, PodTemplateSpec
from schemas.meta import ObjectMeta

BURST = 500
"""Pods that one plan makes or ends at most; the rest follow in the next."""
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


class Moves(msgspec.Struct, frozen=True):
    """Pods to be made and to be ended, and after how many seconds there may be more."""

    made: tuple[Pod, ...] = ()
    ended: tuple[Pod, ...] = ()
    wait: float | None = None
    refusal: str = ""
    """Why no more pods are let in; empty where all are."""

    @property
    def rests(self) -> bool:
        """Pods are missing, and none is made because earlier ones have failed."""
        return self.wait is not None and not (self.made or self.refusal)


def moves(found: Tally, view: View, now: datetime) -> Moves:
    """Of a Job that has not ended. Pods are made or ended, not both: what goes may have to be waited for."""
    job = found.job
    wanted = 0 if job.spec.suspend else _wanted_active(found)
    too_many = max(0, len(found.active) - wanted)
    doomed = found.active if job.spec.suspend else surplus(job, found.active, too_many)
    if doomed:
        return Moves(ended=doomed[:BURST])
    blocked = len(found.ending) if replaces_only_failed(job) else 0
    missing = min(BURST, wanted - blocked - len(found.active))
    if missing <= 0:
        return Moves()
    if not is_indexed(job):
        left = jobbackoff.wait(found.failures, now)
        return Moves(wait=left) if left else _made(found, [None] * missing, view)
    return _indexed_moves(found, missing, view, now)


def _wanted_active(found: Tally) -> int:
    parallelism = 1 if found.job.spec.parallelism is None else found.job.spec.parallelism
    if found.job.spec.completions is None:
        # A queue of work: once one pod says that it is empty, the others may finish, and none is added.
        return len(found.active) if found.succeeded else parallelism
    return max(0, min(parallelism, found.job.spec.completions - found.succeeded))


def _indexed_moves(found: Tally, number: int, view: View, now: datetime) -> Moves:
    indexes = missing_indexes(found, number)
    if limits_each_index(found.job):
        due, later = jobbackoff.due_indexes(indexes, found.replaceable, now)
        return _made(found, due, view, later)
    if left := jobbackoff.wait(found.failures, now):
        return Moves(wait=left)
    return _made(found, indexes, view)


def _made(found: Tally, indexes: Iterable[int | None], view: View, wait: float | None = None) -> Moves:
    """As many of the pods as are let in."""
    made, refusal = ahead(tuple(_pods(found, indexes, view)), view)
    return Moves(made=tuple(made), wait=REFUSED_SECONDS if refusal else wait, refusal=refusal)


def missing_indexes(found: Tally, number: int) -> tuple[int, ...]:
    """The lowest indexes that have no pod and need one."""
    held = found.active + (found.ending if replaces_only_failed(found.job) else ())
    taken = [index for pod in held if (index := valid_index(pod, found.job)) is not None]
    covered = [one.with_(()) for one in (found.completed, found.failed_indexes) if one is not None]
    union = covered[0]
    for one in covered[1:]:
        union |= one
    free = union.with_(taken).missing(found.job.spec.completions or 0)
    return tuple(index for _, index in zip(range(number), free, strict=False))


def _pods(found: Tally, indexes: Iterable[int | None], view: View) -> Iterator[Pod]:
    job, suffixes = found.job, free_suffixes(found.job, view)
    for index in indexes:
        prefix = f"{job.metadata.name}-"
        pod = _pod(job)
        if index is not None:
            prefix = _prefix(job.metadata.name, index)
            pod = _with_index(pod, job, index, found.replaceable.get(index))
        name = free_name(prefix, job.metadata.namespace, suffixes, view)
        yield structs.replace(pod, metadata=structs.replace(pod.metadata, name=name, generate_name=prefix))


def _pod(job: Job) -> Pod:
    template: PodTemplateSpec = job.spec.template
    kept = tuple(one for one in template.metadata.finalizers if one != TRACKING)
    metadata = ObjectMeta(
        namespace=job.metadata.namespace,
        labels=template.metadata.labels,
        annotations=template.metadata.annotations | provenance(job),
        finalizers=(*kept, TRACKING),
        owner_references=(controller_reference(job),),
    )
    return Pod(metadata=metadata, spec=template.spec or PodSpec(()))


def _prefix(name: str, index: int) -> str:
    end = f"-{index}-"
    return name[: LONGEST_PREFIX - len(end)] + end


def _with_index(pod: Pod, job: Job, index: int, replaced: Pod | None) -> Pod:
    annotations = pod.metadata.annotations | {INDEX: str(index)}
    if limits_each_index(job):
        annotations |= _failure_counts(job, replaced)
    metadata = structs.replace(pod.metadata, annotations=annotations, labels=pod.metadata.labels | {INDEX: str(index)})
    spec = structs.replace(
        pod.spec,
        hostname=f"{job.metadata.name}-{index}",
        containers=tuple(map(_told_its_index, pod.spec.containers)),
        init_containers=tuple(map(_told_its_index, pod.spec.init_containers)),
    )
    return structs.replace(pod, metadata=metadata, spec=spec)


def _failure_counts(job: Job, replaced: Pod | None) -> dict[str, str]:
    if replaced is None:
        return {FAILURES: "0"}
    counts = verdict(job, replaced).counts
    ignored = ignored_failures(replaced) + (not counts)
    told = {FAILURES: str(failures(replaced) + counts)}
    return told | ({IGNORED_FAILURES: str(ignored)} if ignored else {})


def _told_its_index(container: Container) -> Container:
    if any(variable.name == INDEX_VARIABLE for variable in container.env):
        return container
    source = EnvVarSource(field_ref=ObjectFieldSelector(f"metadata.labels['{INDEX}']", "v1"))
    return structs.replace(container, env=(*container.env, EnvVar(INDEX_VARIABLE, value_from=source)))
