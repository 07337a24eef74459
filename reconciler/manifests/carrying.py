"""Carries the declared objects into the cluster, and puts back what drifts.

Holds what a pass has to know: which objects to look at again (`Attention`), which are settled and need no second look
(`synced`). All of it can be found out again from ledger and view.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace

from reconciler.health import health
from reconciler.manifests.attention import Attention
from reconciler.manifests.breath import Breath
from reconciler.manifests.dependencies import missing_fault, ring_fault
from reconciler.manifests.documents import FileState, SourceFault
from reconciler.manifests.history import Action, History, Planned
from reconciler.manifests.ledger import Declared, Ledger
from reconciler.manifests.ownership import fingerprint, is_applied, source_of
from reconciler.manifests.planning import look_after, namespace_of, ordered, ordered_deletes
from reconciler.manifests.prune import HeldBack, Limits, Pruning, prune
from reconciler.manifests.reports import Reports
from reconciler.manifests.status import Counts
from reconciler.manifests.waiting import Waiting, first_to_go
from reconciler.provenance import COMMIT
from reconciler.store.changes import (
    AlreadyExists,
    Change,
    ChangeError,
    Conflict,
    Create,
    Delete,
    Emit,
    NotFound,
    Refused,
    Update,
)
from reconciler.store.cluster import Applied, Cluster
from reconciler.store.view import Event, View
from schemas.dependson import needed
from schemas.meta import Object, Ref, ref_of

log = logging.getLogger(__name__)

_MOST_TRIES = 8
_MOST_TRIES_EACH = 3
_LATER_SECONDS = 1.0
_OVERTAKEN = (NotFound, AlreadyExists, Conflict)
"""Another writer was quicker: what is there now has to be looked at again."""


class Carrier:
    """`take` tells it what the folder says, `carry_out` commits what differs, the view's events tell of drift."""

    def __init__(
        self, cluster: Cluster, clock: Callable[[], datetime], admit: Callable[[Object, View], Object], limits: Limits
    ) -> None:
        self.ledger = Ledger()
        self.waiting = Waiting()
        self.history = History(cluster.cache, clock)
        self.synced: dict[Ref, bytes] = {}
        self.approved: frozenset[tuple[Ref, str]] = frozenset()
        self.commit = ""
        self.revision = 0
        self.faults: tuple[SourceFault, ...] = ()
        self.held_back: tuple[HeldBack, ...] = ()
        self.object_faults: dict[Ref, tuple[SourceFault, ...]] = {}
        self.counts = Counts()
        self.has_written = False
        self._cluster, self._clock, self._limits = cluster, clock, limits
        self.view: View = cluster.cache
        self.complete: Callable[[Object], Object] = lambda object_: admit(object_, self.view)
        self._attention = Attention(self.ledger, self.waiting, self.view)
        self._note: Callable[[], None] = lambda: None
        self._reports = Reports()
        self._file_faults: dict[str, tuple[SourceFault, ...]] = {}
        self._folder_faults: tuple[SourceFault, ...] = ()
        self._untold: list[Emit] = []
        self._unseen: deque[Event] = deque()
        self._stale = True
        self._has_looked = False
        self._is_applying = False

    def start(self, note: Callable[[], None]) -> Callable[[], None]:
        """Follows the cluster from now on, and calls `note` when there is something to put back. Returns the end."""
        self._note = note
        end = self._cluster.cache.subscribe(self._on_events)
        self._attention.begin()
        return end

    def is_settled(self, ref: Ref) -> bool:
        """Whether the object is known to be as declared."""
        return ref in self.synced and ref not in self._attention.dirty

    @property
    def to_go(self) -> Collection[Ref]:
        """Live objects of the folder's that no file names any more."""
        return self._attention.undeclared

    async def take(
        self,
        changed: Mapping[str, FileState | None],
        commit: str | None,
        earlier: Mapping[str, FileState] = MappingProxyType({}),
    ) -> None:
        """Takes in what the folder says now; without a commit (None), what it said before a restart.

        `earlier` are the states that some of those files had in between.
        """
        await self._follow({**changed, **earlier})
        await self._follow({file: changed[file] for file in earlier})
        self._stale |= bool(changed)
        if commit is not None and not self._has_looked:
            await self._doubt()
        if changed and commit is not None:
            self.history.begin()
        if commit is not None:
            self.commit, self._has_looked = commit, True

    async def _follow(self, changed: Mapping[str, FileState | None]) -> None:
        ledger, breath = self.ledger, Breath()
        touched = ledger.unsettled() if changed else set()
        for file, state in changed.items():
            touched |= ledger.replace(file, state)
            self._file_faults.pop(file, None)
            if state is not None and state.faults:
                self._file_faults[file] = state.faults
            await breath.take()
        for ref in touched:
            ledger.settle(ref, lambda ref: source_of(self.view.find(ref)))
            declared = ledger.declared.get(ref)
            self.waiting.follow(ref, needed(ref, declared.data) if declared else ())
            self._attention.touch(ref, 0)
            await breath.take()
        for ref in self.waiting.entangle():
            self._attention.dirty[ref] = 0

    async def _doubt(self) -> None:
        """Lets go of last good declarations that were outlived: remembered before a kill, and another one after that.

        Nobody changes an object while there is no reconciler. One that is not as the memory has it was declared anew.
        """
        breath, outlived = Breath(), list[Ref]()
        for declared in self.ledger.last_good():
            await breath.take()
            live = self.view.find(declared.ref)
            if live is not None and self.synced.get(declared.ref) != fingerprint(declared, live):
                outlived.append(declared.ref)
        self.ledger.forget(outlived)

    async def carry_out(self, faults: tuple[SourceFault, ...], *, hold_prune: bool) -> tuple[Ref, ...]:
        """Commits what differs, in one transaction, and returns what was deleted. Raises `StoreError`.

        `faults` are those of the folder as a whole. With `hold_prune` nothing is deleted.
        """
        self.has_written = False
        tries: Counter[Ref] = Counter()
        for _ in range(_MOST_TRIES):
            batch, self._attention.dirty = self._attention.dirty, {}
            try:
                writes = await self._writes(batch)
                pruning = self._prune(hold_prune)
                deletes, self._attention.awaited = first_to_go(pruning.deletes, self._going(pruning))
                noted = self.history.plan(self._noted(writes, deletes), self.commit)
                changes: list[Change] = [
                    *ordered(writes),
                    *ordered_deletes(deletes),
                    *self._news(faults, pruning),
                ]
                writes.clear()
                if changes or noted.operations:
                    await self._done(batch, changes, await self._apply(changes, noted))
            except ChangeError as error:
                self._overtaken(batch, error, tries)
                continue
            except BaseException:
                self._attention.dirty = batch | self._attention.dirty
                raise
            self.approved &= {(delete.ref, delete.uid) for delete in set(pruning.deletes) - set(deletes)}
            return tuple(delete.ref for delete in pruning.deletes)
        log.warning("pass given up for now, others write the same objects tries=%d", _MOST_TRIES)
        asyncio.get_running_loop().call_later(_LATER_SECONDS, self._note)
        return ()

    def _noted(self, writes: Iterable[Create | Update], deletes: Iterable[Delete]) -> dict[Ref, Action]:
        """What of it is news; what has drifted is only put back."""
        noted: dict[Ref, Action] = {delete.ref: "deleted" for delete in deletes}
        for change in writes:
            ref = ref_of(change.object)
            if not is_applied(self.ledger.declared[ref], self.synced.get(ref)):
                noted[ref] = "created" if isinstance(change, Create) else "updated"
        return noted

    async def _apply(self, changes: Sequence[Change], noted: Planned) -> Applied:
        self._is_applying = True
        try:
            applied = await self._cluster.apply(changes, noted.operations)
            self.history.take(noted)
            breath = Breath()
            while self._unseen:
                self._see(self._unseen.popleft())
                await breath.take()
            return applied
        finally:
            while self._unseen:  # where nothing was applied, they are those of others
                self._see(self._unseen.popleft())
            self._is_applying = False

    async def _writes(self, batch: Mapping[Ref, int]) -> list[Create | Update]:
        """What the objects of the batch need."""
        now, breath, writes = self._clock(), Breath(), list[Create | Update]()
        for ref in self.waiting.in_order(batch):
            await breath.take()
            before = self.object_faults.pop(ref, ())
            declared = self.ledger.declared.get(ref)
            self.waiting.open.pop(ref, None)
            if declared is None:
                self.synced.pop(ref, None)
                self._stale |= bool(before)
                continue
            faults = self._dependency_faults(declared)
            live = self.view.find(ref)
            if live is None or self.synced.get(ref) != fingerprint(declared, live):
                change, others = self._settle(declared, live, now)
                writes += [change] if change is not None else ()
                faults += others
            if faults:
                self.object_faults[ref] = faults
            self._stale |= before != faults
        return writes

    def _settle(
        self, declared: Declared, live: Object | None, now: datetime
    ) -> tuple[Create | Update | None, tuple[SourceFault, ...]]:
        """What an object needs that is not known to be as declared. What has drifted is put back in any case."""
        ref, commit = declared.ref, self.commit
        if live is not None and is_applied(declared, self.synced.get(ref)):
            commit = live.metadata.annotations.get(COMMIT, "")
        elif self.waiting.wait(ref, self._is_well):
            return None, ()
        outcome = look_after(declared, self.ledger, self.view, self.complete, commit, now)
        if outcome.faults:
            if live is None and (needed := namespace_of(ref)) is not None:
                self._attention.homeless.setdefault(needed, set()).add(ref)
        elif outcome.change is None and live is not None:
            self.synced[ref] = fingerprint(declared, live)
        return outcome.change, outcome.faults

    def _dependency_faults(self, declared: Declared) -> tuple[SourceFault, ...]:
        ref, ledger = declared.ref, self.ledger
        ring = self.waiting.rings.get(ref)
        missing = (
            missing_fault(declared, other)
            for other in self.waiting.needs.get(ref, ())
            if not ledger.is_claimed(other) and other not in ledger.declared and self.view.find(other) is None
        )
        return (*((ring_fault(declared, ring),) if ring else ()), *missing)

    def _is_well(self, ref: Ref) -> bool:
        """Whether the object is as the folder says by now, and healthy."""
        live, declared = self.view.find(ref), self.ledger.declared.get(ref)
        if live is None:
            return False
        if declared is not None:
            is_current = self.synced.get(ref) == fingerprint(declared, live) and not self.ledger.is_outlasting(ref)
            return is_current and health(live, self.view).is_healthy
        return health(live, self.view).is_healthy

    def _prune(self, hold: bool) -> Pruning:
        found = [live for ref in sorted(self._attention.undeclared) if (live := self.view.find(ref)) is not None]
        if not self._has_looked:
            reason = "the folder could not be read since the start"
            return Pruning(held_back=tuple(HeldBack(ref_of(live), live.metadata.uid, reason) for live in found))
        if hold:
            return Pruning(held_back=self.held_back)
        return prune(
            found,
            owned=len(self._attention.owned),
            is_empty=not self.ledger.files,
            hidden_in=self.ledger.hidden_in,
            approved=self.approved,
            limits=self._limits,
        )

    def _going(self, pruning: Pruning) -> list[Object]:
        """All that is being deleted, or is to be."""
        refs = {delete.ref for delete in pruning.deletes}
        found = (live for ref in sorted(self._attention.undeclared) if (live := self.view.find(ref)) is not None)
        return [live for live in found if ref_of(live) in refs or live.metadata.deletion_timestamp is not None]

    def _news(self, faults: tuple[SourceFault, ...], pruning: Pruning) -> list[Emit]:
        """The Events to tell. Those of a commit that fails are told with the next."""
        if self._stale or faults != self._folder_faults:
            by_place = [*faults]
            for some in (self._file_faults, self.ledger.duplicates, self.object_faults):
                by_place += [fault for found in some.values() for fault in found]
            self.faults = tuple(sorted(by_place, key=lambda fault: (fault.file, fault.line, fault.field)))
            self._folder_faults, self._stale = faults, False
            self._untold += self._reports.news(self.faults, self.ledger, self.view, self.commit)
        if pruning.held_back != self.held_back:
            self.held_back = pruning.held_back
            self._untold += self._reports.held(self.held_back, self.view, self.commit)
        self._reports.is_starting &= not self._has_looked
        return self._untold

    async def _done(self, batch: Mapping[Ref, int], changes: list[Change], applied: Applied) -> None:
        """Takes note of what was committed, and lets go of it; its own events call for nothing more."""
        self._untold = []
        self.revision = applied.revision
        put_back, breath = 0, Breath()
        for change, object_ in zip(changes, applied.objects, strict=True):
            if isinstance(change, Create | Update) and object_ is not None:
                ref = ref_of(object_)
                self.synced[ref] = fingerprint(self.ledger.declared[ref], object_)
                if self._attention.dirty.get(ref) == int(object_.metadata.resource_version):
                    del self._attention.dirty[ref]
                if batch.get(ref):
                    put_back += 1
                    log.info("put back what had drifted object=%r", str(ref))
                await breath.take()
        if self._attention.dirty or self.history.has_news:
            self._note()
        kinds: Counter[type[Change]] = Counter()
        while changes:  # one by one: to free thousands at once takes long
            kinds[type(changes.pop())] += 1
            await breath.take()
        self._count(kinds, put_back)

    def _count(self, kinds: Counter[type[Change]], put_back: int) -> None:
        created, updated, deleted = kinds[Create], kinds[Update], kinds[Delete]
        self.has_written = bool(created or updated or deleted)
        if not self.has_written:
            return
        counts = self.counts
        self.counts = replace(
            counts,
            created=counts.created + created,
            updated=counts.updated + updated,
            deleted=counts.deleted + deleted,
            put_back=counts.put_back + put_back,
        )
        log.info(
            "committed created=%d updated=%d deleted=%d revision=%d commit=%s",
            *(created, updated, deleted, self.revision, self.commit or "none"),
        )

    def _overtaken(self, batch: dict[Ref, int], error: ChangeError, tries: Counter[Ref]) -> None:
        """Prepares the next try after one that was refused; what is refused for good becomes a fault."""
        ref = error.ref
        tries[ref] += 1
        self.counts = replace(self.counts, retries=self.counts.retries + 1)
        self._attention.dirty = batch | self._attention.dirty
        if not isinstance(error, _OVERTAKEN) and (declared := self.ledger.declared.get(ref)) is not None:
            self._attention.dirty.pop(ref, None)
            label = f"{ref.kind}/{ref.name}"
            self.object_faults[ref] = (SourceFault(declared.file, declared.line, label, "", str(error)),)
            self._stale = True
            if isinstance(error, Refused):
                self._attention.refused.add(ref)
        elif tries[ref] >= _MOST_TRIES_EACH and self._attention.dirty.pop(ref, None) is not None:
            asyncio.get_running_loop().call_later(_LATER_SECONDS, self._again, ref)

    def _again(self, ref: Ref) -> None:
        self._attention.dirty.setdefault(ref, 0)
        self._note()

    # What happens to the live objects

    def _on_events(self, events: Sequence[Event]) -> None:
        if self._is_applying:  # they may be thousands, and are of use only afterwards
            self._unseen.extend(events)
            return
        for event in events:
            self._see(event)
        if self._attention.dirty or self.history.has_news:
            self._note()

    def _see(self, event: Event) -> None:
        if event.object.kind != "Event":
            self.history.see(ref_of(event.object))
            self._attention.see(event)
