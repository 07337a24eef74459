"""The columns of workloads that end: Job and CronJob."""

from datetime import datetime

from reconciler.api.tables.column import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Layout,
    age,
    human_duration,
    label_selector,
    since,
)
from reconciler.api.tables.workload import TEMPLATE, template_cells
from schemas.batch import CronJob, Job, JobSpec

_ENDINGS = (("Complete", "Complete"), ("Failed", "Failed"))
_STATES = (
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _state(job: Job) -> str:
    true = {condition.type for condition in job.status.conditions if condition.status == "True"}
    for condition, state in _ENDINGS:
        if condition in true:
            return state
    if job.metadata.deletion_timestamp is not None:
        return "Terminating"
    return next((state for condition, state in _STATES if condition in true), "Running")


def _completions(job: Job) -> str:
    spec, succeeded = job.spec, job.status.succeeded
    if spec.completions is not None:
        return f"{succeeded}/{spec.completions}"
    if (spec.parallelism or 0) > 1:
        return f"{succeeded}/1 of {spec.parallelism}"
    return f"{succeeded}/1"


def _duration(job: Job, now: datetime) -> str:
    status = job.status
    if status.start_time is None:
        return ""
    return human_duration(((status.completion_time or now) - status.start_time).total_seconds())


def _job(job: Job, now: datetime) -> tuple[Cell, ...]:
    return (
        job.metadata.name,
        _state(job),
        _completions(job),
        _duration(job, now),
        age(job, now),
        *template_cells(job.spec.template),
        label_selector(job.spec.selector),
    )


def _cron_job(cron_job: CronJob, now: datetime) -> tuple[Cell, ...]:
    spec, last = cron_job.spec, cron_job.status.last_schedule_time
    job: JobSpec | None = spec.job_template.spec
    return (
        cron_job.metadata.name,
        spec.schedule,
        spec.time_zone or NONE,
        str(bool(spec.suspend)),
        len(cron_job.status.active),
        since(last, now) if last else NONE,
        age(cron_job, now),
        *template_cells(job.template if job else None),
        label_selector(job.selector if job else None),
    )


JOB = Layout(
    (
        NAME,
        Column("Status", description="How far it is"),
        Column("Completions", description="Pods that succeeded, of those asked for"),
        Column("Duration", description="From its start to its completion, or to now"),
        AGE,
        *TEMPLATE,
    ),
    _job,
)
CRON_JOB = Layout(
    (
        NAME,
        Column("Schedule", description="When it starts Jobs, in cron's notation"),
        Column("Timezone", description="In which the schedule is read"),
        Column("Suspend", type="boolean", description="Whether it starts none just now"),
        Column("Active", type="integer", description="Jobs that run"),
        Column("Last Schedule", description="Time since it started one"),
        AGE,
        *TEMPLATE,
    ),
    _cron_job,
)
