"""When a Job is over, and the conditions that say so.

First the Job is told to end (`FailureTarget`, `SuccessCriteriaMet`), once no pod of it is left that runs or ends it has
ended (`Failed`, `Complete`): whoever replaces a failed Job then never has two of them at work
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions).
"""

from datetime import datetime

from reconciler.controllers.jobpolicies import failure_of_the_job, success_of_the_job
from reconciler.controllers.jobtally import Tally
from schemas import conditions
from schemas.batch import Job, JobCondition

FAILURE_TARGET, FAILED = "FailureTarget", "Failed"
SUCCESS_TARGET, COMPLETE = "SuccessCriteriaMet", "Complete"
SUSPENDED = "Suspended"


def condition(type_: str, reason: str, message: str, now: datetime) -> JobCondition:
    return JobCondition("True", type_, last_probe_time=now, last_transition_time=now, reason=reason, message=message)


def is_true(job: Job, type_: str) -> bool:
    found = conditions.find(job.status.conditions, type_)
    return found is not None and found.status == "True"


def outcome(job: Job) -> JobCondition | None:
    """`Complete` or `Failed`, of a Job that has ended."""
    return next((one for one in job.status.conditions if one.type in (COMPLETE, FAILED) and one.status == "True"), None)


def final(target: JobCondition, now: datetime) -> JobCondition:
    """What follows from the target when all pods are gone or counted."""
    type_ = FAILED if target.type == FAILURE_TARGET else COMPLETE
    return condition(type_, target.reason, target.message, now)


def target(found: Tally, now: datetime) -> JobCondition | None:
    """Why the Job is to end while pods of it may still run: what was said before, else the first reason there is."""
    for said in (SUCCESS_TARGET, FAILURE_TARGET):
        before = conditions.find(found.job.status.conditions, said)
        if before is not None and before.status == "True":
            return before
    if failure := _failure(found, now):
        return condition(FAILURE_TARGET, *failure, now)
    if found.completed is not None and (message := success_of_the_job(found.job, found.completed)):
        return condition(SUCCESS_TARGET, "SuccessPolicy", message, now)
    return None


def _failure(found: Tally, now: datetime) -> tuple[str, str] | None:
    """Reason and message."""
    job = found.job
    if message := failure_of_the_job(job, found.pods):
        return "PodFailurePolicy", message
    limit = 6 if job.spec.backoff_limit is None else job.spec.backoff_limit
    if found.failed > limit or _restarted_too_often(found, limit):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    if until_deadline(job, now) == 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return _failed_indexes(found)


def _failed_indexes(found: Tally) -> tuple[str, str] | None:
    if not found.failed_indexes or found.completed is None:
        return None
    spec, number = found.job.spec, len(found.failed_indexes)
    if spec.max_failed_indexes is not None and number > spec.max_failed_indexes:
        return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
    if number + len(found.completed) >= (spec.completions or 0):
        return "FailedIndexes", "Job has failed indexes"
    return None


def _restarted_too_often(found: Tally, limit: int) -> bool:
    """Pods that are restarted in place fail without ending."""
    template = found.job.spec.template.spec
    if template is None or template.restart_policy != "OnFailure":
        return False
    restarts = sum(
        status.restart_count
        for pod in found.pods
        if pod.status.phase in ("", "Pending", "Running")
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def until_deadline(job: Job, now: datetime) -> float | None:
    """Seconds that the Job may still take (0: none), None where there is no limit or it does not run."""
    limit, start = job.spec.active_deadline_seconds, job.status.start_time
    if limit is None or start is None or job.spec.suspend:
        return None
    return max(0.0, limit - (now - start).total_seconds())


def reached(found: Tally, active: int, now: datetime) -> JobCondition | None:
    """The target of a Job that has succeeded as often as it had to, when no pod of it runs any more."""
    completions = found.job.spec.completions
    enough = found.succeeded > 0 if completions is None else found.succeeded >= completions
    if active or not enough:
        return None
    return condition(SUCCESS_TARGET, "CompletionsReached", "Reached expected number of succeeded pods", now)
