"""How far the cluster is from what it shall be, in a few numbers and lines: for `wherry status`. Pure."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from reconciler.controllers import podstate
from reconciler.health import State, health
from reconciler.store.view import View
from schemas import conditions
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.meta import Object, ref_of


class NodeState(msgspec.Struct, frozen=True):
    """`reason` says why it is not Ready, or that nothing more is placed on it."""

    name: str
    ready: bool
    reason: str = ""
    since: datetime | None = None


class Waiting(msgspec.Struct, frozen=True):
    """An object that is not yet, or no longer, as it shall be."""

    object: str
    reason: str


WORKLOADS: tuple[type[Object], ...] = (
    *(Deployment, StatefulSet, DaemonSet, Job),
    *(ReplicationController, ReplicaSet, Pod),
)


class Overview(msgspec.Struct, frozen=True):
    """`pods` counts those that have not ended; `waiting` are workloads that nobody owns, declared or not."""

    pods: int = 0
    ready_pods: int = 0
    nodes: tuple[NodeState, ...] = ()
    waiting: tuple[Waiting, ...] = ()


def overview(view: View) -> Overview:
    """All of the cluster at its present revision."""
    pods = [pod for pod in view.list(Pod) if not podstate.ended(pod)]
    return Overview(
        pods=len(pods),
        ready_pods=sum(map(podstate.ready, pods)),
        nodes=tuple(map(_node, view.list(Node))),
        waiting=tuple(_waiting(view)),
    )


def _node(node: Node) -> NodeState:
    found = conditions.find(node.status.conditions, "Ready")
    if found is None:
        return NodeState(node.metadata.name, False, "it has not reported yet")
    if found.status != "True":
        reason = f"{found.reason}: {found.message}" if found.message else found.reason
        return NodeState(node.metadata.name, False, reason, found.last_transition_time)
    return NodeState(node.metadata.name, True, "cordoned" if node.spec.unschedulable else "")


def _waiting(view: View) -> Iterator[Waiting]:
    for type_ in WORKLOADS:
        for one in view.owned_by(type_, ""):
            fares = health(one, view)
            if fares.state not in (State.HEALTHY, State.SUSPENDED):
                yield Waiting(str(ref_of(one)), fares.reason)
