"""The default store: the present state in SQLite, the newest history in memory.

Commits are taken in order by one task. All that arrive while a transaction is being written go into the next, so
that they share one fsync; a commit is seen by readers and watchers once all that it and the earlier ones asked to be
durable is on disk. Revisions are reserved on disk in blocks, so that a restart goes on after every revision
that was ever handed out, although commits that are not durable write nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from reconciler.store.history import Bounds, History
from reconciler.store.interface import Change, Entry, Mismatch, Put, Remove, StoreError
from reconciler.store.ordering import Batch, Slot, digest_of
from reconciler.store.pause import Pause
from reconciler.store.sqlitefile import CHECKPOINT_BYTES, SqliteFile

log = logging.getLogger(__name__)

BOUNDS = Bounds(seconds=300, commits=10_000, size=2 << 20)
"""Of the history that watches can go back to."""
REVISION_BLOCK = 10_000


class Statistics(msgspec.Struct, frozen=True):
    """Sizes, for metrics."""

    revision: int
    entries: int
    file_bytes: int
    log_bytes: int
    unwritten: int
    """Keys whose present state waits for the next flush."""
    history_commits: int
    history_bytes: int
    transactions: int
    """Written since the store was opened."""


_Operations = tuple[Put | Remove, ...]
_Waiting = tuple[_Operations, asyncio.Future[int]]


class SqliteStore:
    """A `Store` in one SQLite file."""

    def __init__(self, file: SqliteFile, slots: dict[str, Slot], bounds: Bounds) -> None:
        self._file = file
        self._slots = slots
        self._unwritten: dict[str, bytes | None] = {}
        self._ceiling = self._revision = file.head.ceiling
        self._history: History[tuple[Change, ...]] = History(self._revision, bounds)
        self._news = asyncio.Event()  # of the next commit; each commit replaces it
        self._queue: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        # Held while the file and what is visible may differ: under it both are at one revision.
        self._steady = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, bounds: Bounds = BOUNDS) -> "SqliteStore":
        """Opens the store, or makes it; a corrupt one is set aside and a new one, with a new id, begun.

        Raises `StoreError` where the file cannot be used, say because another process has it open.
        """
        file = await SqliteFile.open(path)
        try:
            slots = {
                key: Slot(created, modified, digest_of(value)) async for key, value, created, modified in file.stream()
            }
        except BaseException:
            await file.close()
            raise
        return cls(file, slots, bounds)

    @property
    def id(self) -> str:
        return self._file.head.id

    @property
    def revision(self) -> int:
        return self._revision

    async def get(self, key: str) -> Entry | None:
        async with self._at_rest():
            slot = self._slots.get(key)
            if slot is None:
                return None
            value = self._unwritten[key] if key in self._unwritten else await self._file.value(key)
        if value is None:
            raise StoreError(f"{self._file.path}: {key} has gone from the file; another process has changed it")
        return Entry(key, value, slot.created, slot.modified)

    async def list(self, prefix: str = "") -> tuple[Entry, ...]:
        async with self._at_rest():
            found = {row[0]: Entry(*row) for row in await self._file.rows(prefix)}
            for key, value in self._unwritten.items():
                if key.startswith(prefix):
                    slot = self._slots.get(key)
                    if slot is None or value is None:
                        found.pop(key, None)
                    else:
                        found[key] = Entry(key, value, slot.created, slot.modified)
        return tuple(found[key] for key in sorted(found))

    async def commit(self, operations: Sequence[Put | Remove]) -> int:
        self._require_open()
        taken = tuple(operations)
        _check(taken)
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append((taken, waiter))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_queue(), name="store-writer")
        return await waiter

    def watch(self, prefix: str = "", after: int | None = None) -> AsyncIterator[tuple[Change, ...]]:
        return self._watch(prefix, self._revision if after is None else after)

    async def flush(self) -> None:
        async with self._at_rest():
            await self._flush()

    async def compact(self, before: int) -> None:
        async with self._at_rest():
            self._history.forget_before(min(before, self._revision + 1))
            await self._file.give_back()

    async def snapshot(self, path: Path) -> None:
        async with self._at_rest():
            await self._flush()
            await self._file.copy_to(path)

    def statistics(self) -> Statistics:
        return Statistics(
            revision=self._revision,
            entries=len(self._slots),
            file_bytes=self._file.file_bytes,
            log_bytes=self._file.log_bytes,
            unwritten=len(self._unwritten),
            history_commits=len(self._history),
            history_bytes=self._history.size,
            transactions=self._file.transactions,
        )

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer is not None:
                await self._writer
            async with self._steady:
                await self._flush()
        finally:
            await self._file.close()
            self._news.set()

    async def _watch(self, prefix: str, after: int) -> AsyncIterator[tuple[Change, ...]]:
        while True:
            news = self._news
            found = self._history.next_after(after)
            if found is not None:
                seen, (after, changes) = after, found
                wanted = tuple(change for change in changes if change.revision > seen and change.key.startswith(prefix))
                if wanted:
                    yield wanted
            elif self._closed:
                return
            else:
                await news.wait()

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                waiting, self._queue = self._queue, []
                try:
                    async with self._steady:
                        await self._carry_out(waiting)
                        await self._checkpoint()
                except Exception as error:  # the writer outlives whatever one round meets
                    log.exception("commits failed count=%d path=%s", len(waiting), self._file.path)
                    for _, waiter in waiting:
                        _fail(waiter, StoreError(f"{self._file.path}: the commit was not written: {error!r}"))
        finally:
            self._writer = None

    async def _checkpoint(self) -> None:
        if self._file.log_bytes <= CHECKPOINT_BYTES:
            return
        try:
            await self._file.checkpoint()
        except StoreError as error:  # the commits are safe in the log; the next round tries again
            log.warning("write-ahead log not written back bytes=%d error=%r", self._file.log_bytes, str(error))

    async def _carry_out(self, waiting: Sequence[_Waiting]) -> None:
        """Commits all that are waiting in one transaction, or none where it fails."""
        batch = Batch(self._slots, self._unwritten, self._revision)
        taken: list[tuple[int, tuple[Change, ...]] | Mismatch] = []
        live = [(operations, waiter) for operations, waiter in waiting if not waiter.done()]
        pause = Pause()
        for operations, _ in live:
            try:
                taken.append(batch.add(operations))
            except Mismatch as error:
                taken.append(error)
            await pause.when_due()
        try:
            await self._write(batch)
        except StoreError as error:
            for _, waiter in live:
                _fail(waiter, error)
            return
        self._publish(batch, [outcome for outcome in taken if not isinstance(outcome, Mismatch)])
        for (_, waiter), outcome in zip(live, taken, strict=True):
            if isinstance(outcome, Mismatch):
                _fail(waiter, outcome)
            elif not waiter.done():
                waiter.set_result(outcome[0])

    async def _write(self, batch: Batch) -> None:
        left = self._ceiling - batch.revision
        if not batch.durable and left >= 0:
            return
        puts, removed = [], []
        for key in batch.durable:
            value = batch.values[key]
            slot = batch.slots[key] if key in batch.slots else self._slots.get(key)
            if slot is None or value is None:
                removed.append(key)
            else:
                puts.append((key, value, slot.created, slot.modified))
        ceiling = batch.revision + REVISION_BLOCK if left < REVISION_BLOCK // 2 else None
        await self._file.write(sorted(puts), removed, ceiling)
        if ceiling is not None:
            self._ceiling = ceiling

    def _publish(self, batch: Batch, commits: Sequence[tuple[int, tuple[Change, ...]]]) -> None:
        for key, slot in batch.slots.items():
            if slot is None:
                self._slots.pop(key, None)
            else:
                self._slots[key] = slot
        for key, value in batch.values.items():
            if key in batch.durable:
                self._unwritten.pop(key, None)
            else:
                self._unwritten[key] = value
        now = asyncio.get_running_loop().time()
        for revision, changes in commits:
            if changes:
                size = sum(len(change.key) + len(change.value or b"") for change in changes)
                self._history.add(revision, changes, size, now)
        if batch.revision > self._revision:
            self._revision = batch.revision
            self._news.set()
            self._news = asyncio.Event()

    async def _flush(self) -> None:
        if not self._unwritten:
            return
        puts = [
            (key, value, slot.created, slot.modified)
            for key, value in sorted(self._unwritten.items())
            if value is not None and (slot := self._slots.get(key))
        ]
        removed = [key for key, value in self._unwritten.items() if value is None]
        await self._file.write(puts, removed)
        self._unwritten.clear()

    @asynccontextmanager
    async def _at_rest(self) -> AsyncIterator[None]:
        async with self._steady:
            self._require_open()
            yield

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._file.path}: the store is closed")


def _check(operations: _Operations) -> None:
    """Raises ValueError for what no writer should ask."""
    keys = {operation.key for operation in operations}
    if len(keys) != len(operations):
        raise ValueError("a commit names each key once")
    for key in keys:
        if not key or not key.isprintable():
            raise ValueError(f"{key!r} is not a key: one or more printable characters")


def _fail(waiter: asyncio.Future[int], error: StoreError) -> None:
    if not waiter.done():
        waiter.set_exception(error)
