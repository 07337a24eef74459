"""Job: pods that run to their end, as often as the spec asks for.

One plan is one commit: it makes or ends pods, counts those that have ended, takes their finalizers off and writes the
status, so that after a crash all of it is done or none. What is counted is in the status, what is not is in the pods;
nothing is remembered. The rules and words are those of the Kubernetes Job controller
(https://kubernetes.io/docs/concepts/workloads/controllers/job/).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers import jobmoves, podstate, replicaset
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.jobbackoff import annotated, continued, recorded
from reconciler.controllers.jobcount import counted
from reconciler.controllers.jobend import FAILED, SUSPENDED, final, outcome, reached, target, until_deadline
from reconciler.controllers.jobmoves import Moves
from reconciler.controllers.jobpods import MANAGED_HERE, claimed, limits_each_index, tracked, untracked
from reconciler.controllers.jobtally import Tally, tally
from reconciler.store.changes import Change, Create, Delete, Emit, Update, UpdateStatus
from reconciler.store.view import Event, View
from schemas import conditions, selectors
from schemas.batch import Job, JobCondition, JobStatus
from schemas.core.pod import Pod
from schemas.meta import Object, Ref, controller_of, ref_of

COMPONENT = "job-controller"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The Job itself; for a pod its Job, or the Jobs that might adopt it."""
    if isinstance(event.object, Job):
        return () if event.new is None else (ref_of(event.new),)
    if not isinstance(event.object, Pod):
        return ()
    found = set(_jobs_of(event.new, view)) if event.new is not None else set()
    if event.old is not None:
        found.update(_controlling(event.old))
    return found


def _controlling(pod: Object) -> Iterator[Ref]:
    owner = controller_of(pod)
    if owner is not None and owner.kind == "Job":
        yield Ref("Job", pod.metadata.namespace, owner.name)


def _jobs_of(pod: Object, view: View) -> Iterator[Ref]:
    if controller_of(pod) is not None:
        yield from _controlling(pod)
    elif pod.metadata.labels:
        for candidate in view.selecting(Job, pod.metadata.namespace, pod.metadata.labels):
            if selectors.matches(candidate.spec.selector, pod.metadata.labels):
                yield ref_of(candidate)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    job = view.get(Job, ref.namespace, ref.name)
    if job is None or job.spec.managed_by not in MANAGED_HERE or outcome(job) is not None:
        return NOTHING
    pods, adoptions = claimed(job, view)
    started = job
    if job.status.start_time is None and not job.spec.suspend:
        started = structs.replace(job, status=structs.replace(job.status, start_time=now))
    return _plan(job, tally(started, pods), adoptions, view, now)


def _plan(before: Job, found: Tally, adoptions: Iterable[Update], view: View, now: datetime) -> Plan:
    end = target(found, now)
    work = _moves(found, end, view, now)
    if work.rests and any(map(podstate.ready, found.active)):
        # As Kubernetes, whose API server refuses a status with more pods ready than active: see `_with_pods`.
        return Plan((), _soonest(work.wait, until_deadline(found.job, now)))
    # Pods that go for scale alone count neither as failed nor as anything else.
    unwanted = work.ended if end is None else ()
    active = len(found.active) - len(work.ended) + len(work.made)
    end = end or reached(found, active, now)
    ends = end is not None and not active
    leave = frozenset(pod.metadata.uid for pod in unwanted)
    count = counted(found, ends=ends, well=end is not None and end.type != "FailureTarget", leave=leave)
    status = _with_pods(count.status, found, work)
    told: list[Change] = []
    if end is not None and ends:
        status, told = _ended(found.job, status, end, count.complete, now)
    elif end is None and found.job.metadata.deletion_timestamp is None:
        status, told = _suspended_or_not(found.job, status, now)
    free = (*count.done_with, *(pod for pod in unwanted if tracked(pod)))
    changes: list[Change] = [*adoptions, *(Update(untracked(pod)) for pod in free), *_pod_changes(found.job, work)]
    if end is None and not limits_each_index(before):
        remembering = annotated(before, continued(recorded(before), before, count.fresh))
        changes += [Update(remembering)] if remembering != before else []
    if status != before.status:
        changes.append(UpdateStatus(structs.replace(before, status=status)))
    wait = _soonest(work.wait, until_deadline(found.job, now)) if end is None else None
    return Plan((*changes, *told), wait)


