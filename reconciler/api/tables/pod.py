"""The columns of pods; above all the status column, which sums up what kubectl shows of a pod's life.

The rules are those of the Kubernetes API server's printer
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from reconciler.api.tables.column import AGE, NAME, NONE, Cell, Column, Layout, age, since, wide
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus

_IDLE = ContainerState()


class Summary(msgspec.Struct, frozen=True):
    """A pod in a word and three numbers."""

    status: str
    ready: int
    total: int
    restarts: int
    last_restart: datetime | None = None


class _Count(msgspec.Struct):
    """Restarts of some containers, and the last of them."""

    restarts: int = 0
    last: datetime | None = None

    def add(self, container: ContainerStatus) -> None:
        self.restarts += container.restart_count
        ended = (container.last_state or _IDLE).terminated
        if ended and ended.finished_at and (self.last is None or ended.finished_at > self.last):
            self.last = ended.finished_at


def summarise(pod: Pod) -> Summary:
    """What READY, STATUS and RESTARTS say."""
    total = len(pod.spec.containers) + len(_sidecars(pod))
    status = pod.status.reason or pod.status.phase
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in pod.status.conditions):
        status = "SchedulingGated"
    initialising, ready, count, sidecars = _init_containers(pod)
    if initialising is not None:
        status = initialising
    if initialising is None or _condition(pod, "Initialized"):
        count = sidecars
        status, running = _containers(pod.status.container_statuses, status, count)
        ready += running
        if status == "Completed" and running:
            status = "Running" if _condition(pod, "Ready") else "NotReady"
    if pod.metadata.deletion_timestamp is not None:
        if pod.status.reason == "NodeLost":
            status = "Unknown"
        elif pod.status.phase not in ("Succeeded", "Failed"):
            status = "Terminating"
    return Summary(status, ready, total, count.restarts, count.last)


def _sidecars(pod: Pod) -> frozenset[str]:
    return frozenset(c.name for c in pod.spec.init_containers if c.restart_policy == "Always")


def _init_containers(pod: Pod) -> tuple[str | None, int, _Count, _Count]:
    """The status while initialising (None: that is over), ready sidecars, restarts of all and of sidecars."""
    names, ready, count, sidecars = _sidecars(pod), 0, _Count(), _Count()
    for index, container in enumerate(pod.status.init_container_statuses):
        state = container.state or _IDLE
        count.add(container)
        if container.name in names:
            sidecars.add(container)
        if state.terminated and state.terminated.exit_code == 0:
            continue
        if container.name in names and container.started:
            ready += container.ready
            continue
        progress = f"{index}/{len(pod.spec.init_containers)}"
        return f"Init:{_ended(state.terminated) or _waits(state.waiting) or progress}", ready, count, sidecars
    return None, ready, count, sidecars


def _waits(waiting: ContainerStateWaiting | None) -> str:
    return waiting.reason if waiting and waiting.reason != "PodInitializing" else ""


def _ended(terminated: ContainerStateTerminated | None) -> str:
    if terminated is None or terminated.reason:
        return terminated.reason if terminated else ""
    return f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"


def _containers(statuses: Sequence[ContainerStatus], status: str, count: _Count) -> tuple[str, int]:
    """The status that the containers give (the first of them has the last word), and how many are ready."""
    ready = 0
    for container in reversed(statuses):
        count.add(container)
        state = container.state or _IDLE
        if state.waiting and state.waiting.reason:
            status = state.waiting.reason
        elif state.terminated:
            status = _ended(state.terminated)
        elif container.ready and state.running:
            ready += 1
    return status, ready


def _condition(pod: Pod, type_: str) -> bool:
    return any(c.type == type_ and c.status == "True" for c in pod.status.conditions)


def _readiness_gates(pod: Pod) -> str:
    gates = pod.spec.readiness_gates
    return f"{sum(_condition(pod, gate.condition_type) for gate in gates)}/{len(gates)}" if gates else NONE


def _cells(pod: Pod, now: datetime) -> tuple[Cell, ...]:
    summary = summarise(pod)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts += f" ({since(summary.last_restart, now)} ago)"
    return (
        pod.metadata.name,
        f"{summary.ready}/{summary.total}",
        summary.status,
        restarts,
        age(pod, now),
        (pod.status.pod_ips[0].ip if pod.status.pod_ips else pod.status.pod_ip) or NONE,
        pod.spec.node_name or NONE,
        pod.status.nominated_node_name or NONE,
        _readiness_gates(pod),
    )


POD = Layout(
    (
        NAME,
        Column("Ready", description="Containers that are ready, of all"),
        Column("Status", description="What the pod is doing, in a word"),
        Column("Restarts", description="How often its containers were started again, and when last"),
        AGE,
        wide("IP", description="Address of the pod"),
        wide("Node", description="Node that the pod is bound to"),
        wide("Nominated Node", description="Node that is being freed for the pod"),
        wide("Readiness Gates", description="Additional conditions that hold, of all that must"),
    ),
    _cells,
)
