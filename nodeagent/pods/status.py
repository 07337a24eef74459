"""A pod's status, to the letter of the kubelet: containers, phase; `conditions` has the conditions.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import field
from msgspec.structs import replace

from nodeagent.pods.actions import REJECTED, Decision, Failure
from nodeagent.pods.conditions import Progress, conditions
from nodeagent.pods.fieldpaths import PodFacts, pod_ips
from nodeagent.pods.resizing import conditions as resize_conditions
from nodeagent.pods.resizing import given
from nodeagent.pods.resources import debuggers, is_sidecar
from nodeagent.pods.situation import Situation
from nodeagent.runtime.interface import Container as Instance
from nodeagent.runtime.interface import State
from schemas.core.container import Container, ResourceRequirements, VolumeMount
from schemas.core.pod import Pod
from schemas.core.podstatus import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    PodIP,
    PodStatus,
    VolumeMountStatus,
)
from schemas.qos import qos_class

EVICTED, TERMINATED = "Evicted", "Terminated"
"""Why a node ends a pod by itself."""
GOING_DOWN = Failure(TERMINATED, "Pod was terminated in response to imminent node shutdown.")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a container began that could not be started, as containerd tells the kubelet."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What the status tells beside the situation: what was decided, and what only files and clocks can say.

    `messages`: of ended containers, by id. `before`: the status before this one, for its transition times.
    """

    decision: Decision
    facts: PodFacts
    now: datetime
    start_time: datetime
    messages: Mapping[str, str] = field(default_factory=dict)
    before: PodStatus = field(default_factory=PodStatus)


def status_of(situation: Situation, story: Story) -> PodStatus:
    """Everything is computed afresh; only times of conditions that did not change are kept. They are whole seconds."""
    story = replace(story, now=story.now.replace(microsecond=0), start_time=story.start_time.replace(microsecond=0))
    pod, observed, decision = situation.pod, situation.observed, story.decision
    if decision.failure and decision.failure.message.startswith(REJECTED):
        return _rejected(pod, story, decision.failure)
    inits = tuple(_container(situation, story, container) for container in pod.spec.init_containers)
    mains = tuple(_container(situation, story, container) for container in pod.spec.containers)
    phase = "Failed" if decision.failure and decision.ended else phase_of(pod, inits, mains, decision.ended)
    resetting = situation.memory.resetting and not decision.ended
    if resetting:
        phase = "Running"  # its containers begin anew, but the pod goes on
    sandbox = observed.sandbox
    ips = pod_ips(story.facts)
    if not ips and decision.ended:
        ips = tuple(one.ip for one in story.before.pod_ips)  # the address that it had is still told
    has_sandbox = sandbox is not None and sandbox.ready and sandbox.id not in situation.memory.stopped_sandboxes
    failure = decision.failure if phase == "Failed" else None
    disruption = failure.message if failure and failure.reason in (EVICTED, TERMINATED) else ""
    if situation.going_down is not None and failure is None:
        failure = GOING_DOWN
    resize = resize_conditions(situation.memory.resize, situation.memory.resize_error)
    progress = Progress(pod, phase, inits, mains, has_sandbox, resetting, disruption, resize)
    hosts = story.facts.node.addresses
    return PodStatus(
        conditions=conditions(progress, story.now, story.start_time, story.before.conditions),
        container_statuses=mains,
        ephemeral_container_statuses=tuple(
            replace(_container(situation, story, container), ready=False, started=None) for container in debuggers(pod)
        ),
        init_container_statuses=inits,
        host_ip=hosts[0] if hosts else "",
        host_ips=tuple(HostIP(address) for address in hosts),
        message=failure.message if failure else "",
        observed_generation=pod.metadata.generation,
        phase=phase,
        pod_ip=ips[0] if ips else "",
        pod_ips=tuple(PodIP(address) for address in ips),
        qos_class=qos_class(pod),
        reason=failure.reason if failure else "",
        resources=pod.spec.resources or ResourceRequirements(),
        start_time=story.start_time,
    )


def _rejected(pod: Pod, story: Story, failure: Failure) -> PodStatus:
    """Of one that the node did not take: nothing of it has ever begun."""
    placed = conditions(Progress(pod, "Failed", (), (), False), story.now, story.start_time, story.before.conditions)
    return PodStatus(
        conditions=tuple(one for one in placed if one.type == "PodScheduled"),
        message=failure.message,
        observed_generation=pod.metadata.generation,
        phase="Failed",
        qos_class=qos_class(pod),
        reason=failure.reason,
        start_time=story.start_time,
    )


def _container(situation: Situation, story: Story, container: Container) -> ContainerStatus:
    latest = situation.observed.latest(container.name)
    state, last = _states(situation, story, container, latest)
    running = latest is not None and state.running is not None
    started = running and latest is not None and situation.is_started(latest)
    resize = situation.memory.resize
    granted = resize.kept.get(container.name, container.resources) if resize else container.resources
    return ContainerStatus(
        allocated_resources=granted.requests,
        container_id=f"{story.facts.node.scheme}://{latest.id}" if latest else "",
        image=_image(container, latest),
        image_id=latest.image_id if latest else "",
        last_state=last,
        name=container.name,
        ready=_is_ready(situation, container, latest, state, started),
        resources=given(container, latest, situation.memory.given) if running and latest else granted,
        restart_count=latest.attempt if latest else max(situation.memory.of(container.name).attempts - 1, 0),
        started=started,
        state=state,
        stop_signal=container.lifecycle.stop_signal if container.lifecycle else "",
        volume_mounts=tuple(
            VolumeMountStatus(one.mount_path, one.name, one.read_only, _read_only_below(one))
            for one in container.volume_mounts
        ),
    )


