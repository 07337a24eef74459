"""Which container instance a call is about, and why there is none. Pure.

The rules and words are the kubelet's (https://kubernetes.io/docs/reference/kubectl/generated/kubectl_logs/).
"""

import msgspec

from nodeagent.pods.observed import Observed
from nodeagent.runtime.interface import Container, State
from schemas.core.podstatus import ContainerStatus, PodStatus


class NoContainer(msgspec.Struct, frozen=True):
    """As the caller is to be told."""

    code: int
    reason: str
    message: str


def logged(pod: str, name: str, status: PodStatus, observed: Observed, *, previous: bool) -> str | NoContainer:
    """The id, such as `containerd://…`, of the instance whose log is asked for."""
    found = _status_of(name, status)
    if previous:
        if id_ := _terminated(found, last=True):
            return id_
        return _bad(f'previous terminated container "{name}" in pod "{pod}" not found')
    state = found.state if found else None
    if found and state and state.running:
        return found.container_id or _latest(name, observed)
    if id_ := _terminated(found, last=False) or _terminated(found, last=True):
        return id_
    if state and state.waiting:
        return _bad(f'container "{name}" in pod "{pod}" is waiting to start: {_why(state.waiting.reason)}')
    return _latest(name, observed) or _bad(f'container "{name}" in pod "{pod}" is not available')


def instance(id_: str, observed: Observed) -> Container | None:
    """What the runtime knows of a container by that id."""
    bare = id_.rpartition("://")[2]
    return next((one for one in observed.all() if one.id == bare), None)


def running(name: str, observed: Observed) -> Container | None:
    """The instance that a process can be started in, or attached to."""
    found = observed.current(name)
    return found if found is not None and found.state is State.RUNNING else None


def _status_of(name: str, status: PodStatus) -> ContainerStatus | None:
    everything = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    return next((one for one in everything if one.name == name), None)


def _terminated(found: ContainerStatus | None, *, last: bool) -> str:
    state = (found.last_state if last else found.state) if found else None
    return state.terminated.container_id if state and state.terminated else ""


def _latest(name: str, observed: Observed) -> str:
    latest = observed.latest(name)
    return latest.id if latest else ""


def _why(reason: str) -> str:
    return {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }.get(reason, reason)


def _bad(message: str) -> NoContainer:
    return NoContainer(400, "BadRequest", message)
