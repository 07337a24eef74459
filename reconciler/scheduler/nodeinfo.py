"""A node as the scheduler sees it: what it has, what is taken, and by which pods.

What every decision looks at lies in plain attributes (`free_cpu` …), kept up to date as pods come and go.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.resources import CPU, MEMORY, PODS, Amounts, HostPort, amounts
from schemas.core.node import Node
from schemas.core.pod import Pod

_NOWHERE: Mapping[str, str] = {}


BEST = 100
"""The highest score before weights."""


class Bound(NamedTuple):
    """Of the pods on a node that are less important than `priority`: what `preemption` bounds the cost of room by.

    `priorities` are theirs in order; `levels` says for each how much CPU and memory those of it and below have.
    """

    priority: int
    priorities: tuple[int, ...]
    levels: tuple[tuple[int, int, int], ...]
    latest: float
    largest: tuple[int, int]


class PlacedPod:
    """A pod on a node, and the class of what it asks for."""

    __slots__ = ("asked", "info", "pod")

    def __init__(self, pod: Pod, asked: PodClass, info: "NodeInfo") -> None:
        self.pod, self.asked, self.info = pod, asked, info


class NodeInfo:
    """A node; `node` is None until it is known. CPU in thousandths.

    `evenness` is that of what is requested (see the function of this name). `scored_cpu` and `scored_memory` are what
    is taken when pods that request nothing count as small ones. `bound` is kept for preemption until the pods here
    change. `taints` stands for all that taints and a cordon say, 0 where there are none; `rank` is the place of its
    name in the fleet. `state` is the number of what it has and what is taken (see `alike`), 0 where that has changed.
    """

    __slots__ = (
        "allocatable",
        "bound",
        "cpu",
        "evenness",
        "free_cpu",
        "free_memory",
        "free_pods",
        "images",
        "labels",
        "memory",
        "name",
        "node",
        "nominated",
        "pods",
        "ports",
        "priorities",
        "rank",
        "requested",
        "scored_cpu",
        "scored_memory",
        "state",
        "taints",
        "volume_limits",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Node | None = None
        self.labels: Mapping[str, str] = _NOWHERE
        self.rank = self.taints = self.state = 0
        self.allocatable: Amounts = {}
        self.evenness = BEST
        self.bound: Bound | None = None
        self.cpu = self.memory = self.free_cpu = self.free_memory = self.free_pods = 0
        self.scored_cpu = self.scored_memory = 0
        self.requested: Amounts = {}
        self.images: Mapping[str, int] = {}
        self.pods: dict[str, PlacedPod] = {}
        self.priorities: dict[int, int] = {}
        self.ports: Counter[HostPort] = Counter()
        self.nominated: dict[str, tuple[Pod, PodClass]] = {}
        self.volume_limits: Mapping[str, int] = {}

    def known(self, node: Node) -> None:
        """Takes in the node as it is now."""
        self.node = node
        self.state = 0
        self.labels = node.metadata.labels
        self.allocatable = amounts(node.status.allocatable or node.status.capacity)
        self.cpu, self.memory = self.allocatable.get(CPU, 0), self.allocatable.get(MEMORY, 0)
        self.free_cpu = self.cpu - self.requested.get(CPU, 0)
        self.free_memory = self.memory - self.requested.get(MEMORY, 0)
        self.free_pods = self.allocatable.get(PODS, 0) - len(self.pods)
        self._weigh()

    def put(self, placed: PlacedPod) -> None:
        self.pods[placed.pod.metadata.uid] = placed
        self.count(placed.asked, 1)

    def drop(self, uid: str) -> PlacedPod:
        placed = self.pods.pop(uid)
        self.count(placed.asked, -1)
        return placed

    def count(self, asked: PodClass, by: int) -> None:
        """What one pod more (1) or less (-1) takes."""
        self.bound = None
        self.state = 0
        self.free_pods -= by
        self.free_cpu -= by * asked.cpu
        self.free_memory -= by * asked.memory
        self.scored_cpu += by * asked.scored_cpu
        self.scored_memory += by * asked.scored_memory
        requested = self.requested
        for name, amount in asked.amounts:
            requested[name] = requested.get(name, 0) + by * amount
        if asked.amounts:
            self._weigh()
        priorities = self.priorities
        left = priorities.get(asked.priority, 0) + by
        if left:
            priorities[asked.priority] = left
        else:
            del priorities[asked.priority]
        for port in asked.ports:
            self.ports[port] += by
            if not self.ports[port]:
                del self.ports[port]

    def _weigh(self) -> None:
        self.evenness = evenness(self, 0, 0)

    def copy(self) -> "NodeInfo":
        """The same node, on which it can be tried what would be."""
        other = NodeInfo(self.name)
        for field in NodeInfo.__slots__:
            setattr(other, field, getattr(self, field))
        other.requested, other.pods = dict(self.requested), dict(self.pods)
        other.priorities, other.ports = dict(self.priorities), Counter(self.ports)
        return other

    def add(self, pod: Pod, asked: PodClass) -> None:
        """Tries how it would be with the pod, too."""
        self.put(PlacedPod(pod, asked, self))


def evenness(info: NodeInfo, cpu: int, memory: int) -> int:
    """From 0 to 100, how evenly CPU and memory of the node are requested, with so much more of both."""
    if not info.cpu or not info.memory:
        return BEST
    of_cpu, of_memory = (
        (info.cpu - info.free_cpu + cpu) / info.cpu,
        (info.memory - info.free_memory + memory) / info.memory,
    )
    deviation = abs((1.0 if of_cpu > 1 else of_cpu) - (1.0 if of_memory > 1 else of_memory)) / 2
    return int((1 - deviation) * BEST)
