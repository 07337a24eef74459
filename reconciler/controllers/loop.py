"""One work queue for all controllers.

A key is a controller and an object. A key is never worked on twice at a time; what happens to it meanwhile makes it
run once more afterwards. Its next plan is computed from a view that holds the commit of its last one. Plans of
different keys are computed in slices that give the event loop back, and are applied concurrently, so that the store
can group their commits. Where there is nothing to do there is no timer, but for what a plan itself has asked for.
"""

import asyncio
import heapq
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from reconciler.controllers.interface import Controller, Plan
from reconciler.store.changes import Change, ChangeError, Create, Emit, Refused, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import Event
from schemas.apps import Deployment
from schemas.kinds import KINDS
from schemas.meta import Ref

log = logging.getLogger(__name__)

SLICE_SECONDS = 0.01
"""For how long plans are computed before the event loop gets its turn."""
IN_FLIGHT = 256
"""Plans that are being applied at a time; more would only wait in the store."""
FIRST_BACK_OFF = 0.005
LONGEST_BACK_OFF = 60.0
OVERTAKEN_TRIES = 4
"""Up to these a refusal is taken for one by another plan that was quicker; they are over within 75 ms."""


LONGEST_SLEEP = 600.0
"""Seconds after which the clock is looked at while something waits for a time: the machine may have slept."""
SET_SECONDS = 2.0
"""By so much the clock differs from what has passed when somebody has set it."""


class Key(NamedTuple):
    """One object as the concern of one controller."""

    controller: str
    ref: Ref


class Statistics(msgspec.Struct, frozen=True):
    """Figures since the start; `queued`, `delayed`, `retrying` and `in_flight` are of the moment."""

    queued: int
    delayed: int
    retrying: int
    """Of those delayed: refused the last time, most often because another plan was quicker."""
    in_flight: int
    reconciled: dict[str, int]
    failed: dict[str, int]
    longest_step_seconds: float


