"""What a store is: etcd's semantics, as small as they go.

One global revision that only grows, atomic compare-and-swap over several keys, and watches that neither lose
nor reorder. `SqliteStore` is the default; any other implementation passes the same conformance tests.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class StoreError(Exception):
    """Base of what a store raises: `Mismatch`, `Compacted` and `Corrupt`."""


class Mismatch(StoreError):
    """A key was not at the revision that the writer expected; nothing of the commit was applied."""

    def __init__(self, key: str, expected: int, found: int) -> None:
        super().__init__(f"{key}: expected revision {expected}, found {found}")
        self.key, self.expected, self.found = key, expected, found


class Compacted(StoreError):
    """History before `oldest` is gone; the reader has to list again (HTTP 410)."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} is compacted, the oldest is {oldest}")
        self.asked, self.oldest = asked, oldest


class Corrupt(StoreError):
    """The file is not a sound store. The text names the file, and the copy it was set aside as."""


class Put(msgspec.Struct, frozen=True, gc=False):
    """Writes a key.

    `expect`: the revision of the last write of this key that the writer has seen; 0: the key must not exist;
    None: whatever it is. `durable=False`: visible at once, on disk with the next `flush` (for what another
    party holds and will send again).
    """

    key: str
    value: bytes
    expect: int | None = None
    durable: bool = True


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Removes a key; removing what is not there changes nothing (unless `expect` says otherwise)."""

    key: str
    expect: int | None = None
    durable: bool = True


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A key as it is. `modified` is the revision of its last write, `created` that of its first."""

    key: str
    value: bytes
    created: int
    modified: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """One key of one commit, as watchers see it. `value` is None when the key was removed.

    Each has a revision of its own, so that a watcher who was cut off within a commit can go on behind what it saw.
    """

    revision: int
    key: str
    value: bytes | None


class Store(Protocol):
    """Keys and values with one revision. All methods but `watch` and `close` may be called concurrently."""

    @property
    def id(self) -> str:
        """Names this life of the store: another one after the data were lost and rebuilt."""

    @property
    def revision(self) -> int:
        """Of the newest commit, durable or not. Never handed out twice, not even over a crash."""

    async def get(self, key: str) -> Entry | None: ...

    async def list(self, prefix: str = "") -> tuple[Entry, ...]:
        """All entries under the prefix, by key, as of one revision."""

    async def commit(self, operations: Sequence[Put | Remove]) -> int:
        """Applies all operations or none, and returns the revision of the last: each takes the next one, in order.

        Returns when the durable ones are on disk; commits that arrive together share one transaction and one
        fsync. Raises `Mismatch`. A commit that would change nothing returns the present revision and writes
        nothing.
        """

    def watch(self, prefix: str = "", after: int | None = None) -> AsyncIterator[tuple[Change, ...]]:
        """Every change after revision `after` (None: from now on), in order, one tuple a commit.

        Raises `Compacted` where that history is gone.
        """

    async def flush(self) -> None:
        """Brings to disk what was not durable so far."""

    async def compact(self, before: int) -> None:
        """Forgets the history before this revision, and gives its space back."""

    async def snapshot(self, path: Path) -> None:
        """Writes a sound copy of the store to `path`, which must not exist."""

    def statistics(self) -> msgspec.Struct:
        """Sizes and counts, for the metrics."""

    async def close(self) -> None:
        """Flushes, and lets go of the files."""
