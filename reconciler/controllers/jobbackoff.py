"""How long a Job waits before it makes a pod in the place of one that failed.

Ten seconds after the first failure, twice as long after each further one, ten minutes at most; a success begins anew
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy). Kubernetes remembers the
failures in memory. Here they are an annotation of the Job, written in the commit that counts the pods, so that neither
a restart of the reconciler nor a pod that is gone shortens a wait. Where each index has its own limit, the pod that
failed last stays until it is replaced, and says it all.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import structs

from reconciler.controllers.jobpods import NEVER, all_failures, failed, finished_at, valid_index
from schemas.batch import Job
from schemas.core.pod import Pod

ANNOTATION = "wherry.dev/job-back-off"
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0
_DOUBLINGS = 6
"""After these the longest wait is reached."""
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Failures(msgspec.Struct, frozen=True):
    """Those since the last success."""

    number: int = 0
    last: datetime = NEVER

    def __str__(self) -> str:
        return f"{self.number} {self.last.astimezone(UTC).strftime(_FORMAT)}" if self.number else ""


def recorded(job: Job) -> Failures:
    """By the annotation; none where it says nothing, or what nobody here has written."""
    number, _, last = job.metadata.annotations.get(ANNOTATION, "").partition(" ")
    if not (number.isdecimal() and len(number) < 10):
        return Failures()
    try:
        return Failures(int(number), datetime.strptime(last, _FORMAT).replace(tzinfo=UTC))
    except ValueError:
        return Failures()


def continued(before: Failures, job: Job, ended: Iterable[Pod]) -> Failures:
    """With pods that have ended since."""
    pods = tuple(ended)
    successes = [finished_at(pod) for pod in pods if pod.status.phase == "Succeeded"]
    failures = [finished_at(pod) for pod in pods if failed(pod, job)]
    if successes:
        before, failures = Failures(), [when for when in failures if when >= max(successes)]
    if not failures:
        return before
    return Failures(before.number + len(failures), max(failures))


def annotated(job: Job, failures: Failures) -> Job:
    """The Job that remembers them."""
    others = {key: value for key, value in job.metadata.annotations.items() if key != ANNOTATION}
    if failures.number:
        others[ANNOTATION] = str(failures)
    return structs.replace(job, metadata=structs.replace(job.metadata, annotations=others))


def wait(failures: Failures, now: datetime) -> float:
    """Seconds until a Job whose indexes are not looked at one by one may make a pod; 0: now."""
    return _left(failures.number, failures.last, now) if failures.number else 0.0


def due_indexes(
    missing: Sequence[int], replaced: Mapping[int, Pod], now: datetime
) -> tuple[tuple[int, ...], float | None]:
    """Of the missing indexes those that may have a pod now, and the seconds until the next of the others may."""
    waits = {index: index_wait(replaced.get(index), now) for index in missing}
    later = [left for left in waits.values() if left > 0]
    return tuple(index for index, left in waits.items() if left <= 0), min(later, default=None)


def index_wait(replaced: Pod | None, now: datetime) -> float:
    """Seconds until the pod that failed last of an index may be replaced."""
    return 0.0 if replaced is None else _left(all_failures(replaced) + 1, finished_at(replaced), now)


def _left(failures: int, last: datetime, now: datetime) -> float:
    whole = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(_DOUBLINGS, failures - 1))
    return max(0.0, whole - (now - last).total_seconds())


def replaceable(job: Job, pods: Iterable[Pod]) -> dict[int, Pod]:
    """Of each index the pod that failed last."""
    found: dict[int, Pod] = {}
    for pod in pods:
        index = valid_index(pod, job)
        if index is None or not failed(pod, job):
            continue
        before = found.get(index)
        if before is None or (all_failures(before), finished_at(before)) <= (all_failures(pod), finished_at(pod)):
            found[index] = pod
    return found