def _soonest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _moves(found: Tally, end: JobCondition | None, view: View, now: datetime) -> Moves:
    if end is not None:
        return Moves(ended=found.active[: jobmoves.BURST])
    if found.job.metadata.deletion_timestamp is not None:
        return Moves()
    return jobmoves.moves(found, view, now)


def _with_pods(status: JobStatus, found: Tally, work: Moves) -> JobStatus:
    """The counts of those that run, as they are after the plan: a pod without a node is gone as soon as it is told."""
    gone = {pod.metadata.uid for pod in work.ended}
    ready = sum(podstate.ready(pod) for pod in found.active if pod.metadata.uid not in gone)
    active = len(found.active) - len(gone) + len(work.made)
    return structs.replace(
        status,
        # As Kubernetes: while a Job waits after a failure, none of its pods counts as active.
        active=0 if work.rests else active,
        ready=ready,
        terminating=len(found.ending) + sum(bool(pod.spec.node_name) for pod in work.ended),
    )


def _pod_changes(job: Job, work: Moves) -> Iterator[Change]:
    for pod in work.made:
        yield Create(pod)
        yield Emit(job, "Normal", "SuccessfulCreate", f"Created pod: {pod.metadata.name}", COMPONENT)
    if work.refusal:
        yield Emit(job, "Warning", replicaset.FAILED, f"Error creating: {work.refusal}", COMPONENT)
    for pod in work.ended:
        yield Delete(ref_of(pod), uid=pod.metadata.uid)
        yield Emit(job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}", COMPONENT)


def _ended(
    job: Job, status: JobStatus, end: JobCondition, complete: bool, now: datetime
) -> tuple[JobStatus, list[Change]]:
    """Says that the Job is to end and, where nothing of it is left to wait for, that it has."""
    known = conditions.find(status.conditions, end.type)
    said = status.conditions if known == end else conditions.updated(status.conditions, end)
    if not complete or status.terminating:
        return structs.replace(status, conditions=said), []
    last = final(end, now)
    status = structs.replace(status, conditions=conditions.updated(said, last))
    if last.type == FAILED:
        return status, [Emit(job, "Warning", last.reason, last.message, COMPONENT)]
    told: list[Change] = [Emit(job, "Normal", "Completed", "Job completed", COMPONENT)]
    if job.spec.completions is not None and status.succeeded > job.spec.completions:
        text = "Too many succeeded pods running after completion count reached"
        told.insert(0, Emit(job, "Warning", "TooManySucceededPods", text, COMPONENT))
    return structs.replace(status, completion_time=now), told


def _suspended_or_not(job: Job, status: JobStatus, now: datetime) -> tuple[JobStatus, list[Change]]:
    """A Job that is resumed starts anew: the time that it rested does not count against its deadline."""
    known = conditions.find(status.conditions, SUSPENDED)
    wanted = "True" if job.spec.suspend else "False"
    if (known.status if known is not None else "False") == wanted:
        return status, []
    reason, text = ("Suspended", "Job suspended") if job.spec.suspend else ("Resumed", "Job resumed")
    said = JobCondition(
        wanted, SUSPENDED, last_probe_time=now, last_transition_time=now, reason=f"Job{reason}", message=text
    )
    status = structs.replace(
        status,
        conditions=conditions.updated(status.conditions, said),
        start_time=None if job.spec.suspend else now,
    )
    return status, [Emit(job, "Normal", reason, text, COMPONENT)]


CONTROLLER = Controller("job", concerns, reconcile)
