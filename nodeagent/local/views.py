"""What the agent tells of itself on its own machine. Values, and from what they are made: pure.

The names are those of `--output json`, and stay.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import field

from nodeagent.accepted import Accepted
from nodeagent.pods.podstate import PodState
from schemas.core.node import NodeCondition
from schemas.core.podstatus import ContainerStatus

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class LinkView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`since`: of the state that it is in."""

    url: str
    connected: bool
    since: datetime


class AcceptedView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the node has taken on. `complete`: nothing of it is still to come."""

    store: str
    revision: int
    complete: bool
    pods: int


class NodeView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`written`: bytes since `since`, by what for; what cannot be known is left out. Sizes in bytes."""

    node: str
    cluster: str
    version: str
    pid: int
    since: datetime
    runtime: str
    link: LinkView
    accepted: AcceptedView
    pods: Mapping[str, int]
    conditions: Mapping[str, str]
    resident: int
    written: Mapping[str, int]


class ContainerView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    image: str
    ready: bool
    restarts: int
    state: str
    reason: str = ""
    exit_code: int | None = None
    init: bool = False


class PodView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`default_container`: the one that is meant where none is named."""

    namespace: str
    name: str
    uid: str
    phase: str
    started: datetime
    reason: str = ""
    message: str = ""
    ip: str = ""
    ending: bool = False
    default_container: str = ""
    containers: tuple[ContainerView, ...] = field(default=())


def accepted_view(accepted: Accepted) -> AcceptedView:
    digest = accepted.digest
    return AcceptedView(store=digest.store, revision=digest.revision, complete=accepted.complete, pods=len(digest.pods))


def phases(states: Iterable[PodState]) -> dict[str, int]:
    """How many pods there are of each."""
    return dict(sorted(Counter(state.status.phase or "Pending" for state in states).items()))


def condition_views(conditions: Sequence[NodeCondition]) -> dict[str, str]:
    """Those that say something is not as it should be carry their message."""
    return {
        one.type: one.status if (one.status == "True") == (one.type == "Ready") else f"{one.status}: {one.message}"
        for one in conditions
    }


def pod_view(state: PodState) -> PodView:
    pod, status = state.pod, state.status
    mains = [one.name for one in pod.spec.containers]
    inits = tuple(_container(one, init=True) for one in status.init_container_statuses)
    chosen = pod.metadata.annotations.get(DEFAULT_CONTAINER, mains[0] if mains else "")
    return PodView(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=state.uid,
        phase=status.phase or "Pending",
        reason=status.reason,
        message=status.message,
        ip=status.pod_ip,
        started=state.start_time,
        ending=pod.metadata.deletion_timestamp is not None,
        default_container=chosen,
        containers=(*inits, *(_container(one, init=False) for one in status.container_statuses)),
    )


def _container(status: ContainerStatus, *, init: bool) -> ContainerView:
    state, reason, code = "waiting", "", None
    if status.state is not None and status.state.running is not None:
        state = "running"
    elif status.state is not None and status.state.terminated is not None:
        state, reason = "terminated", status.state.terminated.reason
        code = status.state.terminated.exit_code
    elif status.state is not None and status.state.waiting is not None:
        reason = status.state.waiting.reason
    return ContainerView(
        name=status.name,
        image=status.image,
        ready=status.ready,
        restarts=status.restart_count,
        state=state,
        reason=reason,
        exit_code=code,
        init=init,
    )
