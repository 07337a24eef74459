"""Filters: where a pod may run, and why not elsewhere.

They bear the kube-scheduler's names, stand in its order and give its reasons
(https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins). The first that says no speaks.
"""

from collections.abc import Callable

import msgspec

from reconciler.scheduler.nodeaffinity import wanted_by
from reconciler.scheduler.resources import PODS, Amounts, HostPort, clash, host_ports, requests
from reconciler.scheduler.snapshot import NodeInfo
from reconciler.taints import UNSCHEDULABLE, tolerates
from schemas.core.node import Taint
from schemas.core.pod import Pod


class Refusal(msgspec.Struct, frozen=True):
    """Why a node cannot take a pod. `lasting`: it could not even if all other pods left it."""

    reasons: tuple[str, ...]
    lasting: bool


class Question(msgspec.Struct, frozen=True):
    """A pod, and what the filters need to know of it, worked out once."""

    pod: Pod
    requested: Amounts
    ports: tuple[HostPort, ...]


def question(pod: Pod) -> Question:
    return Question(pod, {name: amount for name, amount in requests(pod).items() if amount > 0}, host_ports(pod))


_CORDON = Taint(effect="NoSchedule", key=UNSCHEDULABLE)


def _node_unschedulable(asked: Question, info: NodeInfo) -> Refusal | None:
    assert info.node is not None
    if not info.node.spec.unschedulable or any(tolerates(one, _CORDON) for one in asked.pod.spec.tolerations):
        return None
    return Refusal(("node(s) were unschedulable",), True)


def _node_name(asked: Question, info: NodeInfo) -> Refusal | None:
    if asked.pod.spec.node_name in ("", info.name):
        return None
    return Refusal(("node(s) didn't match the requested node name",), True)


def _taint_toleration(asked: Question, info: NodeInfo) -> Refusal | None:
    assert info.node is not None
    for taint in info.node.spec.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not any(
            tolerates(one, taint) for one in asked.pod.spec.tolerations
        ):
            return Refusal(("node(s) had untolerated taint(s)",), True)
    return None


def _node_affinity(asked: Question, info: NodeInfo) -> Refusal | None:
    if wanted_by(asked.pod, info.name, info.labels):
        return None
    return Refusal(("node(s) didn't match Pod's node affinity/selector",), True)


def _node_ports(asked: Question, info: NodeInfo) -> Refusal | None:
    if not any(clash(port, info.ports) for port in asked.ports):
        return None
    return Refusal(("node(s) didn't have free ports for the requested pod ports",), False)


def _node_resources_fit(asked: Question, info: NodeInfo) -> Refusal | None:
    reasons = []
    lasting = False
    if len(info.pods) + 1 > info.allocatable.get(PODS, 0):
        reasons.append("Too many pods")
    for name, amount in asked.requested.items():
        allocatable = info.allocatable.get(name, 0)
        if amount > allocatable - info.requested[name]:
            reasons.append(f"Insufficient {name}")
            lasting = lasting or amount > allocatable
    return Refusal(tuple(reasons), lasting) if reasons else None


Filter = Callable[[Question, NodeInfo], Refusal | None]
FILTERS: dict[str, Filter] = {
    "NodeUnschedulable": _node_unschedulable,
    "NodeName": _node_name,
    "TaintToleration": _taint_toleration,
    "NodeAffinity": _node_affinity,
    "NodePorts": _node_ports,
    "NodeResourcesFit": _node_resources_fit,
}


def refusal(asked: Question, info: NodeInfo) -> Refusal | None:
    """Why the node cannot take the pod, None where it can."""
    for check in FILTERS.values():
        refused = check(asked, info)
        if refused is not None:
            return refused
    return None
