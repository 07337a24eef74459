"""The one place where the cluster changes: changes in, one atomic commit out, the cache kept beside the store.

One task carries out what was asked for, in order: each `apply` is planned against the newest state, and all that
are waiting go to the store together, which gives them one fsync. An `apply` that touches what an earlier
one of the same round has touched waits for the next round, so that nothing is ever built on a change that
may still fail.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import msgspec

from reconciler.store.cache import Cache
from reconciler.store.changes import Change, ChangeError, Conflict, Refused
from reconciler.store.codec import decode, encode
from reconciler.store.draft import Draft
from reconciler.store.interface import Mismatch, Put, Remove, Store, StoreError
from reconciler.store.keys import key_of, prefix_of, ref_of_key
from reconciler.store.pause import Pause
from reconciler.store.planning import SUFFIX_ALPHABET, SUFFIX_LENGTH, Admit, Amend, Mint, plan, unamended
from schemas.kinds import KINDS
from schemas.meta import Object, Ref

log = logging.getLogger(__name__)

_ROUND = 256  # applies that go to the store together, at most: enough to share an fsync, few enough to be quick

RANDOM = Mint(
    uid=lambda: str(uuid4()),
    suffix=lambda: "".join(random.choices(SUFFIX_ALPHABET, k=SUFFIX_LENGTH)),
)


class Applied(msgspec.Struct, frozen=True):
    """What came of an `apply`. `objects` goes with its changes: None where one was deleted or emitted."""

    revision: int
    objects: tuple[Object | None, ...]


class _Asked(NamedTuple):
    changes: tuple[Change, ...]
    beside: tuple[Put | Remove, ...]
    answer: asyncio.Future[Applied]


class _Ready(msgspec.Struct):
    """An apply that is worked out: what it writes, and the objects its changes are about."""

    asked: _Asked
    draft: Draft
    subjects: list[Ref | None]
    operations: list[Put | Remove]


class Cluster:
    """The store and the cache over it. Changes go through `apply`, everything else reads `cache`."""

    def __init__(
        self, store: Store, cache: Cache, clock: Callable[[], datetime], admit: Admit, amend: Amend, mint: Mint
    ) -> None:
        self.store, self.cache = store, cache
        self._clock, self._admit, self._amend, self._mint = clock, admit, amend, mint
        self._queue: deque[_Asked] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._unreadable: dict[str, int] = {}
        self._closed = False

    @classmethod
    async def open(
        cls,
        store: Store,
        *,
        clock: Callable[[], datetime],
        admit: Admit = lambda object_, _: object_,
        amend: Amend = unamended,
        mint: Mint = RANDOM,
    ) -> "Cluster":
        """Reads all objects of the store. `clock` tells the time with its zone."""
        cluster = cls(store, Cache(store.revision), clock, admit, amend, mint)
        for kind in KINDS:
            await cluster._load(prefix_of(kind))
        return cluster

    async def apply(self, changes: Sequence[Change], beside: Sequence[Put | Remove] = ()) -> Applied:
        """Carries out all changes in one commit, or none; a later one sees what the earlier ones did.

        `beside` goes to the store with them: keys of the caller's own, that are no objects. Returns when the
        durable ones are on disk and the cache shows them. Raises `ChangeError` (`NotFound`,
        `AlreadyExists`, `Conflict`) for a change that cannot be, `StoreError` where nothing can be written.
        """
        if self._closed:
            raise StoreError("the cluster is closed")
        asked = _Asked(tuple(changes), tuple(beside), asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="cluster-apply")
        return await asked.answer

    def admitted(self, object_: Object) -> Object:
        """A new object as it would be taken in by now. Raises `Refused`."""
        return self._admit(object_, self.cache)

    def amended(self, new: Object, old: Object) -> Object:
        """A new version of an object as it would be taken in by now. Raises `Refused`."""
        return self._amend(new, old, self.cache)

    async def close(self) -> None:
        """Carries out what was asked for, takes no more, and closes the store."""
        self._closed = True
        if self._worker is not None:
            await self._worker
        await self.store.close()

    async def _load(self, prefix: str) -> None:
        objects = []
        for entry in await self.store.list(prefix):
            try:
                ref = ref_of_key(entry.key)
                objects.append(decode(ref.kind, entry.value, entry.modified))
            except (ValueError, msgspec.MsgspecError) as error:
                log.error("stored object left out, it cannot be read key=%s error=%r", entry.key, str(error))
                self._unreadable[entry.key] = entry.modified
        self.cache.load(objects)

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._commit(await self._plan_round())
        finally:
            self._worker = None
            for asked in self._queue:  # there are some only when this task was cancelled
                asked.answer.cancel()

    async def _plan_round(self) -> list[_Ready]:
        """Works out as many of those waiting, in order, as do not touch one another's objects."""
        together, ready, pause = Draft(self.cache), list[_Ready](), Pause()
        while self._queue and len(ready) < _ROUND:
            asked = self._queue[0]
            if not asked.answer.done():  # else the caller has gone before anything was begun
                try:
                    planned = await self._plan(asked, together, pause)
                except ChangeError as error:
                    if error.ref in together.touched:
                        break  # the earlier one may still fail
                    _refuse(asked, error)
                except Exception as error:  # of `admit`, or an object that is no JSON: its caller's affair alone
                    _refuse(asked, error)
                else:
                    if together.touched.keys() & planned.draft.touched.keys():
                        break
                    ready.append(planned)
                    for ref, object_ in planned.draft.touched.items():
                        together.write(ref, object_)
            self._queue.popleft()
        return ready

    async def _plan(self, asked: _Asked, together: Draft, pause: Pause) -> _Ready:
        draft, subjects, durable = Draft(together), list[Ref | None](), set[Ref]()
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        for change in asked.changes:
            try:
                planned = plan(change, draft, now, self._mint, self._admit, self._amend)
            except Refused as error:
                error.change = change
                raise
            for ref, object_ in planned.writes:
                draft.write(ref, object_)
            if planned.durable:
                durable.update(ref for ref, _ in planned.writes)
            subjects.append(planned.ref)
            await pause.when_due()
        operations = list[Put | Remove](asked.beside)  # in front: the last revisions are the objects'
        for ref, object_ in draft.touched.items():
            operations.extend(self._operations(ref, object_, ref in durable))
            await pause.when_due()
        return _Ready(asked, draft, subjects, operations)

    def _operations(self, ref: Ref, object_: Object | None, durable: bool) -> Iterator[Put | Remove]:
        old, key = self.cache.find(ref), key_of(ref)
        expect = int(old.metadata.resource_version) if old else self._unreadable.get(key, 0)
        if object_ is not None:
            yield Put(key, encode(object_), expect, durable)
        elif old is not None:  # else made and deleted by the same apply
            yield Remove(key, expect, durable)

    async def _commit(self, ready: Sequence[_Ready]) -> None:
        """Hands all over to the store at once, and shows in the cache what it took, in order."""
        commits = (self.store.commit(one.operations) if one.operations else _nothing() for one in ready)
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        for one, outcome in zip(ready, outcomes, strict=True):
            if isinstance(outcome, Mismatch):
                ref = ref_of_key(outcome.key)
                _refuse(one.asked, Conflict(ref, f"{ref} was changed in the store by another writer: {outcome}"))
            elif isinstance(outcome, BaseException):
                _refuse(one.asked, outcome)
            else:
                self._show(one, outcome)
                await asyncio.sleep(0)

    def _show(self, one: _Ready, revision: int) -> None:
        if revision > self.cache.revision:
            size = sum(len(operation.value) for operation in one.operations if isinstance(operation, Put))
            now = asyncio.get_running_loop().time()
            self.cache.push(revision, one.draft.touched.items(), size, now)
            for operation in one.operations if self._unreadable else ():
                self._unreadable.pop(operation.key, None)
        if not one.asked.answer.done():
            objects = tuple(self.cache.find(ref) if ref else None for ref in one.subjects)
            one.asked.answer.set_result(Applied(self.cache.revision, objects))


async def _nothing() -> int:
    return 0


def _refuse(asked: _Asked, error: BaseException) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)
