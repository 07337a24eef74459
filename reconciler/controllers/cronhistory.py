"""What the Jobs of a CronJob come to: which are active, when one last succeeded, and which are kept no longer.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#jobs-history-limits
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import structs

from reconciler.controllers.cronevents import once, told, warned
from reconciler.controllers.jobend import COMPLETE, FAILED, outcome
from reconciler.store.changes import Change, Delete, Emit
from reconciler.store.view import View
from schemas.batch import CronJob, CronJobStatus, Job
from schemas.core.reference import reference_to
from schemas.meta import ref_of

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""Annotation of a Job that was made for a time of the schedule."""
_LAST = datetime.max.replace(tzinfo=UTC)


def with_jobs(one: CronJob, jobs: Sequence[Job], view: View) -> tuple[CronJobStatus, tuple[Emit, ...]]:
    """The status that follows from the Jobs, and what is to be said of them."""
    status, events = one.status, list[Emit]()
    known = {reference.uid for reference in status.active}
    ended = {job.metadata.uid: end for job in jobs if (end := outcome(job)) is not None}
    active = []
    for reference in status.active:
        if reference.uid in ended:
            text = f"Saw completed job: {reference.name}, condition: {ended[reference.uid].type}"
            events.append(told(one, "SawCompletedJob", text))
        elif view.by_uid(reference.uid) is None:
            events.append(told(one, "MissingJob", f"Active job went missing: {reference.name}"))
        else:
            active.append(reference)
    for job in jobs:
        if job.metadata.uid in known or job.metadata.uid in ended:
            continue
        if SCHEDULED in job.metadata.annotations:
            active.append(reference_to(job))
        else:
            text = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
            events += once(warned(one, "UnexpectedJob", text), view)
    successes = (job.status.completion_time for job in jobs if _ended_as(job, COMPLETE))
    times = [time for time in (status.last_successful_time, *successes) if time is not None]
    status = structs.replace(status, active=tuple(active), last_successful_time=max(times, default=None))
    return status, tuple(events)


def _ended_as(job: Job, type_: str) -> bool:
    end = outcome(job)
    return end is not None and end.type == type_


def beyond_limits(one: CronJob, jobs: Sequence[Job]) -> Iterator[Change]:
    """Ends the oldest of those that have ended, as many as the limits leave no room for."""
    limits = ((COMPLETE, one.spec.successful_jobs_history_limit), (FAILED, one.spec.failed_jobs_history_limit))
    for type_, limit in limits:
        if limit is None:
            continue
        found = sorted((job for job in jobs if _ended_as(job, type_)), key=_started)
        for job in found[: max(0, len(found) - limit)]:
            yield from ended(one, (job,))


def ended(one: CronJob, jobs: Iterable[Job]) -> Iterator[Change]:
    for job in jobs:
        if job.metadata.deletion_timestamp is None:
            yield Delete(ref_of(job), uid=job.metadata.uid)
            yield told(one, "SuccessfulDelete", f"Deleted job {job.metadata.name}")


def _started(job: Job) -> tuple[datetime, str]:
    return job.status.start_time or _LAST, job.metadata.name
