"""Scores: each from 0 to 100 for the nodes that passed, then times its weight.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins,
https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/ for the amounts.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from schemas.core.node import Node
from schemas.core.pod import Pod
from tests.oracles.scheduler.reference import interpod, spread
from tests.oracles.scheduler.reference.demands import CPU, MEMORY, Amounts, Demands, whole
from tests.oracles.scheduler.reference.matching import fault_of, term_meets, tolerated
from tests.oracles.scheduler.reference.refusals import SchedulerError
from tests.oracles.scheduler.reference.world import World

Scorer = Callable[[Demands, Sequence[Node], World], Sequence[int] | None]
_SCORED = (CPU, MEMORY)
_MIB = 1024 * 1024


def taint_toleration(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int]:
    apt = [one for one in asked.pod.spec.tolerations if one.effect in ("", "PreferNoSchedule")]
    bad = [
        sum(taint.effect == "PreferNoSchedule" and not tolerated(taint, apt) for taint in node.spec.taints)
        for node in nodes
    ]
    return [100 - 100 * one // max(bad) if max(bad) else 100 for one in bad]


def node_affinity(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int] | None:
    affinity = asked.pod.spec.affinity.node_affinity if asked.pod.spec.affinity else None
    preferred = affinity.preferred_during_scheduling_ignored_during_execution if affinity else ()
    if not preferred:
        return None
    for index, one in enumerate(preferred):
        if fault := fault_of(index, one.preference):
            raise SchedulerError(f'running PreScore plugin "NodeAffinity": {fault}')
    sums = [sum(one.weight for one in preferred if term_meets(one.preference, node)) for node in nodes]
    return [100 * one // max(sums) if max(sums) else 0 for one in sums]


def node_resources_fit(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int]:
    """LeastAllocated, where a container without a request counts as if it had one."""
    found = []
    for node in nodes:
        has, taken = whole(node.status.allocatable), Counter(asked.scored)
        for one in world.on(node.metadata.name):
            taken.update(one.scored)
        rates = [max(0, has[name] - taken[name]) * 100 // has[name] for name in _SCORED if has.get(name)]
        found.append(sum(rates) // len(rates) if rates else 0)
    return found


def balanced_allocation(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int] | None:
    """How much evener CPU and memory are taken with the pod than without it; 75 where it changes nothing."""
    if not any(asked.requested.get(name) for name in _SCORED):
        return None
    found = []
    for node in nodes:
        has, taken = whole(node.status.allocatable), Counter[str]()
        for one in world.on(node.metadata.name):
            taken.update(one.requested)
        before = _evenness(taken, has)
        taken.update(asked.requested)
        found.append((150 + _evenness(taken, has) - before) // 2)
    return found


def _evenness(taken: Amounts, has: Amounts) -> int:
    shares = [min(1.0, taken[name] / has[name]) for name in _SCORED if has.get(name)]
    deviation = abs((shares[0] - shares[1]) / 2) if len(shares) == 2 else 0.0
    return int((1 - deviation) * 100)


def image_locality(asked: Demands, nodes: Sequence[Node], world: World) -> Sequence[int] | None:
    """Bytes of the pod's images that are there, each lessened by how few nodes have it."""
    images, least = _images(asked.pod), 23 * _MIB
    most = 1000 * _MIB * len(images)
    having = Counter(name for node in world.nodes.values() for name in _names(node))
    if not any(having[image] for image in images):
        return None
    found = []
    for node in nodes:
        there = _names(node)
        total = sum(
            int(world.image_sizes[image] * (having[image] / len(world.nodes))) for image in images if image in there
        )
        found.append(100 * (min(max(total, least), most) - least) // (most - least))
    return found


def _images(pod: Pod) -> list[str]:
    named = [one.image for one in (*pod.spec.init_containers, *pod.spec.containers)]
    return [name if ":" in name.rpartition("/")[2] else f"{name}:latest" for name in named]


def _names(node: Node) -> set[str]:
    return {name for image in node.status.images for name in image.names}


WEIGHTED: dict[str, tuple[int, Scorer]] = {
    "TaintToleration": (3, taint_toleration),
    "NodeAffinity": (2, node_affinity),
    "NodeResourcesFit": (1, node_resources_fit),
    "PodTopologySpread": (2, spread.score),
    "InterPodAffinity": (2, interpod.score),
    "NodeResourcesBalancedAllocation": (1, balanced_allocation),
    "ImageLocality": (1, image_locality),
}


def scores(asked: Demands, nodes: Sequence[Node], world: World) -> dict[str, dict[str, int]]:
    """By node and plugin; a plugin that has nothing to say of the pod is left out."""
    found: dict[str, dict[str, int]] = {node.metadata.name: {} for node in nodes}
    for name, (weight, scorer) in WEIGHTED.items():
        plain = scorer(asked, nodes, world)
        for node, one in zip(nodes, plain or (), strict=plain is not None):
            found[node.metadata.name][name] = weight * one
    return found
