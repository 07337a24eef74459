"""What the filters say of each node, and how that is told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.core.pod import Pod
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.disks import node_volume_limits, volume_restrictions
from tests.oracles.scheduler.reference.interpod import inter_pod_affinity
from tests.oracles.scheduler.reference.matching import named_nodes
from tests.oracles.scheduler.reference.nodefilters import (
    Filter,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    taint_toleration,
)
from tests.oracles.scheduler.reference.refusals import Refusal
from tests.oracles.scheduler.reference.spread import pod_topology_spread
from tests.oracles.scheduler.reference.volumes import volume_binding, volume_zone
from tests.oracles.scheduler.reference.world import World, key_of

FILTERS: Sequence[Callable[[Demands, World], Filter]] = (
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_ports,
    node_resources_fit,
    volume_restrictions,
    node_volume_limits,
    volume_binding,
    volume_zone,
    pod_topology_spread,
    inter_pod_affinity,
)
_NOT_NAMED = Refusal("NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), True)


class Decision(NamedTuple):
    """`scores` of the feasible nodes by plugin, empty where there is only one; `reason` and `message` where none is."""

    feasible: frozenset[str] = frozenset()
    scores: Mapping[str, Mapping[str, int]] = {}
    reason: str = ""
    message: str = ""
    nominated: str = ""
    victims: frozenset[str] = frozenset()
    refusals: Mapping[str, Refusal] = {}

    @property
    def best(self) -> frozenset[str]:
        """The nodes of the highest total score."""
        totals = {node: sum(row.values()) for node, row in self.scores.items()}
        return frozenset(node for node in self.feasible if totals.get(node, 0) == max(totals.values(), default=0))


def refusals(asked: Demands, world: World) -> dict[str, Refusal]:
    """Why each node that cannot take the pod cannot. Raises `Impossible`."""
    pod = asked.pod
    passes = [make(asked, world) for make in FILTERS]
    named = named_nodes(pod)
    others = [
        one for key, one in world.nominated.items() if key != key_of(pod) and _priority(one.pod) >= _priority(pod)
    ]
    found = {}
    for name in world.nodes:
        why = _NOT_NAMED if named is not None and name not in named else None
        here = [one for one in others if one.node == name]
        if why is None and here:
            crowded = world.with_pods(world.pods | {key_of(one.pod): one for one in here})
            why = _first([make(asked, crowded) for make in FILTERS], crowded, name)
        if why is None:
            why = _first(passes, world, name)
        if why is not None:
            found[name] = why
    return found


def _first(passes: Sequence[Filter], world: World, name: str) -> Refusal | None:
    return next((why for check in passes if (why := check(world.nodes[name])) is not None), None)


def refusal(asked: Demands, name: str, world: World) -> Refusal | None:
    """Of one node, with the pods that are nominated to it."""
    ours = _priority(asked.pod)
    here = {
        key: one
        for key, one in world.nominated.items()
        if one.node == name and key != key_of(asked.pod) and _priority(one.pod) >= ours
    }
    for pods in ([world.pods | here] if here else []) + [world.pods]:
        there = world.with_pods(pods)
        why = _first([make(asked, there) for make in FILTERS], there, name)
        if why is not None:
            return why
    return None


def _priority(pod: Pod) -> int:
    return pod.spec.priority or 0


def counted(nodes: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: …`, by the texts with their numbers in front."""
    return f"0/{nodes} nodes are available: {', '.join(sorted(f'{n} {why}' for why, n in reasons.items()))}."
