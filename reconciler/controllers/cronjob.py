"""CronJob: a Job at each of the times that its schedule names.

The name of a Job has the minute that it is for, so that no start happens twice, and it is made in the commit that
writes `lastScheduleTime`. The list of active Jobs is read from the Jobs. Rules and words are Kubernetes'
(https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/), but a schedule that is edited is due only from
then on: it starts nothing for times that lie before.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from msgspec import structs

from reconciler.admission.ahead import refused
from reconciler.controllers import cronhistory, cronschedule, replicaset
from reconciler.controllers.cronevents import once, told, warned
from reconciler.controllers.cronschedule import NeverDue
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.ownership import controller_reference, controls
from reconciler.provenance import provenance
from reconciler.store.changes import Change, Create, UpdateStatus
from reconciler.store.scheduled import SINCE
from reconciler.store.view import Event, View
from schemas import cron
from schemas.batch import CronJob, CronJobStatus, Job, JobSpec, JobTemplateSpec
from schemas.core.pod import PodTemplateSpec
from schemas.cron import Schedule
from schemas.meta import ObjectMeta, Ref, controller_of, ref_of

LONGEST_SLEEP = 600.0
"""Seconds after which the clock is looked at in any case: it may have been set, or the machine have slept."""
_RFC1123Z = "%a, %d %b %Y %H:%M:%S +0000"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The CronJob itself; of a Job its CronJob."""
    if isinstance(event.object, CronJob):
        return () if event.new is None else (ref_of(event.new),)
    if not isinstance(event.object, Job):
        return ()
    owners = (controller_of(one) for one in (event.old, event.new) if one is not None)
    namespace = event.object.metadata.namespace
    return {Ref("CronJob", namespace, one.name) for one in owners if one is not None and one.kind == "CronJob"}


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(CronJob, ref.namespace, ref.name)
    if found is None:
        return NOTHING
    jobs = tuple(job for job in view.owned_by(Job, found.metadata.uid) if controls(found, job))
    status, events = cronhistory.with_jobs(found, jobs, view)
    changes: list[Change] = [*events, *cronhistory.beyond_limits(found, jobs)]
    wait: float | None = None
    if found.metadata.deletion_timestamp is None:
        start = _start(structs.replace(found, status=status), view, now)
        changes += start.changes
        status, wait = start.status, start.wait
    if status != found.status:
        changes.append(UpdateStatus(structs.replace(found, status=status)))
    return Plan(tuple(changes), wait)


def _earliest(found: CronJob, now: datetime) -> datetime:
    """What was due up to then has been seen to, or is none of the present schedule."""
    last = found.status.last_schedule_time or found.metadata.creation_timestamp or now
    written = found.metadata.annotations.get(SINCE, "").partition(" ")[0]
    try:
        since = datetime.fromisoformat(written)
    except ValueError:
        return last  # Somebody has written into it.
    return max(last, since if since.tzinfo is not None else since.replace(tzinfo=UTC))


# Starting


class _Start(NamedTuple):
    """What is done about the schedule now, and when it is to be looked at next."""

    status: CronJobStatus
    changes: tuple[Change, ...] = ()
    wait: float | None = None


def _start(found: CronJob, view: View, now: datetime) -> _Start:
    status, spec = found.status, found.spec
    try:
        where = cronschedule.zone(spec.time_zone)
    except (KeyError, ValueError):
        text = f'invalid timeZone: "{spec.time_zone}": unknown time zone {spec.time_zone}'
        return _Start(status, tuple(once(warned(found, "UnknownTimeZone", text), view)))
    if spec.suspend:
        return _Start(status)
    try:
        schedule = cron.parse(spec.schedule)
    except ValueError as error:
        text = f'unparseable schedule: "{spec.schedule}" : {error}'
        return _Start(status, tuple(once(warned(found, "UnparseableSchedule", text), view)))
    try:
        done = _started(found, schedule, where, view, now)
    except NeverDue as error:
        text = f"invalid schedule schedule: {spec.schedule} : {error}"
        return _Start(status, tuple(once(warned(found, "InvalidSchedule", text), view)))
    after = structs.replace(found, status=done.status)
    upcoming = cronschedule.next_after(schedule, where, _earliest(after, now), now)
    waits = [LONGEST_SLEEP, *([] if done.wait is None else [done.wait])]
    waits += [] if upcoming is None else [(upcoming - now).total_seconds()]
    return _Start(done.status, done.changes, min(waits))


