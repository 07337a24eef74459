"""Keeps the cluster as the folder declares it: looks when something changed, and commits the difference.

Asynchronous and thin: what to do is decided in `ledger`, `planning`, `ownership` and `prune`. Level-triggered: a pass
compares what is declared with what is there, for the objects that either side touched; a pass that was lost, doubled
or cut short changes nothing but the delay.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from reconciler.manifests.carrying import Carrier
from reconciler.manifests.checkout import Checkout
from reconciler.manifests.describing import describe
from reconciler.manifests.documents import SourceFault
from reconciler.manifests.gathering import Gathering
from reconciler.manifests.history import PREFIX
from reconciler.manifests.memory import Memory, recall, remember
from reconciler.manifests.prune import Limits
from reconciler.manifests.source import EMPTY_SECONDS, Look, Source, Unreadable, Unsettled
from reconciler.manifests.status import SyncStatus
from reconciler.manifests.watch import RESCAN_SECONDS, FolderWatch
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import View
from schemas.decode import FieldValidation
from schemas.defaults import defaulted
from schemas.meta import Object, Ref

log = logging.getLogger(__name__)

_FEW_FILES = 200
"""Up to these, a walk is over within milliseconds and a thread would only cost time."""
_MEMORY_SECONDS = 1.0
_RETRY_SECONDS = 1.0


class ManifestSync:
    """One folder, one cluster. `run` keeps them equal until it is cancelled; `status` can be read at any time.

    `admit` is what the cluster completes objects with on their way in (the same that `Cluster` was given), so that
    its additions are not taken for drift. `memory` is a file that makes restarts quick.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        admit: Callable[[Object, View], Object] = lambda object_, _: defaulted(object_),
        memory: Path | None = None,
        limits: Limits | None = None,
        validation: FieldValidation = "Strict",
    ) -> None:
        self.status = SyncStatus()
        self.seen = asyncio.Event()
        """Set once the folder has been read whole and what it declares is committed."""
        self._cluster, self._folder, self._clock, self._memory = cluster, folder, clock, memory
        self._source = Source(folder, validation)
        self.carrier = Carrier(cluster, clock, admit, limits or Limits())
        self._holding = ""
        self._unreadable: tuple[SourceFault, ...] = ()
        self._files = 0
        self._is_passing = False
        self._unsaved: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._describing: asyncio.Task[None] | None = None
        self._writing_memory = threading.Lock()
        self._remembered: Mapping[Ref, bytes] = {}
        self._approvals: list[asyncio.Future[tuple[Ref, ...]]] = []

    async def run(self) -> None:
        """Runs until it is cancelled."""
        self._gathering = Gathering()
        self._watch = FolderWatch(self._gathering, self._source.versions)
        self.carrier.history.load(await self._cluster.store.list(PREFIX))
        unsubscribe = self.carrier.start(self._gathering.note)
        try:
            await self._recall()
            while True:
                self._is_passing = True
                await self._guarded_pass()
                self._is_passing = False
                await self._wait()
        finally:
            unsubscribe()
            self._watch.close()
            if self._describing is not None:
                self._describing.cancel()
            self._save_now()

    @property
    def idle(self) -> bool:
        """No pass is under way, and nothing is known that would call for one."""
        return not self._is_passing and not self._gathering.is_noted

    def look_at_all(self) -> None:
        """Has the whole folder looked at again, as if the events of it had been lost."""
        self._watch.on_queue_overflow()

    async def approve(self) -> tuple[Ref, ...]:
        """Lets go what is held back and may be approved, exactly as `status` shows it. Returns what was let go.

        Should more have come to it meanwhile, all of it is held again and nothing is returned.
        """
        shown = frozenset((one.ref, one.uid) for one in self.status.held_back if one.approvable)
        if not shown:
            return ()
        self.carrier.approved = shown
        answer: asyncio.Future[tuple[Ref, ...]] = asyncio.get_running_loop().create_future()
        self._approvals.append(answer)
        self._gathering.note()
        return await answer

    # A pass

    async def _wait(self) -> None:
        """Until there is a reason for another pass."""
        watched = not (self._watch.limit or self._holding)
        if not await self._gathering.at_rest(self._watch.is_writing, None if watched else RESCAN_SECONDS):
            self._watch.changed = True
            if self._holding:
                log.warning("folder still held folder=%s reason=%r", self._folder, self._holding)

    async def _guarded_pass(self) -> None:
        try:
            await self._pass()
        except StoreError as error:
            log.error("pass not committed, trying again in %d s error=%r", _RETRY_SECONDS, str(error))
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._gathering.note)

    async def _pass(self) -> None:
        time = asyncio.get_running_loop().time
        started = time()
        answers, self._approvals = self._approvals, []
        if self._watch.changed:
            self._watch.changed = False
            if (look := await self._look()) is not None:
                self._files = look.files
                if look.is_early:
                    asyncio.get_running_loop().call_later(EMPTY_SECONDS, self._look_again)
                await self.carrier.take(look.changed, look.commit, look.earlier)
                if look.changed:
                    self._save_soon()
        deleted = await self.carrier.carry_out(self._unreadable, hold_prune=bool(self._holding))
        if self.carrier.has_written:
            self._save_soon()
        self._describe_soon()
        if not self._holding:
            self.seen.set()
        self._show(time() - started)
        for answer in answers:
            if not answer.done():
                answer.set_result(deleted)

    def _look_again(self) -> None:
        self._watch.changed = True
        self._gathering.note()

    async def _look(self) -> Look | None:
        """One state of the folder, None while there is none to be had."""
        try:
            look = await self._seen()
        except Unsettled as error:
            if not self._holding:
                self._gathering.note()  # most often it is over by then; after that, an event or the rescan tells
            self._holding = str(error)
            return None
        except Unreadable as error:
            self._holding = str(error)
            self._unreadable = (SourceFault(str(self._folder), 1, "", "", str(error)),)
            return None
        self._holding, self._unreadable = "", ()
        return look

    async def _seen(self) -> Look:
        source, watch = self._source, self._watch
        writing, touched = watch.writing(), watch.touched()
        if 0 < len(source.known) <= _FEW_FILES:
            scan = source.scan(watch, writing, touched)
        else:
            scan = await asyncio.to_thread(source.scan, watch, writing, touched)
        look = await asyncio.to_thread(source.read, scan, watch.written)  # a first fault alone takes 90 ms of imports
        watch.end_round()
        return look

    def _show(self, seconds: float) -> None:
        carrier = self.carrier
        self.status = SyncStatus(
            commit=carrier.commit,
            revision=carrier.revision,
            files=self._files,
            objects=len(carrier.ledger.declared),
            faults=carrier.faults,
            held_back=carrier.held_back,
            holding=self._holding,
            watch_limit=self._watch.limit,
            last_pass=self._clock(),
            last_pass_seconds=seconds,
            counts=replace(
                carrier.counts,
                passes=self.status.counts.passes + 1,
                reads=self._source.reads,
                parses=self._source.parses,
            ),
        )

    # What a restart need not find out again

    async def _recall(self) -> None:
        if self._memory is None:
            return
        memory = await asyncio.to_thread(recall, self._memory)
        self._source.known = dict(memory.known)
        self.carrier.ledger.restore(memory.kept)
        self.carrier.synced = dict(memory.synced)
        self._remembered = memory.synced
        await self.carrier.take(memory.states, None)

    def _describe_soon(self) -> None:
        """Asks git who made the commits that changed something; nobody waits for the answer."""
        checkout = self._source.checkout
        if checkout is None or self._describing is not None or not self.carrier.history.undescribed:
            return
        self._describing = asyncio.create_task(self._describe(checkout), name="manifests-describe")
        self._describing.add_done_callback(lambda _: setattr(self, "_describing", None))

    async def _describe(self, checkout: Checkout) -> None:
        await asyncio.sleep(_MEMORY_SECONDS)  # what the commit asks for goes first
        for commit in sorted(self.carrier.history.undescribed):
            self.carrier.history.describe(commit, await asyncio.to_thread(describe, checkout, commit))
        self._gathering.note()

    def _save_soon(self) -> None:
        if self._memory is not None and self._unsaved is None:
            self._unsaved = asyncio.get_running_loop().call_later(_MEMORY_SECONDS, self._save)

    def _save(self) -> None:
        self._unsaved = None
        if self._is_passing:  # what was read and what was made of it go together only when it is over
            self._save_soon()
            return
        self._saving = asyncio.create_task(asyncio.to_thread(self._remember, self._snapshot()), name="manifests-memory")

    def _save_now(self) -> None:
        """At the end, also what was only looked at again since: not worth a write of its own, but a quick restart."""
        if self._unsaved is not None:
            self._unsaved.cancel()
        elif self._memory is None or self.carrier.synced == self._remembered:
            return
        if not self._is_passing:
            self._remember(self._snapshot())

    def _snapshot(self) -> Memory:
        """Copies alone, for there may be thousands."""
        ledger = self.carrier.ledger
        return Memory(
            known=dict(self._source.known),
            states=dict(ledger.files),
            kept=ledger.last_good(),
            synced=dict(self.carrier.synced),
        )

    def _remember(self, memory: Memory) -> None:
        assert self._memory is not None
        try:
            with self._writing_memory:  # the last one, at the end, may find an earlier one still at work
                remember(self._memory, memory)
                self._remembered = memory.synced
        except OSError as error:
            log.warning("memory of the manifests not written file=%s error=%r", self._memory, str(error))
