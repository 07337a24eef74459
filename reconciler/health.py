"""How an object fares: whether what it asks for is there, is coming, or cannot come. Pure.

Read from the object's status at its present generation, as Argo CD and kstatus (Flux) read it
(https://argo-cd.readthedocs.io/en/stable/operator-manual/health/,
https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus). Nothing here looks at a clock: what may still
get well is Progressing, what says of itself that it does not is Degraded. Where the two projects differ, the one is
followed under which an object that others wait for cannot wait for them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from reconciler.controllers import podstate
from reconciler.store.view import View
from schemas import certificates, conditions
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.certificates import CertificateSigningRequest
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.kinds import BY_NAME
from schemas.meta import Object
from schemas.networking import Ingress
from schemas.policy import PodDisruptionBudget
from schemas.storage import StorageClass
from schemas.support.gaps import GAPS


class State(StrEnum):
    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"


class Health(msgspec.Struct, frozen=True):
    """`reason` says what is missing or wrong; of a Healthy object it may hold a note."""

    state: State
    reason: str = ""

    @property
    def is_healthy(self) -> bool:
        return self.state is State.HEALTHY


HEALTHY = Health(State.HEALTHY)
MISSING = Health(State.MISSING, "there is no such object")

NOT_ACTED_ON: Mapping[str, str] = MappingProxyType(
    {
        kind: gap.reason
        for gap in GAPS
        if gap.only is None and (kind := gap.field.removesuffix(".spec")) in BY_NAME and gap.field != kind
    }
)
"""Kinds that are stored and no more, by name, and why: nothing would ever make them well."""


def health(object_: Object | None, view: View) -> Health:
    """How the object fares at its present generation; `view` tells of the pods and classes behind it."""
    if object_ is None:
        return MISSING
    if object_.metadata.deletion_timestamp is not None:
        return _progressing("being deleted")
    if note := NOT_ACTED_ON.get(object_.kind):
        return Health(State.HEALTHY, note)
    return judged(object_, view)


def is_well_when_stored(kind: str) -> bool:
    """Whether an object of this kind is Healthy as soon as it is there."""
    return kind in NOT_ACTED_ON or BY_NAME[kind].type not in _RULES


def judged(object_: Object, view: View) -> Health:
    """What its status says, whether anybody here acts on its kind or not."""
    rule = _RULES.get(type(object_))
    return HEALTHY if rule is None else rule(object_, view)


def _progressing(reason: str) -> Health:
    return Health(State.PROGRESSING, reason)


def _degraded(reason: str) -> Health:
    return Health(State.DEGRADED, reason)


_JUST_CHANGED = _progressing("just changed")


# Pods


def cause(pod: Pod) -> str:
    """Why the pod is not ready, as far as it says; empty for one that is, or only starts."""
    if podstate.ready(pod):
        return ""
    placed = conditions.find(pod.status.conditions, "PodScheduled")
    if placed is not None and placed.status == "False":
        return _said(placed.reason, placed.message)
    for status in _statuses(pod):
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason not in ("", "ContainerCreating", "PodInitializing"):
            return _said(waiting.reason, waiting.message)
    return ""


def _said(reason: str, message: str) -> str:
    return f"{reason}: {message}" if reason and message else reason or message


def _statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    return (*pod.status.init_container_statuses, *pod.status.container_statuses)


def _pod(pod: Pod, view: View) -> Health:
    if pod.status.phase == "Succeeded":
        return HEALTHY
    if pod.status.phase == "Failed":
        return _degraded(_failure(pod))
    if podstate.ready(pod):
        return HEALTHY
    reason = cause(pod)
    return _degraded(reason) if _is_stuck(pod) else _progressing(reason or "not ready")


def _is_stuck(pod: Pod) -> bool:
    """A container waits for something that has failed already (`ErrImagePull`, `CrashLoopBackOff`, …)."""
    return any(
        waiting.reason.startswith("Err") or waiting.reason.endswith(("Error", "BackOff", "InvalidImageName"))
        for status in _statuses(pod)
        if status.state and (waiting := status.state.waiting)
    )


def _failure(pod: Pod) -> str:
    if said := _said(pod.status.reason, pod.status.message):
        return said
    for status in _statuses(pod):
        ended = status.state.terminated if status.state else None
        if ended is not None and (ended.exit_code or ended.signal):
            text = f"container {status.name} ended with exit code {ended.exit_code}"
            return f"{text}: {ended.message}" if ended.message else text
    return "the pod has failed"


def _with_cause(reason: str, pods: Iterable[Pod]) -> Health:
    """Progressing, with what the first pod that is not ready says."""
    first = next((said for pod in pods if podstate.active(pod) and (said := cause(pod))), "")
    return _progressing(f"{reason}; {first}" if first else reason)


# Workloads


def _deployment(deployment: Deployment, view: View) -> Health:
    status, metadata = deployment.status, deployment.metadata
    if status.observed_generation < metadata.generation:
        return _JUST_CHANGED
    if deployment.spec.paused:
        return Health(State.SUSPENDED, "paused")
    sets = view.owned_by(ReplicaSet, metadata.uid)
    pods = (pod for one in sets for pod in view.owned_by(Pod, one.metadata.uid))
    wanted = _wanted(deployment.spec.replicas)
    reason = _short(wanted, ready=status.ready_replicas, updated=status.updated_replicas)
    reason = reason or _short(wanted, available=status.available_replicas)
    if not reason and status.replicas > wanted:
        reason = f"{status.replicas - wanted} old pods not gone yet"
    progress = conditions.find(status.conditions, "Progressing")
    if reason and progress is not None and progress.reason == "ProgressDeadlineExceeded":
        stuck = _with_cause(reason, pods).reason
        return _degraded(f"{progress.reason}: {stuck}")
    failure = _replica_failure(status.conditions) if reason else None
    return failure or (_with_cause(reason, pods) if reason else HEALTHY)


def _wanted(replicas: int | None) -> int:
    return 1 if replicas is None else replicas


def _short(wanted: int, **counted: int) -> str:
    """The first of the counts that is below what is wanted."""
    found = ((name, count) for name, count in counted.items() if count < wanted)
    name, count = next(found, ("", 0))
    return f"{count} of {wanted} pods {name}" if name else ""


def _replica_failure(found: Sequence[Any]) -> Health | None:
    failure = conditions.find(found, "ReplicaFailure")
    if failure is None or failure.status != "True":
        return None
    return _degraded(_said(failure.reason, failure.message))


def _replicas(owner: ReplicaSet | ReplicationController, view: View) -> Health:
    """A set of pods without a rollout."""
    status, metadata = owner.status, owner.metadata
    if status.observed_generation < metadata.generation:
        return _JUST_CHANGED
    wanted = _wanted(owner.spec.replicas)
    reason = _short(wanted, ready=status.ready_replicas, available=status.available_replicas)
    if not reason and status.replicas > wanted:
        reason = f"{status.replicas - wanted} pods too many"
    if not reason:
        return HEALTHY
    return _replica_failure(status.conditions) or _with_cause(reason, view.owned_by(Pod, metadata.uid))


def _stateful_set(one: StatefulSet, view: View) -> Health:
    status, spec = one.status, one.spec
    if status.observed_generation < one.metadata.generation:
        return _JUST_CHANGED
    wanted = _wanted(spec.replicas)
    reason = _short(wanted, ready=status.ready_replicas)
    if not reason and spec.update_strategy.type != "OnDelete":
        rolling = spec.update_strategy.rolling_update
        partition = (rolling.partition or 0) if rolling is not None else 0
        reason = _short(max(0, wanted - partition), updated=status.updated_replicas)
        if not reason and not partition and status.current_revision != status.update_revision:
            reason = "old pods not gone yet"
    reason = reason or _short(wanted, available=status.available_replicas)
    if not reason and status.replicas > wanted:
        reason = f"{status.replicas - wanted} pods too many"
    return _with_cause(reason, view.owned_by(Pod, one.metadata.uid)) if reason else HEALTHY


def _daemon_set(one: DaemonSet, view: View) -> Health:
    status = one.status
    if status.observed_generation < one.metadata.generation:
        return _JUST_CHANGED
    wanted = status.desired_number_scheduled
    reason = _short(wanted, ready=status.number_ready)
    if not reason and one.spec.update_strategy.type != "OnDelete":
        reason = _short(wanted, updated=status.updated_number_scheduled)
    reason = reason or _short(wanted, available=status.number_available)
    return _with_cause(reason, view.owned_by(Pod, one.metadata.uid)) if reason else HEALTHY


def _job(job: Job, view: View) -> Health:
    found = {one.type: one for one in job.status.conditions if one.status == "True"}
    if "Complete" in found:
        return HEALTHY
    for failed in ("Failed", "FailureTarget"):
        if failed in found:
            return _degraded(_said(found[failed].reason, found[failed].message) or "the Job has failed")
    if job.spec.suspend:
        return Health(State.SUSPENDED, "suspended")
    wanted = 1 if job.spec.completions is None else job.spec.completions
    reason = f"{job.status.succeeded} of {wanted} pods succeeded"
    return _with_cause(reason, view.owned_by(Pod, job.metadata.uid))


def _cron_job(one: CronJob, view: View) -> Health:
    return Health(State.SUSPENDED, "suspended") if one.spec.suspend else HEALTHY


# Storage, network, policy


def _claim(claim: PersistentVolumeClaim, view: View) -> Health:
    if claim.status.phase == "Bound":
        return HEALTHY
    if claim.status.phase == "Lost":
        return _degraded(f"its volume {claim.spec.volume_name} is gone")
    class_ = view.get(StorageClass, "", claim.spec.storage_class_name or "")
    if class_ is not None and class_.volume_binding_mode == "WaitForFirstConsumer":
        return Health(State.HEALTHY, "bound once a pod that uses it is placed")
    return _progressing("not bound to a volume yet")


def _volume(volume: PersistentVolume, view: View) -> Health:
    if volume.status.phase == "Failed":
        return _degraded(_said(volume.status.reason, volume.status.message) or "the volume has failed")
    return _progressing("not available yet") if volume.status.phase in ("", "Pending") else HEALTHY


def _service(service: Service, view: View) -> Health:
    balancer = service.status.load_balancer
    if service.spec.type == "LoadBalancer" and not (balancer and balancer.ingress):
        return _progressing("no address of a load balancer yet")
    return HEALTHY


def _ingress(ingress: Ingress, view: View) -> Health:
    balancer = ingress.status.load_balancer
    ports = [port for one in (balancer.ingress if balancer else ()) for port in one.ports]
    failed = next((port for port in ports if port.error), None)
    return _degraded(f"port {failed.port}: {failed.error}") if failed else HEALTHY


def _autoscaler(one: HorizontalPodAutoscaler, view: View) -> Health:
    for found in one.status.conditions:
        if found.status == "False" and found.reason.startswith(("Failed", "Invalid", "AmbiguousSelector")):
            return _degraded(_said(found.reason, found.message))
    able = conditions.find(one.status.conditions, "AbleToScale")
    return HEALTHY if able is not None and able.status == "True" else _progressing("no measurement yet")


def _budget(budget: PodDisruptionBudget, view: View) -> Health:
    status = budget.status
    if status.observed_generation < budget.metadata.generation:
        return _JUST_CHANGED
    allowed = conditions.find(status.conditions, "DisruptionAllowed")
    if allowed is not None and allowed.reason == "SyncFailed":
        return _degraded(_said(allowed.reason, allowed.message))
    reason = _short(status.desired_healthy, healthy=status.current_healthy)
    return _progressing(reason) if reason else HEALTHY


# The cluster


def _certificate_request(asked: CertificateSigningRequest, view: View) -> Health:
    for found in asked.status.conditions:
        if found.type in (certificates.DENIED, certificates.FAILED):
            return _degraded(_said(found.type, found.message))
    if asked.status.certificate:
        return HEALTHY
    is_approved = certificates.is_(asked, certificates.APPROVED)
    return _progressing("waits for its signer" if is_approved else "waits for approval")


def _namespace(namespace: Namespace, view: View) -> Health:
    return _progressing("being deleted") if namespace.status.phase == "Terminating" else HEALTHY


def _node(node: Node, view: View) -> Health:
    found = conditions.find(node.status.conditions, "Ready")
    if found is None:
        return _progressing("it has not reported yet")
    if found.status != "True":
        return _degraded(_said(found.reason, found.message))
    return Health(State.HEALTHY, "cordoned") if node.spec.unschedulable else HEALTHY


_RULES: Mapping[type[Object], Callable[[Any, View], Health]] = MappingProxyType(
    {
        CertificateSigningRequest: _certificate_request,
        CronJob: _cron_job,
        DaemonSet: _daemon_set,
        Deployment: _deployment,
        HorizontalPodAutoscaler: _autoscaler,
        Ingress: _ingress,
        Job: _job,
        Namespace: _namespace,
        Node: _node,
        PersistentVolume: _volume,
        PersistentVolumeClaim: _claim,
        Pod: _pod,
        PodDisruptionBudget: _budget,
        ReplicaSet: _replicas,
        ReplicationController: _replicas,
        Service: _service,
        StatefulSet: _stateful_set,
    }
)
"""Every other kind is well as soon as it is there."""
