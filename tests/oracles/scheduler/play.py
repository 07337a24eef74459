"""Scheduler and reference side by side over a cluster that lives: pods come, nodes change, victims go.

Every decision is compared, and the verdict upon every node of one pod of each batch.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import structs

from reconciler.scheduler.explain import explain
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Object, Ref, ref_of
from tests.oracles.scheduler.chance import HOSTNAME, NAMESPACES, ZONE, Chance, Json, made
from tests.oracles.scheduler.reference.decide import decide
from tests.oracles.scheduler.reference.demands import PODS, Demands, whole
from tests.oracles.scheduler.reference.verdict import refusal
from tests.oracles.scheduler.reference.world import World

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_EVICTED = PodCondition("True", "DisruptionTarget", reason="PreemptionByScheduler")


class Play:
    """One seed is one play."""

    def __init__(self, seed: int, nodes: int, pods: int, kinds: frozenset[str]) -> None:
        self._chance = chance = Chance(seed, kinds)
        self._rest, self._number = pods, 0
        self._templates = [chance.template() for _ in range(chance.randint(1, 6))]
        made_nodes = [chance.node(number) for number in range(nodes)]
        first = [self._new(f"n{chance.randrange(nodes):02}") for _ in range(min(pods // 3, 3 * nodes))]
        objects: list[Object] = [*chance.surroundings(), *made_nodes, *first]
        self.live: dict[Ref, Object] = {ref_of(one): one for one in objects}
        self.world, self.snapshot = World(objects), Snapshot(objects)
        self.world.limits = chance.limits(nodes)
        for node, counts in self.world.limits.items():
            self.snapshot.limit_volumes(node, counts)
        self._waiting: list[Pod] = []
        self._nodes = nodes

    def differences(self) -> Iterator[str]:
        """What the scheduler says otherwise than the reference."""
        while self._rest > 0:
            batch = [self._new() for _ in range(self._chance.choice((1, 2, 5, 20)))]
            again = [one for one in self._waiting if self._chance.one_in(2)]
            self._waiting = [one for one in self._waiting if one not in again]
            yield from self._explained(batch[0])
            yield from self._decided([*again, *batch])
            for _ in range(self._chance.choice((0, 1, 3))):
                self._edit()

    def _new(self, node: str = "") -> Pod:
        self._number += 1
        self._rest -= 1
        return self._chance.pod(self._chance.choice(self._templates), f"p{self._number:03}", node)

    def put(self, one: Object) -> None:
        self.live[ref_of(one)] = one
        self.world.put(one)
        self.snapshot.put(one)

    def drop(self, one: Object) -> None:
        self.live.pop(ref_of(one), None)
        self.world.drop(one)
        self.snapshot.drop(one)

    def _explained(self, pod: Pod) -> Iterator[str]:
        expected = decide(pod, self.world)
        if not expected.refusals and not expected.feasible:
            return  # refused before any node was looked at
        found = explain(pod, self.snapshot)
        for name, one in found.nodes.items():
            why = expected.refusals.get(name)
            theirs = (why.plugin, sorted(why.reasons)) if why else ("", [])
            if (one.plugin, sorted(one.reasons)) != theirs:
                yield f"{_name(pod)} on {name}: {one.plugin} {one.reasons}, expected {theirs}"
            ours, scores = _telling(one.scores), _telling(expected.scores.get(name, {}))
            if ours != scores:
                yield f"{_name(pod)} on {name}: scores {ours}, expected {scores}"
        if found.chosen != min(expected.best, default=""):
            yield f"{_name(pod)}: chosen {found.chosen}, expected one of {sorted(expected.best)}"

    def _decided(self, pods: list[Pod]) -> Iterator[str]:
        decisions = schedule(pods, self.snapshot)
        for pod, ours in zip(pods, decisions, strict=True):
            theirs = decide(pod, self.world)
            expected = (min(theirs.best, default=""), theirs.reason, theirs.message, theirs.nominated, theirs.victims)
            victims = frozenset(_name(one) for one in ours.victims)
            given = (ours.node, ours.reason, ours.message, ours.nominated_node, victims)
            if given != expected:
                yield f"{_name(pod)}: {given}, expected {expected}"
                return
            if ours.node:
                if why := refusal(Demands(pod), ours.node, self.world):
                    yield f"{_name(pod)}: bound to {ours.node} against {why}"
                bound = structs.replace(pod, spec=structs.replace(pod.spec, node_name=ours.node))
                self.live[ref_of(pod)] = bound
                self.world.place(pod, ours.node)
                for one in ours.objects:  # volumes and claims that now belong together
                    self.live[ref_of(one)] = one
                    self.world.put(one)
            elif ours.nominated_node:
                self.world.nominate(pod, ours.nominated_node)
            else:
                self.world.nominated.pop((pod.metadata.namespace, pod.metadata.name), None)
        self._settled(pods, [one.victims for one in decisions])

    def _settled(self, pods: list[Pod], victims: Iterable[Iterable[Pod]]) -> None:
        """Victims begin to end; who is nominated keeps its place, the others are gone or try again later."""
        for leaving in victims:
            for one in leaving:
                there = self.live.get(ref_of(one))
                if isinstance(there, Pod):
                    self.put(ending(there, evicted=True))
        unplaced = [one for one in pods if ref_of(one) not in self.live]
        trying = [*self._waiting, *unplaced]
        self._waiting = []
        for pod in trying:
            kept = self.world.nominated.get((pod.metadata.namespace, pod.metadata.name))
            status = structs.replace(pod.status, nominated_node_name=kept.node if kept is not None else "")
            if kept is not None or pod not in unplaced or self._chance.one_in(3):
                self._waiting.append(structs.replace(pod, status=status))
                self.snapshot.put(self._waiting[-1])
            else:
                self.drop(pod)

    def _edit(self) -> None:
        chance = self._chance
        nodes = [one for one in self.live.values() if isinstance(one, Node)]
        placed = [one for one in self.live.values() if isinstance(one, Pod)]
        leaving = [one for one in placed if one.metadata.deletion_timestamp is not None]
        what = chance.choice(
            ("gone", "gone", "ending", "ended", "node", "node", "without", "new node", "labels", "other")
        )
        if what == "gone" and placed:
            self.drop(chance.choice(leaving or placed))
        elif what == "ending" and placed:
            self.put(ending(chance.choice(placed)))
        elif what == "ended" and placed:
            one = chance.choice(placed)
            self.put(structs.replace(one, status=structs.replace(one.status, phase="Succeeded")))
            del self.live[ref_of(one)]
        elif what == "node" and nodes:
            self.put(self._changed(chance.choice(nodes)))
        elif what == "without" and len(nodes) > 1 and chance.one_in(3):
            self.drop(chance.choice(nodes))
        elif what == "new node":
            self.put(chance.node(chance.randrange(self._nodes + 1)))
        elif what == "labels" and placed:
            one = chance.choice(placed)
            labels = one.metadata.labels | {"app": chance.choice(("web", "db")), "rev": "2"}
            self.put(structs.replace(one, metadata=structs.replace(one.metadata, labels=labels)))
        elif what == "other":
            self._surround()

    def _changed(self, node: Node) -> Node:
        """Another version of a node: nothing, its labels, its taints or what it has."""
        other = self._chance.node(int(node.metadata.name[1:]))
        match self._chance.randrange(5):
            case 0:
                return structs.replace(node, metadata=other.metadata)
            case 1:
                return structs.replace(node, spec=other.spec)
            case 2:
                return structs.replace(node, status=other.status)
            case 3:
                labels = {key: one for key, one in node.metadata.labels.items() if key not in (ZONE, HOSTNAME)}
                return structs.replace(node, metadata=structs.replace(node.metadata, labels=labels))
        return structs.replace(node)

    def _surround(self) -> None:
        """Services, budgets, claims and labels of namespaces come, change and go."""
        chance = self._chance
        others = [one for one in self.live.values() if not isinstance(one, Node | Pod | Namespace)]
        if others and chance.one_in(2):
            self.drop(chance.choice(others))
        elif "built-in spread" in chance.kinds and chance.one_in(2):
            self.put(chance.service(chance.randrange(4)))
        elif "volumes" in chance.kinds and chance.one_in(2):
            for one in chance.storage()[:8]:
                self.put(one)
        else:
            labels = {key: value for key, value in (("env", "prod"), ("team", "x")) if chance.one_in(2)}
            self.put(made(Namespace, {"metadata": {"name": chance.choice(tuple(NAMESPACES)), "labels": labels}}))


def over_committed(world: World) -> list[str]:
    """Nodes on which more is taken than there is."""
    found = []
    for name, node in world.nodes.items():
        has, there = whole(node.status.allocatable), list(world.on(name))
        taken: Json = {PODS: len(there)}
        for one in there:
            for resource, amount in one.requested.items():
                taken[resource] = taken.get(resource, 0) + amount
        found += [f"{name}: {resource}" for resource, amount in taken.items() if amount > has.get(resource, 0)]
    return found


def ending(pod: Pod, *, evicted: bool = False) -> Pod:
    conditions = (_EVICTED,) if evicted else pod.status.conditions
    return structs.replace(
        pod,
        metadata=structs.replace(pod.metadata, deletion_timestamp=_NOW),
        status=structs.replace(pod.status, conditions=conditions),
    )


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _telling(scores: Mapping[str, int]) -> dict[str, int]:
    return {plugin: score for plugin, score in sorted(scores.items()) if score}
