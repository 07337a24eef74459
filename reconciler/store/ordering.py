"""Which commits are taken, with which revision: compare-and-swap over what is known in memory.

Pure but for the batch itself, which gathers the commits that share one transaction. Each is checked against what
the earlier ones of the batch leave behind; one that is refused leaves no trace.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from reconciler.store.interface import Change, Mismatch, Put, Remove


class Slot(NamedTuple):
    """What is kept in memory of a key. The digest tells whether a value is the same without reading it from disk."""

    created: int
    modified: int
    digest: int


def digest_of(value: bytes) -> int:
    """64 bits, keyed by the process: two different values of one key look equal once in 2^64 writes."""
    return hash(value)


class Batch:
    """Commits that will be made in one transaction, in order, over the present slots.

    `lagging` are the keys whose present state is not on disk yet.
    """

    def __init__(self, slots: Mapping[str, Slot], lagging: Container[str], revision: int) -> None:
        self._present, self._lagging = slots, lagging
        self.revision = revision
        self.slots: dict[str, Slot | None] = {}
        """The keys that the batch changes, as it leaves them (None: removed)."""
        self.values: dict[str, bytes | None] = {}
        """What has to be remembered or written, of those keys and of those that are only made durable."""
        self.durable: set[str] = set()
        """The keys that must be on disk before any of the batch is visible."""

    def add(self, operations: Sequence[Put | Remove]) -> tuple[int, tuple[Change, ...]]:
        """Takes a commit and returns its last revision and what it changes. Raises `Mismatch`."""
        found = [self._slot(operation.key) for operation in operations]
        for operation, slot in zip(operations, found, strict=True):
            modified = slot.modified if slot else 0
            if operation.expect is not None and operation.expect != modified:
                raise Mismatch(operation.key, operation.expect, modified)
        if any(map(_differs, operations, found)):
            changes = tuple(
                self._take(operation, slot)
                for operation, slot in zip(operations, found, strict=True)
                if isinstance(operation, Put) or slot is not None
            )
        else:
            changes = ()
        for operation in operations:
            self._make_durable(operation)
        return self.revision, changes

    def _slot(self, key: str) -> Slot | None:
        return self.slots[key] if key in self.slots else self._present.get(key)

    def _take(self, operation: Put | Remove, slot: Slot | None) -> Change:
        self.revision += 1
        key, revision = operation.key, self.revision
        value = operation.value if isinstance(operation, Put) else None
        self.values[key] = value
        self.slots[key] = (
            None if value is None else Slot(slot.created if slot else revision, revision, digest_of(value))
        )
        return Change(revision, key, value)

    def _make_durable(self, operation: Put | Remove) -> None:
        """A durable operation that finds its outcome already there still has to see it on disk."""
        key = operation.key
        if operation.durable and (key in self.values or key in self._lagging):
            self.durable.add(key)
            self.values[key] = operation.value if isinstance(operation, Put) else None


def _differs(operation: Put | Remove, slot: Slot | None) -> bool:
    if isinstance(operation, Put):
        return slot is None or slot.digest != digest_of(operation.value)
    return slot is not None
