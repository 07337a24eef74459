"""What a Job and its pods come to: how many pods run, have succeeded, have failed, and which indexes.

Everything is read from the status of the Job, which holds what was counted before, and from the pods that still bear
the finalizer of tracking, which are yet to be counted.
"""

from collections.abc import Iterable

import msgspec

from reconciler.controllers import jobbackoff, jobindexes, podstate
from reconciler.controllers.jobbackoff import Failures
from reconciler.controllers.jobindexes import Indexes
from reconciler.controllers.jobpods import (
    failed,
    failures,
    is_indexed,
    limits_each_index,
    tracked,
    valid_index,
)
from reconciler.controllers.jobpolicies import Action, verdict
from schemas.batch import Job, UncountedTerminatedPods
from schemas.core.pod import Pod


class Tally(msgspec.Struct, frozen=True):
    """A Job at one revision. `succeeded` and `failed` hold what is yet to be counted, too."""

    job: Job
    pods: tuple[Pod, ...]
    active: tuple[Pod, ...]
    ending: tuple[Pod, ...]
    succeeded: int
    failed: int
    completed_before: Indexes | None
    """By the status; None for a Job without indexes."""
    completed: Indexes | None
    failed_indexes: Indexes | None
    """None where the failures of an index are not limited."""
    failures: Failures
    """Since the last success, for the wait before the next pod."""
    replaceable: dict[int, Pod]
    """Failed pods that stay uncounted until their successor takes over how often their index has failed."""


def tally(job: Job, pods: tuple[Pod, ...]) -> Tally:
    active = tuple(pod for pod in pods if podstate.active(pod))
    waiting = _uncounted(job, pods)
    before = uncounted_before(job)
    succeeded = job.status.succeeded + len(before.succeeded)
    succeeded += sum(pod.status.phase == "Succeeded" for pod in waiting)
    counted_failures = [pod for pod in waiting if failed(pod, job) and verdict(job, pod).counts]
    completed_before, completed, broken = _indexes(job, pods)
    return Tally(
        job=job,
        pods=pods,
        active=active,
        ending=tuple(pod for pod in pods if podstate.terminating(pod)),
        succeeded=succeeded if completed is None else len(completed),
        failed=job.status.failed + len(before.failed) + len(counted_failures),
        completed_before=completed_before,
        completed=completed,
        failed_indexes=broken,
        failures=jobbackoff.continued(jobbackoff.recorded(job), job, waiting),
        replaceable=_replaceable(job, pods, active, completed, broken),
    )


def uncounted_before(job: Job) -> UncountedTerminatedPods:
    """Pods that a status of elsewhere names as ended and not counted. Here one commit does both, so there are none."""
    return job.status.uncounted_terminated_pods or UncountedTerminatedPods()


def _uncounted(job: Job, pods: Iterable[Pod]) -> list[Pod]:
    """Pods that no status has counted; of an indexed Job those with an index of it."""
    before = uncounted_before(job)
    known = {*before.succeeded, *before.failed}
    found = (pod for pod in pods if tracked(pod) and pod.metadata.uid not in known)
    return [pod for pod in found if not is_indexed(job) or valid_index(pod, job) is not None]


def _indexes(job: Job, pods: Iterable[Pod]) -> tuple[Indexes | None, Indexes | None, Indexes | None]:
    if not is_indexed(job):
        return None, None, None
    completions = job.spec.completions or 0
    before = jobindexes.parse(job.status.completed_indexes, completions)
    waiting = [(pod, index) for pod in pods if tracked(pod) and (index := valid_index(pod, job)) is not None]
    completed = before.with_(index for pod, index in waiting if pod.status.phase == "Succeeded")
    if not limits_each_index(job):
        return before, completed, None
    broken = jobindexes.parse(job.status.failed_indexes or "", completions)
    return before, completed, broken.with_(index for pod, index in waiting if _fails_its_index(job, pod))


def _fails_its_index(job: Job, pod: Pod) -> bool:
    if not failed(pod, job):
        return False
    said = verdict(job, pod)
    limit = job.spec.backoff_limit_per_index
    return said.action == Action.FAIL_INDEX or (said.counts and limit is not None and failures(pod) >= limit)


def _replaceable(
    job: Job, pods: Iterable[Pod], active: Iterable[Pod], completed: Indexes | None, broken: Indexes | None
) -> dict[int, Pod]:
    if not limits_each_index(job) or completed is None or broken is None:
        return {}
    running = {valid_index(pod, job) for pod in active}
    candidates = (
        pod
        for pod in pods
        if tracked(pod)
        and (index := valid_index(pod, job)) is not None
        and index not in running
        and index not in completed
        and index not in broken
    )
    return jobbackoff.replaceable(job, candidates)
