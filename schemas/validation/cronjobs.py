"""Rules of CronJobs."""

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas import cron
from schemas.batch import CronJob, JobSpec, JobTemplateSpec
from schemas.core.pod import PodTemplateSpec
from schemas.faults import Path
from schemas.validation import metadata
from schemas.validation.jobs import job_spec
from schemas.validation.report import Faults, at_least, invalid, one_of, required, unsupported

_SPEC: Path = ("spec",)
_LONGEST_NAME = 52
"""Characters. A Job's name has eleven more, for the minute that it is due, and is a label."""

_LONGEST_ZONE = 64
"""Characters, twice as many as the longest name of a time zone has."""

_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)


def cron_job(declared: CronJob) -> Faults:
    spec, name = declared.spec, declared.metadata.name
    if len(name) > _LONGEST_NAME:
        yield invalid(("metadata", "name"), name, f"must be no more than {_LONGEST_NAME} characters")
    yield from _schedule((*_SPEC, "schedule"), spec.schedule)
    yield from at_least((*_SPEC, "startingDeadlineSeconds"), spec.starting_deadline_seconds)
    if spec.time_zone is not None:
        yield from _zone((*_SPEC, "timeZone"), spec.time_zone)
    yield from one_of((*_SPEC, "concurrencyPolicy"), spec.concurrency_policy, ("Allow", "Forbid", "Replace"))
    yield from _job_template((*_SPEC, "jobTemplate"), spec.job_template)
    yield from at_least((*_SPEC, "successfulJobsHistoryLimit"), spec.successful_jobs_history_limit)
    yield from at_least((*_SPEC, "failedJobsHistoryLimit"), spec.failed_jobs_history_limit)


def _schedule(path: Path, schedule: str) -> Faults:
    if not schedule:
        yield required(path)
    elif "TZ" in schedule:
        sentence = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield invalid(path, schedule, sentence)
    else:
        try:
            cron.parse(schedule)
        except ValueError as error:
            yield invalid(path, schedule, str(error))


def _zone(path: Path, name: str) -> Faults:
    if not name:
        yield invalid(path, name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        sentence = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield invalid(path, name, sentence)
    elif not _is_zone(name):
        yield invalid(path, name, f"unknown time zone {name}")


@lru_cache(maxsize=256)
def _is_zone(name: str) -> bool:
    if len(name) > _LONGEST_ZONE:
        return False
    for part in name.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return False
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError):  # OSError: a folder of the database.
        return False
    return True


def _job_template(path: Path, declared: JobTemplateSpec) -> Faults:
    meta = declared.metadata
    if meta is not None:
        yield from metadata.labels((*path, "metadata", "labels"), meta.labels)
        yield from metadata.annotations((*path, "metadata", "annotations"), meta.annotations)
    spec = declared.spec or JobSpec(template=PodTemplateSpec())
    yield from job_spec((*path, "spec"), spec)
    if spec.selector is not None:
        yield invalid((*path, "spec", "selector"), spec.selector, "`selector` will be auto-generated")
    if spec.manual_selector:
        yield unsupported((*path, "spec", "manualSelector"), True, ("nil", "false"))
