"""Runs the scheduler over a cluster: pods without a node in, bindings out, one commit for each batch.

The decision is `schedule.place`; here is only what it waits for and what becomes of it. A pod that was decided upon
counts on its node from then on; where the commit is refused it is forgotten there and looked at again.

Pods that one change calls for are placed together, in the queue's order, and not as the controllers happen to get
round to making them: so the same change of the same cluster has the same outcome, and `wherry plan` can tell it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from reconciler.scheduler.binding import ASSIGNED, changes_of
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.queue import PendingPods, to_be_scheduled
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import COUNTED, Snapshot
from reconciler.store.changes import Bind, Change, ChangeError, Emit
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import Event
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of

log = logging.getLogger(__name__)

SLICE_SECONDS = 0.01
"""For how long pods are decided upon before the event loop gets its turn."""
BATCH = 256
"""Pods bound in one commit at most."""
FEW = 8
"""Events that are written together: a pod that comes meanwhile waits for no longer than these take."""
MOST_SAID = 16_384
"""Events that are put off for bindings at most."""
FIRST_BACK_OFF = 0.005
LONGEST_BACK_OFF = 60.0
"""Seconds between tries to write, where nothing can be written."""
LONGEST_WAIT = 0.5
"""For how long pods that are there wait for those that the controllers are still making."""


class Statistics(msgspec.Struct, frozen=True):
    """Figures since the start; `queued` and `unschedulable` are of the moment."""

    queued: int
    unschedulable: int
    scheduled: int
    refused: int
    longest_step_seconds: float


class SchedulerLoop:
    """Places pods until it is cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        made: Callable[[], Awaitable[None]] | None = None,
        profile: Profile = PLAIN,
    ) -> None:
        """`made` returns when the controllers make no more pods for now."""
        self._cluster, self._cache, self._clock, self._made = cluster, cluster.cache, clock, made
        self._pending = PendingPods(Snapshot(), profile)
        self._events: deque[Event] = deque()
        self._said: deque[Emit] = deque()
        self._wake = asyncio.Event()
        self.has_begun = False
        self._busy = True
        self._back_off = FIRST_BACK_OFF
        self._scheduled = self._refused = 0
        self._longest_step = 0.0

    async def run(self) -> None:
        """Takes in the cluster as it is, and from then on what changes. Ends only when cancelled."""
        end = self._cache.subscribe(self._listen)
        self.has_begun = True
        try:
            for type_ in COUNTED:
                revision = self._cache.revision
                self._events.extendleft(Event(revision, None, found) for found in reversed(self._cache.list(type_)))
                await self._take_in()
            while True:
                await self._take_in()
                await self._gather()
                busy = await self._round() or bool(self._events)
                if self._said and (not busy or len(self._said) > MOST_SAID):
                    await self._tell()
                elif not busy:
                    await self._rest()
        finally:
            end()

    @property
    def snapshot(self) -> Snapshot:
        """The cluster as it is judged by."""
        return self._pending.snapshot

    @property
    def profile(self) -> Profile:
        return self._pending.profile

    def statistics(self) -> Statistics:
        return Statistics(
            queued=len(self._pending),
            unschedulable=self._pending.resting,
            scheduled=self._scheduled,
            refused=self._refused,
            longest_step_seconds=self._longest_step,
        )

    @property
    def idle(self) -> bool:
        """Every pod has been looked at; some may have no node."""
        return not self._busy and not self._events and not len(self._pending) and not self._said

    def _listen(self, events: Sequence[Event]) -> None:
        self._events.extend(event for event in events if isinstance(event.object, COUNTED))
        if self._events:
            self._wake.set()

    async def _rest(self) -> None:
        self._wake.clear()
        self._busy = False
        due = self._pending.due
        try:
            # Without pods whose back-off runs there is nothing to wake up for but a change.
            async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass  # A pod may be looked at again.
        self._busy = True

    async def _take_in(self) -> None:
        """Brings the snapshot up to date, in slices."""
        while self._events:
            start = time.monotonic()
            while self._events and time.monotonic() - start < SLICE_SECONDS:
                some = [self._events.popleft() for _ in range(min(50, len(self._events)))]
                for _ in self._pending.taking_in(some, time.monotonic()):
                    if time.monotonic() - start > SLICE_SECONDS:
                        self._longest_step = max(self._longest_step, time.monotonic() - start)
                        await asyncio.sleep(0)
                        start = time.monotonic()
            self._longest_step = max(self._longest_step, time.monotonic() - start)
            await asyncio.sleep(0)

    async def _gather(self) -> None:
        """Waits for the rest of the pods that are being made together with those that are there."""
        if self._made is None or not len(self._pending):
            return
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._made()
        except TimeoutError:
            log.debug("the controllers do not come to rest, placing what is there pods=%d", len(self._pending))
        await self._take_in()

    async def _round(self) -> bool:
        """Decides upon a batch and writes it. Whether there was anything to decide."""
        decided: list[tuple[Pod, Decision]] = []
        start = time.monotonic()
        while len(decided) < BATCH and (ref := self._pending.take(start)) is not None:
            pod = self._present(ref)
            if pod is None:
                continue
            before = time.monotonic()
            (decision,) = schedule((pod,), self._pending.snapshot, self._pending.profile)
            decided.append((pod, decision))
            now = time.monotonic()
            self._longest_step = max(self._longest_step, now - before)
            if now - start > SLICE_SECONDS:
                await asyncio.sleep(0)
                start = time.monotonic()
        for pod, decision in decided:
            if decision.waits or not decision.node:
                self._pending.rest(pod, decision, start)
        if decided:
            await self._write(decided)
        return bool(decided)

    def _present(self, ref: Ref) -> Pod | None:
        pod = self._cache.get(Pod, ref.namespace, ref.name)
        return pod if pod is not None and to_be_scheduled(pod) else None

    async def _write(self, decided: list[tuple[Pod, Decision]]) -> None:
        """Commits the batch; a pod that has changed meanwhile is left out and looked at again."""
        while decided:
            now = self._clock().replace(microsecond=0)
            changes: list[Change] = [
                change for pod, decision in decided for change in changes_of(pod, decision, self._cache, now)
            ]
            if not changes:
                return
            later = [change for change in changes if isinstance(change, Emit) and change.reason == ASSIGNED]
            changes = [change for change in changes if not isinstance(change, Emit) or change.reason != ASSIGNED]
            for change in changes:
                if isinstance(change, Bind):
                    self._pending.snapshot.bound(change.object)
            try:
                await self._cluster.apply(changes)
            except ChangeError as error:
                log.debug("refused object=%s reason=%s", error.ref, error)
                self._refused += 1
                fresh = [pair for pair in decided if self._present(ref_of(pair[0])) is pair[0]]
                if len(fresh) == len(decided):
                    fresh = []  # Refused for another reason: each is decided upon anew.
                kept = {id(pair) for pair in fresh}
                self._forget([pair for pair in decided if id(pair) not in kept])
                decided = fresh
            except StoreError as error:
                log.warning("bindings not written pods=%d next=%.3fs reason=%s", len(decided), self._back_off, error)
                self._refused += 1
                self._forget(decided)
                await asyncio.sleep(self._back_off)
                self._back_off = min(LONGEST_BACK_OFF, self._back_off * 2)
                return
            else:
                self._said.extend(later)
                self._scheduled += sum(bool(one.node) and not one.waits for _, one in decided)
                self._back_off = FIRST_BACK_OFF
                return

    async def _tell(self) -> None:
        """Says where pods went, once none waits to be placed: an Event costs as much as a binding."""
        number = BATCH if len(self._said) > MOST_SAID else FEW
        some = [self._said.popleft() for _ in range(min(number, len(self._said)))]
        try:
            await self._cluster.apply(some)
        except (ChangeError, StoreError) as error:
            log.debug("events not written events=%d reason=%s", len(some), error)

    def _forget(self, decided: Sequence[tuple[Pod, Decision]]) -> None:
        snapshot = self._pending.snapshot
        for pod, decision in decided:
            snapshot.drop(pod)
            if decision.node:
                self._pending.freed(decision.node)
            for one in decision.objects:
                found = self._cache.find(ref_of(one))
                if found is not None:
                    snapshot.put(found)
            present = self._present(ref_of(pod))
            if present is not None:
                snapshot.put(present)
                self._pending.add(present)
