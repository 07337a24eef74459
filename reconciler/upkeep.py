"""What the reconciler does for its own health while it runs: the store's files, its memory, and how late it is.

Once a minute, and then only what is due: nothing is written while nothing was committed.
"""

import asyncio
import gc
import logging

import msgspec

from reconciler.store.interface import Store, StoreError

log = logging.getLogger(__name__)

FLUSH_SECONDS = 60.0
"""Status that agents hold anyway reaches the disk this late."""
COMPACT_SECONDS = 86_400.0
"""Between two compactions. Watches can go back for as long as the store keeps history, but not beyond the last."""
YOUNGEST = 10_000
"""Containers made before the youngest are looked through for cycles: about a millisecond."""
TOGETHER = 3
"""Such looks before those that outlived them are looked through once more, together: some milliseconds. With Python's
own ten a burst of 10,000 pods held the loop for 30 ms now and then."""


class Statistics(msgspec.Struct, frozen=True):
    """How late the event loop was when it was looked at: last, and at worst."""

    lag_seconds: float
    longest_lag_seconds: float


class Upkeep:
    """`run` it for as long as the store is open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._compacted = 0
        self._compact_at = 0.0
        self._lag = self._longest_lag = 0.0

    async def run(self) -> None:
        """Until cancelled. What fails is said and tried again a minute later: the disk may be full for a while."""
        loop = asyncio.get_running_loop()
        settle_memory()
        while True:
            await self._keep(loop.time())
            due = loop.time() + FLUSH_SECONDS
            await asyncio.sleep(FLUSH_SECONDS)
            self._lag = loop.time() - due
            self._longest_lag = max(self._longest_lag, self._lag)

    def statistics(self) -> Statistics:
        return Statistics(self._lag, self._longest_lag)

    async def _keep(self, now: float) -> None:
        store = self._store
        try:
            await store.flush()
            if now >= self._compact_at and store.revision != self._compacted:
                before, self._compacted = self._compacted, store.revision
                self._compact_at = now + COMPACT_SECONDS
                await store.compact(before)
        except StoreError as error:
            log.error("store not kept up, trying again in %.0f s error=%r", FLUSH_SECONDS, str(error))


def settle_memory() -> None:
    """Once all that stays is loaded: the garbage collector never looks at that again.

    With 5,000 pods a full collection held the loop for 31 ms; for what is made later it takes one. API objects
    are not looked at in any case, for they hold no cycles, but the code and the tables of the cache are.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, TOGETHER, 10)
    gc.enable()
