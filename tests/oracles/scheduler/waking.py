"""The queue over a cluster that lives: no pod may rest that a node would take, or that could make others go."""

from collections.abc import Iterator

from msgspec import structs

from reconciler.scheduler.queue import PendingPods
from reconciler.scheduler.schedule import schedule
from reconciler.store.view import Event
from schemas.core.pod import Pod
from schemas.meta import Object, Ref, ref_of
from tests.oracles.scheduler.play import Play, ending
from tests.oracles.scheduler.reference.decide import decide


class Waking(Play):
    """As a `Play`, but what happens goes through the queue as events, and only pods that it gives are placed."""

    def __init__(self, seed: int, nodes: int, pods: int, kinds: frozenset[str]) -> None:
        super().__init__(seed, nodes, pods, kinds)
        self._pending = PendingPods(self.snapshot)
        self._unplaced: dict[Ref, Pod] = {}

    def put(self, one: Object) -> None:
        ref = ref_of(one)
        old = self.live.get(ref) or self._unplaced.pop(ref, None)
        self.live[ref] = one
        self.world.put(one)
        self._pending.take_in([Event(1, old, one)])

    def drop(self, one: Object) -> None:
        old = self.live.pop(ref_of(one), None)
        self.world.drop(one)
        if old is not None:
            self._pending.take_in([Event(1, old, None)])

    def forgotten(self) -> Iterator[str]:
        """Pods that rest although they need not."""
        while self._rest > 0:
            for _ in range(self._chance.choice((1, 2, 5))):
                pod = self._new()
                self._unplaced[ref_of(pod)] = pod
                self._pending.take_in([Event(1, None, pod)])
            self._place()
            yield from self._resting()
            for _ in range(self._chance.choice((1, 3, 10))):
                self._edit()
                self._place()
                yield from self._resting()

    def _place(self) -> None:
        while (ref := self._pending.take()) is not None:
            pod = self._unplaced[ref]
            (decision,) = schedule((pod,), self.snapshot)
            if decision.node:
                for one in decision.objects:
                    self.put(one)
                self.put(structs.replace(pod, spec=structs.replace(pod.spec, node_name=decision.node)))
                self.world.place(pod, decision.node)
                continue
            self._pending.rest(pod, decision)
            if decision.nominated_node:
                self.world.nominate(pod, decision.nominated_node)
            else:
                self.world.nominated.pop((pod.metadata.namespace, pod.metadata.name), None)
            self._told()
            for one in decision.victims:
                there = self.live.get(ref_of(one))
                if isinstance(there, Pod) and there.metadata.deletion_timestamp is None:
                    self.put(ending(there, evicted=True))

    def _told(self) -> None:
        """Nominations are written to the pods, which is an event as others are."""
        for ref, pod in tuple(self._unplaced.items()):
            kept = self.world.nominated.get((ref.namespace, ref.name))
            node = kept.node if kept is not None else ""
            if pod.status.nominated_node_name != node:
                self._unplaced[ref] = structs.replace(pod, status=structs.replace(pod.status, nominated_node_name=node))
                self._pending.take_in([Event(1, pod, self._unplaced[ref])])

    def _resting(self) -> Iterator[str]:
        for ref, pod in self._unplaced.items():
            found = decide(pod, self.world)
            if found.feasible:
                yield f"{ref} rests, but {sorted(found.feasible)} would take it"
            elif found.nominated and not pod.status.nominated_node_name:
                yield f"{ref} rests, but others would go for it on {found.nominated}"