def _read_only_below(mount: VolumeMount) -> str:
    if not mount.read_only:
        return ""
    return "Enabled" if mount.recursive_read_only in ("Enabled", "IfPossible") else "Disabled"


def _image(container: Container, latest: Instance | None) -> str:
    if latest is None or not latest.image or latest.image.startswith("sha256:"):
        return container.image
    return latest.image


def _is_ready(
    situation: Situation, container: Container, latest: Instance | None, state: ContainerState, started: bool
) -> bool:
    """Main containers and sidecars are ready as their probe says, other init containers once they have succeeded."""
    if latest is None:
        return False
    is_main = any(container.name == main.name for main in situation.pod.spec.containers)
    if is_main or is_sidecar(situation.pod, container):
        return started and situation.verdict(latest).ready
    return state.terminated is not None and state.terminated.exit_code == 0


def _states(
    situation: Situation, story: Story, container: Container, latest: Instance | None
) -> tuple[ContainerState, ContainerState]:
    """The state and the last one. One that waits to run again shows how it ended in the last state."""
    waiting = story.decision.waiting.get(container.name)
    previous = situation.observed.previous(container.name)
    before = ContainerState(terminated=_terminated(previous, story)) if previous and _has_ended(previous) else None
    if before is None:
        before = _told_before(story, container, latest.id if latest else None)
    if latest is not None and latest.state is State.RUNNING:
        return ContainerState(running=ContainerStateRunning(_second(latest.started_at))), before or ContainerState()
    if latest is not None and latest.state is State.EXITED:
        ended = ContainerState(terminated=_terminated(latest, story))
        return (ContainerState(waiting=waiting), ended) if waiting else (ended, before or ContainerState())
    if waiting is None:
        reason = "PodInitializing" if situation.pod.spec.init_containers else "ContainerCreating"
        waiting = ContainerStateWaiting(reason=reason)
    return ContainerState(waiting=waiting), before or ContainerState()


def _told_before(story: Story, container: Container, latest: str | None) -> ContainerState | None:
    """How the one before ended, where it is no longer kept: as it was told when it was."""
    told = story.before.container_statuses + story.before.init_container_statuses
    found = next((one for one in told if one.name == container.name), None)
    for state in (found.last_state, found.state) if found else ():
        ended = state.terminated if state else None
        if ended is not None and not (latest and ended.container_id.endswith(latest)):
            return state
    return None


def _has_ended(instance: Instance) -> bool:
    return instance.state is State.EXITED


def _terminated(instance: Instance, story: Story) -> ContainerStateTerminated:
    return ContainerStateTerminated(
        exit_code=instance.exit_code,
        container_id=f"{story.facts.node.scheme}://{instance.id}",
        finished_at=_second(instance.finished_at),
        message=story.messages.get(instance.id, "") or instance.message,
        reason=instance.reason or ("Error" if instance.exit_code else "Completed"),
        started_at=_second(instance.started_at) or (_NEVER if instance.reason == "StartError" else None),
    )


def _second(time: datetime | None) -> datetime | None:
    """As times of the API are written."""
    return time.replace(microsecond=0) if time is not None else None


def phase_of(pod: Pod, inits: Iterable[ContainerStatus], mains: Iterable[ContainerStatus], ended: bool) -> str:
    """`ended`: nothing of the pod runs or will run again. Until then no phase is final, as a sidecar may still run."""
    if _init_is_pending(pod, inits):
        never = (pod.spec.restart_policy or "Always") == "Never"
        return "Failed" if ended and (never or _any_failed(inits)) else "Pending"
    states = [(status.state or ContainerState(), status.last_state or ContainerState()) for status in mains]
    if any(state.waiting and not last.terminated for state, last in states):
        return "Failed" if ended else "Pending"
    if not ended:
        return "Running"
    return "Succeeded" if all(state.terminated and not state.terminated.exit_code for state, _ in states) else "Failed"


def _any_failed(inits: Iterable[ContainerStatus]) -> bool:
    return any(one.state and one.state.terminated and one.state.terminated.exit_code for one in inits)


def _init_is_pending(pod: Pod, inits: Iterable[ContainerStatus]) -> bool:
    """An init container has not succeeded yet, or a sidecar has never started."""
    for container, status in zip(pod.spec.init_containers, inits, strict=True):
        state, last = status.state or ContainerState(), status.last_state or ContainerState()
        if is_sidecar(pod, container):
            if not (state.terminated or last.terminated or (state.running and status.started)):
                return True
        elif not (state.terminated and state.terminated.exit_code == 0):
            return True
    return False
