"""Runs controllers, scheduler and nodes over a copy of the cluster, one after the other, until nothing moves.

Pure and synchronous. The order is the daemon's: controllers work their queue off, then the scheduler places all pods
that they made, and only then the nodes report. When none of them has anything to do, time moves on to what is due.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from reconciler.controllers.interface import Controller
from reconciler.plan import nodes
from reconciler.plan.world import World
from reconciler.scheduler.binding import SCHEDULED, changes_of
from reconciler.scheduler.queue import PendingPods, to_be_scheduled
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import COUNTED, Snapshot
from reconciler.store.changes import Change, ChangeError
from reconciler.store.view import Event
from schemas import conditions
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Ref

STEP = timedelta(seconds=1)
"""What the nodes take to do what they are told."""
LONGEST = timedelta(hours=24)
MOST_STEPS = 10_000
_MOST_TRIES = 5
_Key = tuple[str, Ref]


class Endless(Exception):
    """The cluster does not come to rest. The text names what keeps moving."""


class Stepping:
    """`rest` brings the world to rest. `between` is asked for more work whenever the brain has come to rest."""

    def __init__(self, world: World, controllers: Sequence[Controller], between: Callable[[], bool]) -> None:
        self.world, self._between = world, between
        self._controllers = {one.name: one for one in controllers}
        self._events: deque[Event] = deque()
        self._queue: dict[_Key, None] = {}
        self._due: list[tuple[datetime, _Key]] = []
        self._tries: Counter[_Key] = Counter()
        self._pending = PendingPods(Snapshot())
        self._unseen: list[Event] = []
        world.subscribe(self._listen)
        self._start()

    def _start(self) -> None:
        """Everything is looked at once; pods that were refused a node wait as they do in the daemon."""
        cache = self.world.cache
        for type_ in COUNTED:
            self._pending.take_in([Event(cache.revision, None, found) for found in cache.list(type_)])
        waiting = []
        while (ref := self._pending.take()) is not None:
            pod = cache.get(Pod, ref.namespace, ref.name)
            assert pod is not None
            told = conditions.find(pod.status.conditions, SCHEDULED)
            if told is not None and told.status == "False":
                self._pending.rest(pod)
            else:
                waiting.append(pod)
        for pod in waiting:
            self._pending.add(pod)
        self._events.extend(Event(cache.revision, None, found) for kind in KINDS for found in cache.list(kind.type))

    def _listen(self, events: Sequence[Event]) -> None:
        self._events.extend(events)
        self._unseen.extend(event for event in events if isinstance(event.object, COUNTED))

    def rest(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Until nothing is left to do, not even later. Raises `Endless`."""
        end = self.world.now + LONGEST
        for _ in range(MOST_STEPS):
            self.think()
            after_step()
            if self._nodes_report():
                continue
            if not self._wait(end):
                return
        raise Endless(f"the cluster does not come to rest within {MOST_STEPS} steps; still moving: {self._moving()}")

    def think(self) -> None:
        """Controllers, scheduler and `between`, until none of them has anything to do."""
        while True:
            self._control()
            if not self._schedule() and not self._between():
                return

    def _control(self) -> None:
        for _ in range(MOST_STEPS * 100):
            if self._events:
                self._spread(self._events.popleft())
            elif self._queue:
                key = next(iter(self._queue))
                del self._queue[key]
                self._reconcile(key)
            else:
                return
        raise Endless(f"the controllers do not come to rest; still queued: {self._moving()}")

    def _moving(self) -> str:
        keys = [*self._queue, *(key for _, key in self._due)]
        return ", ".join(f"{name} of {ref}" for name, ref in keys[:3]) or "the nodes"

    def _spread(self, event: Event) -> None:
        for controller in self._controllers.values():
            for ref in controller.concerns(event, self.world.cache):
                self._queue[(controller.name, ref)] = None

    def _reconcile(self, key: _Key) -> None:
        name, ref = key
        plan = self._controllers[name].reconcile(ref, self.world.cache, self.world.now)
        try:
            self.world.apply(plan.changes)
        except ChangeError:
            # Another one was quicker, or it cannot be: the daemon tries again, too, and later and later.
            self._tries[key] += 1
            if self._tries[key] < _MOST_TRIES:
                self._queue[key] = None
            return
        self._tries.pop(key, None)
        if plan.requeue_after is not None:
            due = self.world.now + timedelta(seconds=max(1.0, plan.requeue_after))
            heapq.heappush(self._due, (due, key))

    def _schedule(self) -> bool:
        """Places all that waits, in one commit. Whether anything was written."""
        if self._unseen:
            self._pending.take_in(self._unseen)
            self._unseen = []
        changes: list[Change] = []
        while (ref := self._pending.take()) is not None:
            pod = self.world.cache.get(Pod, ref.namespace, ref.name)
            if pod is None or not to_be_scheduled(pod):
                continue
            (decision,) = schedule((pod,), self._pending.snapshot)
            if decision.waits or not decision.node:
                self._pending.rest(pod, decision)
            changes += changes_of(pod, decision, self.world.cache, self.world.now)
        self.world.apply(changes)
        return bool(changes)

    def _nodes_report(self) -> bool:
        said = nodes.reports(self.world.cache, self.world.now + STEP)
        if said:
            self.world.now += STEP
            self.world.apply(said)
        return bool(said)

    def _wait(self, end: datetime) -> bool:
        """Moves on to what is due next, unless that is nothing, or too far away."""
        if not self._due or self._due[0][0] > end:
            return False
        self.world.now = max(self.world.now, self._due[0][0])
        while self._due and self._due[0][0] <= self.world.now:
            self._queue[heapq.heappop(self._due)[1]] = None
        return True
