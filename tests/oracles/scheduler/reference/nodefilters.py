"""Filters that look at one node and the pods on it.

Each is made for one pod in one world, and then asked of every node.
"""

from collections import Counter
from collections.abc import Callable

from schemas.core.node import Node, Taint
from tests.oracles.scheduler.reference.demands import ANY, PODS, Demands, Port, whole
from tests.oracles.scheduler.reference.matching import keeps_off, named_nodes, tolerated, wants
from tests.oracles.scheduler.reference.refusals import Impossible, Refusal
from tests.oracles.scheduler.reference.world import World

Filter = Callable[[Node], Refusal | None]

_CORDON = Taint(effect="NoSchedule", key="node.kubernetes.io/unschedulable")


def node_unschedulable(asked: Demands, world: World) -> Filter:
    def check(node: Node) -> Refusal | None:
        if not node.spec.unschedulable or tolerated(_CORDON, asked.pod.spec.tolerations):
            return None
        return Refusal("NodeUnschedulable", ("node(s) were unschedulable",), True)

    return check


def node_name(asked: Demands, world: World) -> Filter:
    def check(node: Node) -> Refusal | None:
        if asked.pod.spec.node_name in ("", node.metadata.name):
            return None
        return Refusal("NodeName", ("node(s) didn't match the requested node name",), True)

    return check


def taint_toleration(asked: Demands, world: World) -> Filter:
    def check(node: Node) -> Refusal | None:
        if not keeps_off(node, asked.pod):
            return None
        return Refusal("TaintToleration", ("node(s) had untolerated taint(s)",), True)

    return check


def node_affinity(asked: Demands, world: World) -> Filter:
    """Where every term names nodes, the others are passed over before any filter is asked."""
    if named_nodes(asked.pod) == set():
        raise Impossible("NodeAffinity", "pod affinity terms conflict")

    def check(node: Node) -> Refusal | None:
        if wants(asked.pod, node):
            return None
        return Refusal("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",), True)

    return check


def node_ports(asked: Demands, world: World) -> Filter:
    def check(node: Node) -> Refusal | None:
        taken = [port for one in world.on(node.metadata.name) for port in one.ports]
        if not any(_clash(wanted, other) for wanted in asked.ports for other in taken):
            return None
        return Refusal("NodePorts", ("node(s) didn't have free ports for the requested pod ports",), False)

    return check


def _clash(one: Port, other: Port) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or ANY in (one[0], other[0]))


def node_resources_fit(asked: Demands, world: World) -> Filter:
    """All that is short is told, the number of pods first; what the node never had is lasting."""

    def check(node: Node) -> Refusal | None:
        there = list(world.on(node.metadata.name))
        has, taken = whole(node.status.allocatable), Counter[str]()
        for one in there:
            taken.update(one.requested)
        reasons = ["Too many pods"] if len(there) + 1 > has.get(PODS, 0) else []
        short = [name for name, amount in asked.requested.items() if 0 < amount > has.get(name, 0) - taken[name]]
        reasons += [f"Insufficient {name}" for name in short]
        if not reasons:
            return None
        return Refusal(
            "NodeResourcesFit", tuple(reasons), any(asked.requested[name] > has.get(name, 0) for name in short)
        )

    return check