class ControllerLoop:
    """Runs controllers over a cluster until it is cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        controllers: Sequence[Controller],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster, self._cache, self._clock = cluster, cluster.cache, clock
        self._controllers = {controller.name: controller for controller in controllers}
        self._events: deque[Event] = deque()
        self._queue: dict[Key, None] = {}
        self._working: dict[Key, bool] = {}
        self._due: dict[Key, float] = {}
        self._timers: list[tuple[float, Key]] = []
        self._ahead = clock().timestamp() - time.monotonic()
        self._failures: Counter[Key] = Counter()
        self._applying: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._has_begun = False
        self._rested = asyncio.Event()
        self._telling: set[Key] = set()
        """Of those being worked on: what is written is only a Deployment's status, from which no pods follow."""
        self._reconciled: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._longest_step = 0.0

    async def run(self) -> None:
        """Looks at every object once, and from then on at what changes. Ends only when cancelled."""
        end = self._cache.subscribe(self._listen)
        self._has_begun = True
        try:
            self._events.extend(self._everything())
            while True:
                self._slice()
                if not self._events and (not self._queue or len(self._applying) >= IN_FLIGHT):
                    await self._rest()
                else:
                    await asyncio.sleep(0)
        finally:
            end()
            for task in self._applying:
                task.cancel()
            await asyncio.gather(*self._applying, return_exceptions=True)

    def statistics(self) -> Statistics:
        return Statistics(
            queued=len(self._queue) + len(self._events),
            delayed=len(self._due),
            retrying=len(self._failures),
            in_flight=len(self._applying),
            reconciled=dict(self._reconciled),
            failed=dict(self._failed),
            longest_step_seconds=self._longest_step,
        )

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    @property
    def idle(self) -> bool:
        """Nothing is queued or being applied; what is due later may remain."""
        return not (self._queue or self._events or self._working)

    async def at_rest(self) -> None:
        """Returns when the loop has begun, and all that has happened so far has had its consequences."""
        while not (self._has_begun and self.idle):
            self._rested.clear()
            await self._rested.wait()

    async def has_made(self) -> None:
        """Returns when no pods will come of what has happened so far; statuses may still be on their way to disk."""
        while self._has_begun and not self._makes_nothing:
            self._rested.clear()
            await self._rested.wait()

    @property
    def _makes_nothing(self) -> bool:
        overtaken = self._failures and any(tries <= OVERTAKEN_TRIES for tries in self._failures.values())
        return not (self._queue or self._events or overtaken) and len(self._working) == len(self._telling)

    def _everything(self) -> Sequence[Event]:
        revision = self._cache.revision
        return [Event(revision, None, found) for kind in KINDS for found in self._cache.list(kind.type)]

    def _listen(self, events: Sequence[Event]) -> None:
        self._events.extend(events)
        self._wake.set()

    async def _rest(self) -> None:
        """Until an event comes, a commit is done, or something is due."""
        if self._makes_nothing:
            self._rested.set()
        self._wake.clear()
        due = self._next_due()
        wait = None if due is None else min(LONGEST_SLEEP, max(0.0, due - time.monotonic()))
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            pass  # Something is due, or the clock was set: the next slice sees to it.

    def _slice(self) -> None:
        """Works off events and keys until the time is up."""
        start = time.monotonic()
        self._take_due(start)
        while time.monotonic() - start < SLICE_SECONDS:
            before = time.monotonic()
            if self._events:
                self._spread(self._events.popleft())
            elif self._queue and len(self._applying) < IN_FLIGHT:
                self._work(next(iter(self._queue)))
            else:
                return
            self._longest_step = max(self._longest_step, time.monotonic() - before)

    def _spread(self, event: Event) -> None:
        for controller in self._controllers.values():
            try:
                refs = tuple(controller.concerns(event, self._cache))
            except Exception:
                # A bug in one controller must not stop the others.
                log.exception("failed to tell concerns controller=%s object=%s", controller.name, event.object.kind)
                self._failed[controller.name] += 1
                continue
            for ref in refs:
                self._add(Key(controller.name, ref))

    def _add(self, key: Key) -> None:
        if key in self._working:
            self._working[key] = True
        else:
            self._due.pop(key, None)
            self._queue[key] = None

    def _work(self, key: Key) -> None:
        del self._queue[key]
        self._reconciled[key.controller] += 1
        now = self._clock().replace(microsecond=0)  # As precise as times are in the API.
        try:
            plan = self._controllers[key.controller].reconcile(key.ref, self._cache, now)
        except Exception as error:
            # A bug in one reconcile must not stop the others: it is said, and tried again later.
            log.exception("failed to reconcile controller=%s object=%s", key.controller, key.ref)
            self._back_off(key, error)
            return
        if not plan.changes:
            self._settle(key, plan)
            return
        self._working[key] = False
        if all(_tells(change) for change in plan.changes):
            self._telling.add(key)
        task = asyncio.create_task(self._apply(key, plan), name=f"apply[{key.controller} {key.ref}]")
        self._applying.add(task)
        task.add_done_callback(self._applied)

    def _applied(self, task: asyncio.Task[None]) -> None:
        self._applying.discard(task)
        self._wake.set()

    async def _apply(self, key: Key, plan: Plan) -> None:
        try:
            await self._carry_out(key, plan.changes)
        except (ChangeError, StoreError) as error:
            log.debug("refused controller=%s object=%s reason=%s", key.controller, key.ref, error)
            self._release(key)
            self._back_off(key, error)
        except Exception as error:
            log.exception("failed to apply controller=%s object=%s", key.controller, key.ref)
            self._release(key)
            self._back_off(key, error)
        else:
            again = self._release(key)
            self._settle(key, plan)
            if again:
                self._add(key)

    async def _carry_out(self, key: Key, changes: Sequence[Change]) -> None:
        """All changes, or where admission refuses some, all others; then it raises, and it is tried again later."""
        try:
            await self._cluster.apply(changes)
        except Refused as error:
            left = without_refused(changes, error)
            if len(left) < len(changes):
                await self._carry_out(key, left)
            raise

    def _release(self, key: Key) -> bool:
        """Whether the key came again while it was worked on."""
        self._telling.discard(key)
        return self._working.pop(key, False)

    def _settle(self, key: Key, plan: Plan) -> None:
        self._failures.pop(key, None)
        if plan.requeue_after is not None:
            self._delay(key, plan.requeue_after)

    def _back_off(self, key: Key, error: Exception) -> None:
        self._failures[key] += 1
        self._failed[key.controller] += 1
        wait = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** min(30, self._failures[key] - 1))
        if wait >= 1:
            log.warning(
                "still failing controller=%s object=%s times=%d next=%.0fs reason=%s",
                key.controller,
                key.ref,
                self._failures[key],
                wait,
                error,
            )
        self._delay(key, wait)

    def _delay(self, key: Key, seconds: float) -> None:
        if key in self._queue:
            return
        when = time.monotonic() + seconds
        if when < self._due.get(key, float("inf")):
            self._due[key] = when
            heapq.heappush(self._timers, (when, key))

    def _next_due(self) -> float | None:
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)  # Was looked at in the meantime.
        return self._timers[0][0] if self._timers else None

    def _take_due(self, now: float) -> None:
        ahead = self._clock().timestamp() - now
        if abs(ahead - self._ahead) > SET_SECONDS:
            # What waits was worked out by another time: on a board without a battery, by one of long ago.
            self._ahead = ahead
            self._timers = [(now, key) for key in self._due]
            self._due = dict.fromkeys(self._due, now)
        while (due := self._next_due()) is not None and due <= now:
            _, key = heapq.heappop(self._timers)
            del self._due[key]
            self._add(key)


def without_refused(changes: Sequence[Change], error: Refused) -> tuple[Change, ...]:
    """The changes but the one that was refused, those after it that make more of its kind, and what tells of them."""
    kept, is_refused = list[Change](), False
    for change in changes:
        is_refused |= change is error.change
        is_moot = isinstance(change, Create) and change.object.kind == error.ref.kind
        if not (is_refused and (is_moot or isinstance(change, Emit | UpdateStatus))):
            kept.append(change)
    return tuple(kept)


def _tells(change: Change) -> bool:
    """Whether nothing but a Deployment's status, or an Event, is written."""
    return isinstance(change, Emit) or (isinstance(change, UpdateStatus) and isinstance(change.object, Deployment))