def _started(found: CronJob, schedule: Schedule, where: tzinfo, view: View, now: datetime) -> _Start:
    """The Job for what was due last, if it is to be started. Raises `NeverDue`."""
    status, deadline = found.status, found.spec.starting_deadline_seconds
    since = _earliest(found, now)
    if deadline is not None:
        since = max(since, now - timedelta(seconds=deadline))
    due = cronschedule.due(schedule, where, since, now)
    if due.at is None:
        return _Start(status)
    said: list[Change] = []
    if due.missed > cronschedule.MANY_MISSED:
        text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        said += once(warned(found, "TooManyMissedTimes", text), view, due.at)
    if deadline is not None and due.at + timedelta(seconds=deadline) < now:
        text = f"Missed scheduled time to start a job: {due.at.astimezone(UTC).strftime(_RFC1123Z)}"
        return _Start(status, (*said, *once(warned(found, "MissSchedule", text), view)))
    if found.spec.concurrency_policy == "Forbid" and status.active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return _Start(status, (*said, *once(told(found, "JobAlreadyActive", text), view, due.at)))
    return _made(found, due.at, where, view, said)


def _made(found: CronJob, at: datetime, where: tzinfo, view: View, said: list[Change]) -> _Start:
    """The Job and, where the policy is to replace, the end of those before it."""
    job = job_for(found, at, where)
    there = view.get(Job, job.metadata.namespace, job.metadata.name)
    status = structs.replace(found.status, last_schedule_time=at)
    if there is not None:
        # Of another owner: then this time has gone to somebody else, and is not tried for again either.
        return _Start(status, tuple(said))
    if refusal := refused(job, view):
        text = f"Error creating job: {refusal}"
        failed = once(warned(found, replicaset.FAILED, text), view, at)
        return _Start(found.status, (*said, *failed), replicaset.REFUSED_SECONDS)
    replaced: tuple[Change, ...] = ()
    if found.spec.concurrency_policy == "Replace":
        replaced = tuple(_replaced(found, view))
        status = structs.replace(status, active=())
    text = f"Created job {job.metadata.name}"
    return _Start(status, (*said, *replaced, Create(job), told(found, "SuccessfulCreate", text)))


def _replaced(found: CronJob, view: View) -> Iterator[Change]:
    active = (view.by_uid(reference.uid) for reference in found.status.active)
    return cronhistory.ended(found, (job for job in active if isinstance(job, Job)))


def job_for(found: CronJob, at: datetime, where: tzinfo) -> Job:
    """The Job for one time of the schedule."""
    template: JobTemplateSpec = found.spec.job_template
    written = template.metadata or ObjectMeta()
    metadata = ObjectMeta(
        name=f"{found.metadata.name}-{int(at.timestamp()) // 60}",
        namespace=found.metadata.namespace,
        labels=written.labels,
        annotations=written.annotations | {cronhistory.SCHEDULED: _timestamp(at, where)} | provenance(found),
        owner_references=(controller_reference(found),),
    )
    return Job(metadata=metadata, spec=template.spec or JobSpec(PodTemplateSpec()))


def _timestamp(moment: datetime, where: tzinfo) -> str:
    """RFC 3339."""
    return moment.astimezone(where).isoformat().replace("+00:00", "Z")


CONTROLLER = Controller("cronjob", concerns, reconcile)
