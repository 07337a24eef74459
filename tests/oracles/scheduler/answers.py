"""What is asked of a scheduler by the oracle, and the two that answer: Wherry's own and the reference."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from msgspec import structs

from reconciler.scheduler.explain import explain
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod
from schemas.meta import Object
from tests.oracles.scheduler.reference.decide import decide
from tests.oracles.scheduler.reference.world import World

Limits = Mapping[str, Mapping[str, int]]


class Answer(NamedTuple):
    """`node` where the pod was placed; `scores` of the feasible nodes by plugin, empty where there is but one."""

    node: str = ""
    feasible: frozenset[str] = frozenset()
    scores: Mapping[str, Mapping[str, int]] = {}
    reason: str = ""
    message: str = ""
    nominated: str = ""
    victims: frozenset[str] = frozenset()


class Scheduler(Protocol):
    """After each answer it is told what became of the pod, which need not be what it said."""

    def ask(self, pod: Pod) -> Answer: ...

    def place(self, pod: Pod, node: str) -> None: ...

    def forget(self, pod: Pod) -> None:
        """The pod is gone."""

    def nominate(self, pod: Pod, node: str, ending: Iterable[Pod]) -> None:
        """The pod waits for the node, on which these pods are ending."""


class Reference:
    """The rules written down plainly, beside this module."""

    def __init__(self, objects: Iterable[Object], limits: Limits) -> None:
        self._world = World(objects)
        self._world.limits = {node: dict(counts) for node, counts in limits.items()}

    def ask(self, pod: Pod) -> Answer:
        found = decide(pod, self._world)
        return Answer(
            min(found.best, default=""),
            found.feasible,
            found.scores,
            found.reason,
            found.message,
            found.nominated,
            found.victims,
        )

    def place(self, pod: Pod, node: str) -> None:
        self._world.place(pod, node)

    def forget(self, pod: Pod) -> None:
        self._world.drop(pod)

    def nominate(self, pod: Pod, node: str, ending: Iterable[Pod]) -> None:
        for one in ending:
            self._world.put(one)
        self._world.nominate(pod, node)


class Wherry:
    """The scheduler itself."""

    def __init__(self, objects: Iterable[Object], limits: Limits) -> None:
        self._snapshot = Snapshot(objects)
        for node, counts in limits.items():
            self._snapshot.limit_volumes(node, counts)

    def ask(self, pod: Pod) -> Answer:
        nodes = explain(pod, self._snapshot).nodes
        scores = {name: one.scores for name, one in nodes.items() if one.feasible}
        (found,) = schedule((pod,), self._snapshot)
        return Answer(
            found.node,
            frozenset(scores),
            scores,
            found.reason,
            found.message,
            found.nominated_node,
            frozenset(f"{one.metadata.namespace}/{one.metadata.name}" for one in found.victims),
        )

    def place(self, pod: Pod, node: str) -> None:
        self._snapshot.place(pod, node)

    def forget(self, pod: Pod) -> None:
        self._snapshot.drop(pod)

    def nominate(self, pod: Pod, node: str, ending: Iterable[Pod]) -> None:
        for one in ending:
            self._snapshot.put(one)
        self._snapshot.put(structs.replace(pod, status=structs.replace(pod.status, nominated_node_name=node)))
