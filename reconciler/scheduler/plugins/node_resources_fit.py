"""NodeResourcesFit: room for what a pod requests, and how much of it is left.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/,
https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/ (the strategies)
"""

from collections.abc import Callable, Sequence

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Check, Column, Refusal, Score, Select
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.resources import CPU, MEMORY

NAME = "NodeResourcesFit"
_ANY = -(1 << 63)
"""Less than any node has left, also one whose pods have more than it has now."""


def prepare(asked: PodClass) -> Check:
    cpu, memory = asked.cpu, asked.memory
    others = [(name, amount) for name, amount in asked.amounts if name not in (CPU, MEMORY)]

    def check(info: NodeInfo) -> Refusal | None:
        if info.free_pods < 1 or (cpu and cpu > info.free_cpu) or (memory and memory > info.free_memory):
            return _refusal(asked, info)
        for name, amount in others:
            if amount > info.allocatable.get(name, 0) - info.requested.get(name, 0):
                return _refusal(asked, info)
        return None

    return check


def prepare_select(asked: PodClass) -> Select:
    """The nodes that have room for what every node has, without a call for each."""
    cpu, memory = asked.cpu or _ANY, asked.memory or _ANY

    def select(infos: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        return [info for info in infos if info.free_cpu >= cpu and info.free_memory >= memory and info.free_pods > 0]

    return select


def prepare_select_others(asked: PodClass) -> Select | None:
    """The nodes that have room for the rest; None where the pod asks for nothing else."""
    others = [(name, amount) for name, amount in asked.amounts if name not in (CPU, MEMORY)]
    if not others:
        return None

    def select(infos: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        for name, amount in others:
            infos = [info for info in infos if amount <= info.allocatable.get(name, 0) - info.requested.get(name, 0)]
        return infos

    return select


def _refusal(asked: PodClass, info: NodeInfo) -> Refusal:
    reasons = ["Too many pods"] if info.free_pods < 1 else []
    lasting = False
    for name, amount in asked.amounts:
        allocatable = info.allocatable.get(name, 0)
        if amount > allocatable - info.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            lasting = lasting or amount > allocatable
    return Refusal(tuple(reasons), lasting)


def prepare_score(asked: PodClass, profile: Profile) -> Score:
    if _is_usual(profile):
        return _usual(asked)
    rate = _rating(profile)
    resources = [(name, weight) for name, weight in profile.resources.items() if _counts(asked, name)]

    def score(info: NodeInfo) -> int:
        total = weights = 0
        for name, weight in resources:
            capacity = info.allocatable.get(name, 0)
            if capacity:
                total += weight * rate(_taken(asked, info, name), capacity)
                weights += weight
        return _mean(profile, total, weights)

    return score


def _is_usual(profile: Profile) -> bool:
    return profile.strategy == "LeastAllocated" and profile.resources == {CPU: 1, MEMORY: 1}


def prepare_column(asked: PodClass, profile: Profile) -> Column | None:
    """The score of many nodes, without a call for each; None where the profile is not the usual one."""
    if not _is_usual(profile):
        return None
    cpu, memory, one = asked.scored_cpu, asked.scored_memory, _usual(asked)

    def column(infos: Sequence[NodeInfo]) -> list[int]:
        return [
            (
                (info.cpu - info.scored_cpu - cpu) * BEST // info.cpu
                + (info.memory - info.scored_memory - memory) * BEST // info.memory
            )
            // 2
            if info.cpu
            and info.memory
            and info.cpu - info.scored_cpu >= cpu
            and info.memory - info.scored_memory >= memory
            else one(info)
            for info in infos
        ]

    return column


def _usual(asked: PodClass) -> Score:
    """LeastAllocated of CPU and memory, which every pod of nearly every fleet is scored by."""
    cpu, memory = asked.scored_cpu, asked.scored_memory

    def score(info: NodeInfo) -> int:
        total = known = 0
        if info.cpu:
            known = 1
            free = info.cpu - info.scored_cpu - cpu
            total = free * BEST // info.cpu if free > 0 else 0
        if info.memory:
            known += 1
            free = info.memory - info.scored_memory - memory
            total += free * BEST // info.memory if free > 0 else 0
        return total // known if known else 0

    return score


def _counts(asked: PodClass, name: str) -> bool:
    """What every node has counts always, anything else where the pod asks for it."""
    return name in (CPU, MEMORY, "ephemeral-storage") or name.startswith("hugepages-") or name in asked.requested


def _taken(asked: PodClass, info: NodeInfo, name: str) -> int:
    if name == CPU:
        return info.scored_cpu + asked.scored_cpu
    if name == MEMORY:
        return info.scored_memory + asked.scored_memory
    return info.requested.get(name, 0) + asked.requested.get(name, 0)


def _least(taken: int, capacity: int) -> int:
    return (capacity - taken) * BEST // capacity if taken <= capacity else 0


def _most(taken: int, capacity: int) -> int:
    return min(taken, capacity) * BEST // capacity


def _rating(profile: Profile) -> Callable[[int, int], int]:
    if profile.strategy == "MostAllocated":
        return _most
    if profile.strategy == "LeastAllocated":
        return _least
    shape = tuple((at, 10 * score) for at, score in profile.shape)

    def ratio(taken: int, capacity: int) -> int:
        return _on(shape, 100 if taken > capacity else 100 * taken // capacity)

    return ratio


def _on(shape: Sequence[tuple[int, int]], utilisation: int) -> int:
    """The value of a broken line, flat beyond its ends. Division is towards zero, as Go does it."""
    for at, (x, y) in enumerate(shape):
        if utilisation <= x:
            if at == 0:
                return y
            x0, y0 = shape[at - 1]
            return y0 + int((y - y0) * (utilisation - x0) / (x - x0))
    return shape[-1][1]


def _mean(profile: Profile, total: int, weights: int) -> int:
    if not weights:
        return 0
    if profile.strategy == "RequestedToCapacityRatio":
        return (2 * total + weights) // (2 * weights)
    return total // weights
