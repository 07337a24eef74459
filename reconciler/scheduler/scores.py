"""Scores: which of the nodes that can take a pod is the best.

They bear the kube-scheduler's names, and give its numbers with its default weights
(https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins): each from 0 to 100 before its weight.
"""

from collections.abc import Callable, Mapping, Sequence

from reconciler.scheduler.nodeaffinity import node_affinity, term_holds
from reconciler.scheduler.resources import CPU, MEMORY, UNSTATED, Amounts, requests
from reconciler.scheduler.snapshot import NodeInfo, Snapshot
from reconciler.scheduler.spread import pod_topology_spread
from reconciler.taints import tolerates
from schemas.core.pod import Pod

BEST = 100
_SCORED = (CPU, MEMORY)
Scorer = Callable[[Pod, Sequence[NodeInfo], Snapshot], Sequence[int] | None]
"""One number for each of the nodes, or None where the plugin has nothing to say of the pod."""


def _taint_toleration(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int]:
    fitting = [one for one in pod.spec.tolerations if one.effect in ("", "PreferNoSchedule")]
    bad = [
        sum(
            taint.effect == "PreferNoSchedule" and not any(tolerates(one, taint) for one in fitting)
            for taint in (info.node.spec.taints if info.node is not None else ())
        )
        for info in nodes
    ]
    most = max(bad)
    return [BEST - BEST * count // most if most else BEST for count in bad]


def _node_affinity(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
    affinity = node_affinity(pod)
    preferred = affinity.preferred_during_scheduling_ignored_during_execution if affinity is not None else ()
    if not preferred:
        return None
    sums = [
        sum(one.weight for one in preferred if term_holds(one.preference, info.name, info.labels)) for info in nodes
    ]
    most = max(sums)
    return [BEST * total // most if most else 0 for total in sums]


def _node_resources_fit(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int]:
    asked = requests(pod, UNSTATED)
    return [_least_allocated(asked, info) for info in nodes]


def _least_allocated(asked: Amounts, info: NodeInfo) -> int:
    scores = []
    for name in _SCORED:
        capacity = info.allocatable.get(name, 0)
        if capacity:
            taken = info.scored[name] + asked.get(name, 0)
            scores.append((capacity - taken) * BEST // capacity if taken <= capacity else 0)
    return sum(scores) // len(scores) if scores else 0


def _balanced_allocation(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
    """How even CPU and memory are taken with the pod, against how even they are without it."""
    asked = requests(pod)
    if not any(asked.get(name, 0) for name in _SCORED):
        return None
    return [(3 * BEST // 2 + _evenness(info, asked) - _evenness(info, {})) // 2 for info in nodes]


def _evenness(info: NodeInfo, more: Mapping[str, int]) -> int:
    shares = [
        min(1.0, (info.requested[name] + more.get(name, 0)) / info.allocatable[name])
        for name in _SCORED
        if info.allocatable.get(name, 0)
    ]
    deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
    return int((1 - deviation) * BEST)


_MIB = 1024 * 1024
_SMALLEST_IMAGES, _LARGEST_IMAGE = 23 * _MIB, 1000 * _MIB


def _image_locality(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    images = [name for one in containers if snapshot.image_nodes[name := _tagged(one.image)] > 0]
    if not images:
        return None
    largest = _LARGEST_IMAGE * len(containers)
    scores = []
    for info in nodes:
        there = sum(
            int(info.images[name] * snapshot.image_nodes[name] / len(snapshot.nodes))
            for name in images
            if name in info.images
        )
        there = min(max(there, _SMALLEST_IMAGES), largest)
        scores.append(BEST * (there - _SMALLEST_IMAGES) // (largest - _SMALLEST_IMAGES))
    return scores


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


SCORERS: dict[str, tuple[int, Scorer]] = {
    "TaintToleration": (3, _taint_toleration),
    "NodeAffinity": (2, _node_affinity),
    "NodeResourcesFit": (1, _node_resources_fit),
    "PodTopologySpread": (2, pod_topology_spread),
    "NodeResourcesBalancedAllocation": (1, _balanced_allocation),
    "ImageLocality": (1, _image_locality),
}
"""Weight and function of each plugin."""


def scores(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> dict[str, Sequence[int]]:
    """For each plugin that has something to say, the weighted score of each node."""
    found: dict[str, Sequence[int]] = {}
    for name, (weight, score) in SCORERS.items():
        plain = score(pod, nodes, snapshot)
        if plain is not None:
            found[name] = [weight * one for one in plain]
    return found
