"""The newest commits, for watchers: bounded by age, number and bytes, and kept in memory alone.

After `floor` nothing is missing. What is older is compacted: a reader who asks for it has to list again.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from reconciler.store.interface import Compacted

Payload = TypeVar("Payload")


class Bounds(NamedTuple):
    """How much history is kept. The newest commit always is, however large."""

    seconds: float
    commits: int
    size: int


class History(Generic[Payload]):
    """Payloads by revision. Adding and forgetting cost little however much is kept, finding a logarithm."""

    def __init__(self, floor: int, bounds: Bounds) -> None:
        self.floor = floor
        """All commits after this revision are here."""
        self.size = 0
        self._bounds = bounds
        self._revisions: list[int] = []
        self._kept: list[tuple[Payload, int, float]] = []  # payload, size, when
        self._forgotten = 0  # entries at the front that are given up but not yet cut off

    def __len__(self) -> int:
        return len(self._revisions) - self._forgotten

    def add(self, revision: int, payload: Payload, size: int, now: float) -> None:
        """Keeps a commit, newer than all before it, and forgets what is over the bounds."""
        self._revisions.append(revision)
        self._kept.append((payload, size, now))
        self.size += size
        while len(self) > 1 and self._over(now):
            self._forget_oldest()
        self._cut()

    def after(self, revision: int) -> Sequence[tuple[int, Payload]]:
        """Every commit after the revision, in order. Raises `Compacted` where some are gone."""
        if revision < self.floor:
            raise Compacted(revision, self.floor)
        start = bisect_right(self._revisions, revision, lo=self._forgotten)
        return [(self._revisions[i], self._kept[i][0]) for i in range(start, len(self._revisions))]

    def next_after(self, revision: int) -> tuple[int, Payload] | None:
        """The first commit after the revision, None where there is none yet. Raises `Compacted`."""
        if revision < self.floor:
            raise Compacted(revision, self.floor)
        at = bisect_right(self._revisions, revision, lo=self._forgotten)
        return (self._revisions[at], self._kept[at][0]) if at < len(self._revisions) else None

    def forget_before(self, revision: int) -> None:
        """Gives up every commit before the revision."""
        while len(self) and self._revisions[self._forgotten] < revision:
            self._forget_oldest()
        self.floor = max(self.floor, revision - 1)
        self._cut()

    def _over(self, now: float) -> bool:
        _, _, added = self._kept[self._forgotten]
        return len(self) > self._bounds.commits or self.size > self._bounds.size or now - added > self._bounds.seconds

    def _forget_oldest(self) -> None:
        self.size -= self._kept[self._forgotten][1]
        self.floor = self._revisions[self._forgotten]
        self._forgotten += 1

    def _cut(self) -> None:
        # A payload must not outlive its place in the history by much, nor may each add move the whole list.
        due = self._forgotten > 64 and self._forgotten * 4 > len(self._revisions)
        if due or self._forgotten == len(self._revisions):
            del self._revisions[: self._forgotten], self._kept[: self._forgotten]
            self._forgotten = 0
