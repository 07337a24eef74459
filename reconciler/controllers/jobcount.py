"""Counting the pods of a Job that have ended: each once, in the commit that takes off its finalizer.

Kubernetes writes the status and the pods apart, and has `uncountedTerminatedPods` to remember in between what it is
about to count (https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers). Here both
are one commit: it is done or it is not. What a status brought from elsewhere still holds there is counted in.
"""

from typing import NamedTuple

from msgspec import structs

from reconciler.controllers.jobindexes import Indexes
from reconciler.controllers.jobpods import failed, index_of, is_indexed, limits_each_index, tracked, valid_index
from reconciler.controllers.jobpolicies import verdict
from reconciler.controllers.jobtally import Tally, uncounted_before
from schemas.batch import Job, JobStatus, UncountedTerminatedPods
from schemas.core.pod import Pod

MOST = 500
"""Pods that one plan counts; the rest follow in the next."""


class Counted(NamedTuple):
    """The status with the new counts, and the pods whose finalizer goes with that."""

    status: JobStatus
    done_with: tuple[Pod, ...]
    fresh: tuple[Pod, ...]
    """Those of them that the status has counted only now."""
    complete: bool
    """Nothing is left that could be counted now."""


def counted(found: Tally, *, ends: bool, well: bool, leave: frozenset[str]) -> Counted:
    """`ends`: the Job is over, `well` or not; then no pod is waited for. `leave`: uids that are let go uncounted."""
    job = found.job
    before = uncounted_before(job)
    ready = [pod for pod in found.pods if tracked(pod) and pod.metadata.uid not in leave]
    ready = [pod for pod in ready if _may_go(found, pod, ends=ends)]
    ready.sort(key=lambda pod: (index_of(pod) is None, index_of(pod) or 0))
    known = {*before.succeeded, *before.failed}
    taken = ready[:MOST]
    fresh = [pod for pod in taken if pod.metadata.uid not in known]
    succeeded = [pod for pod in fresh if pod.status.phase == "Succeeded"]
    lost = [pod for pod in fresh if _counts_as_failed(job, pod, over=ends and not well)]
    status = structs.replace(
        job.status,
        succeeded=job.status.succeeded + len(before.succeeded) + len(succeeded),
        failed=job.status.failed + len(before.failed) + len(lost),
        uncounted_terminated_pods=UncountedTerminatedPods(),
    )
    if found.completed_before is not None:
        status = _with_indexes(found, found.completed_before, succeeded, status)
    return Counted(status, tuple(taken), tuple(fresh), len(taken) == len(ready))


def _may_go(found: Tally, pod: Pod, *, ends: bool) -> bool:
    if found.job.metadata.deletion_timestamp is not None or pod.status.phase == "Succeeded":
        return True
    if not ends and not failed(pod, found.job):
        return False
    if not ends and limits_each_index(found.job):
        return all(pod.metadata.uid != one.metadata.uid for one in found.replaceable.values())
    return True


def _counts_as_failed(job: Job, pod: Pod, *, over: bool) -> bool:
    """`over`: the Job has failed, and so has every pod that has not ended well."""
    if pod.status.phase == "Succeeded" or not (over or failed(pod, job)):
        return False
    if is_indexed(job) and valid_index(pod, job) is None:
        return False
    return verdict(job, pod).counts


def _with_indexes(found: Tally, before: Indexes, succeeded: list[Pod], status: JobStatus) -> JobStatus:
    new = (index for pod in succeeded if (index := valid_index(pod, found.job)) is not None)
    completed = before.with_(new)
    broken = None if found.failed_indexes is None else str(found.failed_indexes)
    return structs.replace(status, succeeded=len(completed), completed_indexes=str(completed), failed_indexes=broken)
