"""A cluster in memory for tests: real planning and cache, no store, a clock that is turned by hand."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import structs

from reconciler.admission import AdmissionSettings, admission
from reconciler.controllers.interface import Controller
from reconciler.store.cache import Cache
from reconciler.store.changes import Change, ChangeError, Create, Delete, UpdateStatus
from reconciler.store.draft import Draft
from reconciler.store.planning import Mint, plan
from reconciler.store.view import Event
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition
from schemas.meta import Object, Ref, ref_of

START = datetime(2026, 1, 1, tzinfo=UTC)
AnyObject = TypeVar("AnyObject", bound=Object)


class World:
    """Applies changes at once; `settle` runs controllers until none has anything left to do."""

    def __init__(self, controllers: Sequence[Controller] = ()) -> None:
        self.cache = Cache(1)
        self.now = START
        self.commits = 0
        self._controllers = {one.name: one for one in controllers}
        self._queue: dict[tuple[str, Ref], None] = {}
        self._due: list[tuple[datetime, str, Ref]] = []
        self._admit = admission(AdmissionSettings(service_cidr="10.96.0.0/16,fd00:96::/112"))
        self._made = 0
        self._suffixes = 0
        self.cache.subscribe(self._listen)

    def _mint(self) -> Mint:
        def uid() -> str:
            self._made += 1
            return f"uid-{self._made:06}"

        def suffix() -> str:
            self._suffixes += 1
            return f"x{self._suffixes:04}"

        return Mint(uid, suffix)

    def apply(self, changes: Sequence[Change]) -> None:
        """One commit, or a `ChangeError` and nothing."""
        draft = Draft(self.cache)
        for change in changes:
            for ref, object_ in plan(change, draft, self.now, self._mint(), self._admit).writes:
                draft.write(ref, object_)
        if draft.touched:
            self.commits += 1
            self.cache.push(self.cache.revision + 1, draft.touched.items(), 1, self.now.timestamp())

    def create(self, *objects: Object) -> None:
        for one in objects:
            self.apply((Create(one),))

    def delete(self, ref: Ref, grace_seconds: int | None = None) -> None:
        self.apply((Delete(ref, grace_seconds=grace_seconds),))

    def get(self, type_: type[AnyObject], namespace: str, name: str) -> AnyObject:
        found = self.cache.get(type_, namespace, name)
        assert found is not None
        return found

    def pods(self, namespace: str | None = None) -> Sequence[Pod]:
        return self.cache.list(Pod, namespace)

    def _listen(self, events: Sequence[Event]) -> None:
        for event in events:
            self._spread(event)

    def _spread(self, event: Event) -> None:
        for controller in self._controllers.values():
            for ref in controller.concerns(event, self.cache):
                self._queue[(controller.name, ref)] = None

    def restart(self, everything: Iterable[Object]) -> None:
        """Forgets all that was queued, and queues every object once."""
        self._queue.clear()
        self._due.clear()
        for found in everything:
            self._spread(Event(self.cache.revision, None, found))

    @property
    def queued(self) -> Sequence[tuple[str, Ref]]:
        return tuple(self._queue)

    def step(self, pick: Callable[[Sequence[tuple[str, Ref]]], tuple[str, Ref]] = lambda keys: keys[0]) -> bool:
        """One reconcile. Whether there was one to do."""
        if not self._queue:
            return False
        name, ref = pick(tuple(self._queue))
        del self._queue[(name, ref)]
        planned = self._controllers[name].reconcile(ref, self.cache, self.now)
        try:
            self.apply(planned.changes)
        except ChangeError:
            self._queue[(name, ref)] = None
        if planned.requeue_after is not None:
            due = self.now + timedelta(seconds=max(0.001, planned.requeue_after))
            heapq.heappush(self._due, (due, name, ref))
        return True

    def settle(self, most: int = 2_000) -> None:
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError(f"does not converge: {self.queued[:5]}")

    def advance(self, seconds: float, after_each: Callable[[], None] | None = None) -> None:
        """Turns the clock, looking at what becomes due on the way."""
        until = self.now + timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= until:
            due, name, ref = heapq.heappop(self._due)
            self.now = max(self.now, due)
            self._queue[(name, ref)] = None
            self.settle()
            if after_each is not None:
                after_each()
        self.now = max(self.now, until)


def with_phase(pod: Pod, phase: str, now: datetime, *, ready: bool = False) -> Pod:
    """The pod as an agent would report it."""
    condition = PodCondition("True" if ready else "False", "Ready", last_transition_time=now)
    others = tuple(one for one in pod.status.conditions if one.type != "Ready")
    return structs.replace(pod, status=structs.replace(pod.status, phase=phase, conditions=(*others, condition)))


def make_ready(world: World, pods: Iterable[Pod]) -> None:
    for pod in pods:
        world.apply((UpdateStatus(with_phase(pod, "Running", world.now, ready=True)),))


def remove_terminating(world: World) -> bool:
    """Plays the agents that end what is to end. Whether there was anything."""
    found = [pod for pod in world.pods() if pod.metadata.deletion_timestamp is not None]
    for pod in found:
        world.delete(ref_of(pod), grace_seconds=0)
    return bool(found)
