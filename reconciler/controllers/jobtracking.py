"""Pods that no Job will ever count lose the finalizer of tracking, so that they can go.

Their Job has been deleted, or they belong to none. A pod without a controller that a Job is about to adopt keeps it
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers).
"""

from collections.abc import Iterable
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.controllers.jobend import outcome
from reconciler.controllers.jobpods import tracked, untracked
from reconciler.store.changes import Update
from reconciler.store.view import Event, View
from schemas import selectors
from schemas.batch import Job
from schemas.core.pod import Pod
from schemas.meta import Ref, controller_of, ref_of


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A pod with the finalizer that no Job has; of a deleted Job its pods."""
    if isinstance(event.new, Pod) and tracked(event.new) and not _is_expected(event.new, view):
        return (ref_of(event.new),)
    if event.new is None and isinstance(event.old, Job):
        return tuple(ref_of(pod) for pod in view.owned_by(Pod, event.old.metadata.uid) if tracked(pod))
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    pod = view.get(Pod, ref.namespace, ref.name)
    if pod is None or not tracked(pod) or _is_expected(pod, view):
        return NOTHING
    return Plan((Update(untracked(pod)),))


def _is_expected(pod: Pod, view: View) -> bool:
    """Whether a Job counts the pod, or will. One that is run from elsewhere sees to its pods from there."""
    owner = controller_of(pod)
    if owner is None:
        going = pod.metadata.deletion_timestamp is not None
        jobs = () if going else view.selecting(Job, pod.metadata.namespace, pod.metadata.labels)
        return any(selectors.matches(job.spec.selector, pod.metadata.labels) for job in jobs)
    job = view.get(Job, pod.metadata.namespace, owner.name) if owner.kind == "Job" else None
    return job is not None and job.metadata.uid == owner.uid and outcome(job) is None


CONTROLLER = Controller("jobtracking", concerns, reconcile)
