"""What a Job asks about one of its pods: which index it has, whether it failed, when it ended, whether it is counted.

A pod bears the finalizer of tracking until it is counted in the status of its Job, and the commit that counts it
takes the finalizer off: so it is counted once, however often it is looked at
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.ownership import controller_reference, controls, orphans
from reconciler.store.changes import Update
from reconciler.store.view import View
from schemas import conditions, selectors
from schemas.batch import Job
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, OwnerReference

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
MANAGED_HERE = ("", "kubernetes.io/job-controller")
"""What `managedBy` says of a Job that this controller runs."""

NEVER = datetime.min.replace(tzinfo=UTC)


def is_indexed(job: Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def limits_each_index(job: Job) -> bool:
    return is_indexed(job) and job.spec.backoff_limit_per_index is not None


def replaces_only_failed(job: Job) -> bool:
    return job.spec.pod_replacement_policy == "Failed"


def tracked(pod: Pod) -> bool:
    """Whether it has not been counted yet."""
    return TRACKING in pod.metadata.finalizers


def index_of(pod: Pod) -> int | None:
    """The completion index, None where the pod has none that makes sense."""
    written = pod.metadata.annotations.get(INDEX, "")
    return int(written) if written.isdecimal() and len(written) <= 10 else None


def valid_index(pod: Pod, job: Job) -> int | None:
    """The completion index, None where it is not among those that the Job has."""
    index = index_of(pod)
    return index if index is not None and index < (job.spec.completions or 0) else None


def failed(pod: Pod, job: Job) -> bool:
    """A pod that was told to end counts at once as failed, unless the Job waits until it has."""
    if pod.status.phase == "Failed":
        return True
    ending = pod.metadata.deletion_timestamp is not None and pod.status.phase != "Succeeded"
    return ending and not replaces_only_failed(job)


def failures(pod: Pod) -> int:
    """How often the pods of this index before this one failed, as far as it counts."""
    return _number(pod, FAILURES)


def ignored_failures(pod: Pod) -> int:
    return _number(pod, IGNORED_FAILURES)


def all_failures(pod: Pod) -> int:
    return failures(pod) + ignored_failures(pod)


def _number(pod: Pod, annotation: str) -> int:
    written = pod.metadata.annotations.get(annotation, "0")
    return int(written) if written.isdecimal() and len(written) <= 10 else 0


def finished_at(pod: Pod) -> datetime:
    """When the pod ended: its last container, else when it was no longer ready, else when it was told to."""
    ended = [status.state.terminated if status.state else None for status in pod.status.container_statuses]
    times = [one.finished_at for one in ended if one is not None and one.finished_at is not None]
    if ended and len(times) == len(ended):
        return max(times)
    ready = conditions.find(pod.status.conditions, "Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time is not None:
        return ready.last_transition_time
    told = pod.metadata.deletion_timestamp
    if told is not None:
        return told - timedelta(seconds=pod.metadata.deletion_grace_period_seconds or 0)
    return pod.metadata.creation_timestamp or NEVER


# Whose they are


def claimed(job: Job, view: View) -> tuple[tuple[Pod, ...], tuple[Update, ...]]:
    """The pods of the Job as they will be after the changes, which adopt and release.

    Other than elsewhere, pods that have ended are adopted: they may have to be counted.
    """
    dying = job.metadata.deletion_timestamp is not None
    owned: list[Pod] = []
    changes: list[Update] = []
    for pod in view.owned_by(Pod, job.metadata.uid):
        if not controls(job, pod):
            continue
        if selectors.matches(job.spec.selector, pod.metadata.labels):
            owned.append(pod)
        elif not dying and pod.metadata.deletion_timestamp is None:
            changes.append(Update(_released(pod, job)))
    for pod in () if dying else orphans(Pod, job.metadata.namespace, job.spec.selector, view):
        if pod.metadata.deletion_timestamp is None and selectors.matches(job.spec.selector, pod.metadata.labels):
            adopted = _with(_adopted(pod.metadata, controller_reference(job)), pod)
            owned.append(adopted)
            changes.append(Update(adopted))
    return tuple(owned), tuple(changes)


def _adopted(metadata: ObjectMeta, owner: OwnerReference) -> ObjectMeta:
    finalizers = metadata.finalizers if TRACKING in metadata.finalizers else (*metadata.finalizers, TRACKING)
    return structs.replace(metadata, owner_references=(*metadata.owner_references, owner), finalizers=finalizers)


def _released(pod: Pod, owner: Job) -> Pod:
    others = tuple(one for one in pod.metadata.owner_references if one.uid != owner.metadata.uid)
    return untracked(_with(structs.replace(pod.metadata, owner_references=others), pod))


def untracked(pod: Pod) -> Pod:
    """The pod without the finalizer: it has been counted, or is not to be."""
    finalizers = tuple(one for one in pod.metadata.finalizers if one != TRACKING)
    return _with(structs.replace(pod.metadata, finalizers=finalizers), pod)


def _with(metadata: ObjectMeta, pod: Pod) -> Pod:
    return structs.replace(pod, metadata=metadata)


# Which of them are too many


def surplus(job: Job, pods: Sequence[Pod], least: int) -> tuple[Pod, ...]:
    """The active pods that must go: those of no index or one twice in any case, and `least` at least."""
    doomed: list[Pod] = []
    left = list(pods)
    if is_indexed(job):
        doomed, left = _without_twins(job, pods)
    if len(doomed) < least:
        doomed += _by_worth(left)[: least - len(doomed)]
    return tuple(doomed)


def _without_twins(job: Job, pods: Sequence[Pod]) -> tuple[list[Pod], list[Pod]]:
    doomed: list[Pod] = []
    of_index: dict[int, list[Pod]] = {}
    for pod in pods:
        index = valid_index(pod, job)
        if index is None:
            doomed.append(pod)
        else:
            of_index.setdefault(index, []).append(pod)
    left: list[Pod] = []
    for index in sorted(of_index):
        *worse, best = _by_worth(of_index[index])
        doomed += worse
        left.append(best)
    return doomed, left


def _by_worth(pods: Iterable[Pod]) -> list[Pod]:
    """Those first that are missed least: without a node, pending, not ready, ready for a shorter time, newer."""
    return sorted(pods, key=cmp_to_key(_compare))


def _compare(one: Pod, other: Pod) -> int:
    mine, others = _worth(one), _worth(other)
    return (mine > others) - (mine < others)


def _worth(pod: Pod) -> tuple[bool, int, bool, float, int, float, str]:
    ready = podstate.ready_condition(pod)
    since = ready.last_transition_time if ready is not None else None
    restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
    created = pod.metadata.creation_timestamp
    return (
        bool(pod.spec.node_name),
        {"Unknown": 1, "Running": 2}.get(pod.status.phase, 0),
        ready is not None,
        -since.timestamp() if since is not None else float("-inf"),
        -restarts,
        -created.timestamp() if created is not None else float("-inf"),
        pod.metadata.uid,
    )
