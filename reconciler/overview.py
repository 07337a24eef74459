"""How far the cluster is from what it shall be, in a few numbers and lines: for `wherry status`. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from reconciler.controllers import podstate
from reconciler.store.view import View
from schemas import conditions
from schemas.apps import Deployment, ReplicaSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Object


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


class Overview(msgspec.Struct, frozen=True):
    """`pods` counts those that have not ended; `waiting` are Deployments, and ReplicaSets and pods of nobody."""

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
    for deployment in view.list(Deployment):
        if reason := _behind(deployment):
            sets = view.owned_by(ReplicaSet, deployment.metadata.uid)
            pods = [pod for one in sets for pod in view.owned_by(Pod, one.metadata.uid)]
            yield Waiting(_named(deployment), _with_cause(reason, pods))
    for one in view.owned_by(ReplicaSet, ""):
        wanted, ready = _wanted(one), one.status.ready_replicas
        if ready < wanted:
            reason = f"{ready} of {wanted} pods ready"
            yield Waiting(_named(one), _with_cause(reason, view.owned_by(Pod, one.metadata.uid)))
    for pod in view.owned_by(Pod, ""):
        if not podstate.ended(pod) and not podstate.ready(pod):
            yield Waiting(_named(pod), _cause(pod) or "not ready")


def _wanted(object_: Deployment | ReplicaSet) -> int:
    return 1 if object_.spec.replicas is None else object_.spec.replicas


def _behind(deployment: Deployment) -> str:
    """What is missing of it; empty where nothing is."""
    status, wanted = deployment.status, _wanted(deployment)
    if status.observed_generation < deployment.metadata.generation:
        return "just changed"
    if status.ready_replicas < wanted:
        return f"{status.ready_replicas} of {wanted} pods ready"
    if status.updated_replicas < wanted:
        return f"{status.updated_replicas} of {wanted} pods updated"
    if status.available_replicas < wanted:
        return f"{status.available_replicas} of {wanted} pods available"
    old = status.replicas - wanted
    return f"{old} old pods not gone yet" if old > 0 else ""


def _with_cause(reason: str, pods: Sequence[Pod]) -> str:
    """With what the first pod that is not ready says."""
    causes = (cause for pod in pods if podstate.active(pod) and (cause := _cause(pod)))
    cause = next(causes, "")
    return f"{reason}; {cause}" if cause else reason


def _cause(pod: Pod) -> str:
    """Why the pod is not ready, as far as it says; empty for one that is, or only starts."""
    if podstate.ready(pod):
        return ""
    placed = conditions.find(pod.status.conditions, "PodScheduled")
    if placed is not None and placed.status == "False":
        return f"{placed.reason}: {placed.message}"
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting if status.state else None
        if waiting is not None and waiting.reason not in ("", "ContainerCreating", "PodInitializing"):
            return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return ""


def _named(object_: Object) -> str:
    meta = object_.metadata
    return f"{object_.kind} {meta.namespace}/{meta.name}"
