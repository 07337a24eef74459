"""TTL after finished: a Job that says how long it is kept when it has ended is deleted then, its pods before it.

https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/. A Job that the folder declares would be
made again at once, and run again, each time: of such a one only the pods are deleted, and the Job stays as the record
that it has run. Nothing waits but for the one moment.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.jobend import outcome
from reconciler.provenance import SOURCE
from reconciler.store.changes import Change, Delete
from reconciler.store.view import Event, View
from schemas.batch import Job
from schemas.core.pod import Pod
from schemas.meta import Ref, controller_of, ref_of


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A Job that has a limit."""
    if isinstance(event.new, Job) and event.new.spec.ttl_seconds_after_finished is not None:
        return (ref_of(event.new),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    job = view.get(Job, ref.namespace, ref.name)
    if job is None or job.metadata.deletion_timestamp is not None:
        return NOTHING
    left = _left(job, now)
    if left is None or left > 0:
        return Plan(requeue_after=left)
    if _is_declared(job):
        pods = (pod for pod in view.owned_by(Pod, job.metadata.uid) if pod.metadata.deletion_timestamp is None)
        changes: tuple[Change, ...] = tuple(Delete(ref_of(pod), uid=pod.metadata.uid) for pod in pods)
        return Plan(changes)
    # The version is a condition: with a new limit it may have been given more time.
    metadata = job.metadata
    return Plan((Delete(ref, uid=metadata.uid, resource_version=metadata.resource_version, foreground=True),))


def _is_declared(job: Job) -> bool:
    """Whether a file of the folder says that it shall be there. What a CronJob makes bears the file of its owner."""
    return SOURCE in job.metadata.annotations and controller_of(job) is None


def _left(job: Job, now: datetime) -> float | None:
    """Seconds until the Job goes; None where it stays, or has not ended."""
    limit, end = job.spec.ttl_seconds_after_finished, outcome(job)
    if limit is None or end is None or end.last_transition_time is None:
        return None
    return (end.last_transition_time + timedelta(seconds=limit) - now).total_seconds()


CONTROLLER = Controller("ttlafterfinished", concerns, reconcile)
