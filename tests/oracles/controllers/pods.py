"""Pods as the recordings name their states, and as the script's kubelet reports them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import structs

from reconciler.controllers.podstate import ended, ready
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateTerminated, ContainerStatus, PodCondition, PodIP
from schemas.meta import controller_of
from tests.oracles.controllers.mix import Json
from tests.unit.reconciler.controllers.world import with_phase

_RANKS = {"ready": 0, "notReady": 1, "pending": 2}


def going(pod: Pod) -> bool:
    """Neither ended nor told to end."""
    return pod.metadata.deletion_timestamp is None and not ended(pod)


def rested(pod: Pod) -> str:
    """The state without `+terminating`."""
    if ended(pod):
        return pod.status.phase.lower()
    if pod.status.phase == "Running":
        return "ready" if ready(pod) else "notReady"
    return "pending"


def state(pod: Pod) -> str:
    return rested(pod) + ("+terminating" if pod.metadata.deletion_timestamp is not None else "")


def rank(pod: Pod) -> int:
    """In which order "up to k" takes them."""
    return _RANKS.get(rested(pod), 3)


def owner(pod: Pod) -> str:
    """The name of the controller, `None` without one."""
    found = controller_of(pod)
    return found.name if found is not None else "None"


def running(pod: Pod, action: Json, now: datetime, *, is_ready: bool) -> Pod:
    """The pod as reported when it runs."""
    since = now - timedelta(seconds=action.get("readyAgo", 0))
    reported = with_phase(pod, "Running", since, ready=is_ready)
    status, restarts = reported.status, action.get("restarts")
    if restarts is not None:
        statuses = tuple(_container(one, is_ready, restarts) for one in pod.spec.containers)
        status = structs.replace(status, container_statuses=statuses)
    if address := action.get("ip"):
        status = structs.replace(status, pod_ip=address, pod_ips=(PodIP(address),))
    return structs.replace(reported, status=status)


def over(pod: Pod, phase: str, now: datetime, code: int, reason: str = "", types: Sequence[str] = ()) -> Pod:
    """The pod as reported when it has ended, an hour ago."""
    reported = with_phase(pod, phase, now)
    terminated = ContainerStateTerminated(
        exit_code=code, reason="Completed" if code == 0 else "Error", finished_at=now - timedelta(hours=1)
    )
    statuses = tuple(
        ContainerStatus(
            image=one.image,
            image_id="",
            name=one.name,
            ready=False,
            restart_count=0,
            state=ContainerState(terminated=terminated),
        )
        for one in pod.spec.containers
    )
    conditions = tuple(PodCondition("True", type_, last_transition_time=now) for type_ in types)
    status = structs.replace(
        reported.status,
        container_statuses=statuses,
        reason=reason,
        conditions=(*(one for one in reported.status.conditions if one.type not in types), *conditions),
    )
    return structs.replace(reported, status=status)


def _container(container: Container, is_ready: bool, restarts: int) -> ContainerStatus:
    before = ContainerState(terminated=ContainerStateTerminated(exit_code=1)) if restarts else None
    return ContainerStatus(
        image=container.image,
        image_id="",
        name=container.name,
        ready=is_ready,
        restart_count=restarts,
        last_state=before,
    )
