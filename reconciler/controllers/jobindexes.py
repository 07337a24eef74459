"""Sets of completion indexes, as a Job's status tells them: `1,3-5,7`.

Kept as intervals, so that a Job of 100,000 indexes that end in order costs no more than one of ten
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

Interval = tuple[int, int]
"""The first and the last index, both belong to it."""


class Indexes(msgspec.Struct, frozen=True):
    """A set of indexes. Invariant: the intervals are in order, and between any two of them an index is missing."""

    intervals: tuple[Interval, ...] = ()

    def __contains__(self, index: int) -> bool:
        at = bisect_right(self.intervals, (index, index)) - 1
        if at + 1 < len(self.intervals) and self.intervals[at + 1][0] == index:
            return True
        return at >= 0 and self.intervals[at][0] <= index <= self.intervals[at][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.intervals)

    def __or__(self, other: "Indexes") -> "Indexes":
        return _joined(sorted((*self.intervals, *other.intervals)))

    def __and__(self, other: "Indexes") -> "Indexes":
        return Indexes(tuple(_shared(self.intervals, other.intervals)))

    def __str__(self) -> str:
        return ",".join(_text(first, last) for first, last in self.intervals)

    def with_(self, indexes: Iterable[int]) -> "Indexes":
        added = sorted(set(indexes))
        return self | _joined([(index, index) for index in added]) if added else self

    def missing(self, below: int) -> Iterator[int]:
        """The indexes that are not in the set, the lowest first."""
        start = 0
        for first, last in self.intervals:
            yield from range(start, min(first, below))
            start = last + 1
        yield from range(start, below)


def parse(text: str, below: int) -> Indexes:
    """The set that a status or a rule tells, without what a smaller number of completions leaves out.

    What is no index, because somebody has written into the status by hand, is left out as well.
    """
    found: list[Interval] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            continue
        start, end = int(first), min(int(last or first), below - 1)
        if start <= end:
            found.append((start, end))
    return _joined(sorted(found))


def _joined(ordered: Iterable[Interval]) -> Indexes:
    intervals: list[Interval] = []
    for first, last in ordered:
        if intervals and first <= intervals[-1][1] + 1:
            intervals[-1] = (intervals[-1][0], max(intervals[-1][1], last))
        else:
            intervals.append((first, last))
    return Indexes(tuple(intervals))


def _shared(ours: tuple[Interval, ...], theirs: tuple[Interval, ...]) -> Iterator[Interval]:
    here = there = 0
    while here < len(ours) and there < len(theirs):
        first, last = max(ours[here][0], theirs[there][0]), min(ours[here][1], theirs[there][1])
        if first <= last:
            yield first, last
        if ours[here][1] < theirs[there][1]:
            here += 1
        else:
            there += 1


def _text(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"
