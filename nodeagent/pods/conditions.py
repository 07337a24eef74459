"""The conditions of a pod that its node decides.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from nodeagent.pods.resources import is_sidecar
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus, PodCondition


class Progress(msgspec.Struct, frozen=True):
    """What the conditions are made of."""

    pod: Pod
    phase: str
    inits: tuple[ContainerStatus, ...]
    mains: tuple[ContainerStatus, ...]
    has_sandbox: bool
    resetting: bool = False
    """All containers begin anew, because of how one ended."""
    disruption: str = ""
    """Why the node has ended the pod."""
    resize: tuple[PodCondition, ...] = ()
    """What is told of a resize that is not done."""


def conditions(
    progress: Progress, now: datetime, start_time: datetime, before: Iterable[PodCondition]
) -> tuple[PodCondition, ...]:
    """In the kubelet's order. A condition keeps its transition time while its status stays."""
    earlier = {condition.type: condition for condition in before}
    containers_ready = _containers_ready(progress)
    ended_by_node = PodCondition(
        type="DisruptionTarget", status="True", reason="TerminationByKubelet", message=progress.disruption
    )
    fresh = (
        *progress.resize,
        *((ended_by_node,) if progress.disruption else ()),
        *((PodCondition(type="AllContainersRestarting", status="True"),) if progress.resetting else ()),
        PodCondition(type="PodReadyToStartContainers", status=_text(progress.has_sandbox)),
        _initialized(progress),
        _ready(progress, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
    )
    return tuple(_timed(one, earlier.get(one.type), progress, now, start_time) for one in fresh)


def _timed(
    condition: PodCondition, before: PodCondition | None, progress: Progress, now: datetime, start_time: datetime
) -> PodCondition:
    since = start_time if condition.type == "PodScheduled" else now
    if before is not None and before.status == condition.status and before.last_transition_time is not None:
        since = before.last_transition_time
    return replace(condition, last_transition_time=since, observed_generation=progress.pod.metadata.generation)


def _text(value: bool) -> str:
    return "True" if value else "False"


def _initialized(progress: Progress) -> PodCondition:
    if progress.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if any(one.state and (one.state.running or one.state.terminated) for one in progress.mains):
        return PodCondition(type="Initialized", status="True")
    incomplete = [
        status.name
        for container, status in zip(progress.pod.spec.init_containers, progress.inits, strict=True)
        if not (status.started if is_sidecar(progress.pod, container) else status.ready)
    ]
    if not incomplete:
        return PodCondition(type="Initialized", status="True")
    return PodCondition(
        type="Initialized",
        status="False",
        reason="ContainersNotInitialized",
        message=f"containers with incomplete status: {_names(incomplete)}",
    )


def _containers_ready(progress: Progress) -> PodCondition:
    final = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(progress.phase)
    if final:
        return PodCondition(type="ContainersReady", status="False", reason=final)
    sidecars = (
        status
        for container, status in zip(progress.pod.spec.init_containers, progress.inits, strict=True)
        if is_sidecar(progress.pod, container)
    )
    unready = [status.name for status in (*sidecars, *progress.mains) if not status.ready]
    if not unready:
        return PodCondition(type="ContainersReady", status="True")
    return PodCondition(
        type="ContainersReady",
        status="False",
        reason="ContainersNotReady",
        message=f"containers with unready status: {_names(unready)}",
    )


def _ready(progress: Progress, containers_ready: PodCondition) -> PodCondition:
    """Ready when the containers are, and every readiness gate is open."""
    if containers_ready.status != "True":
        return replace(containers_ready, type="Ready")
    given = {condition.type: condition.status for condition in progress.pod.status.conditions}
    faults = []
    for gate in progress.pod.spec.readiness_gates:
        if gate.condition_type not in given:
            faults.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif given[gate.condition_type] != "True":
            faults.append(
                f'the status of pod readiness gate "{gate.condition_type}" is not "True", '
                f"but {given[gate.condition_type]}"
            )
    if not faults:
        return PodCondition(type="Ready", status="True")
    return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(faults))


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"
