"""Counts of pods by topology domain, kept up to date, and how they are read at one place of the fleet.

Nodes of which all counts are equal stand together (see `standing`). On an axis with few domains nodes stand
together by domain, so that a count that changes moves none of them (`fine` is false). On one with many (host
names, above all) they stand together by the counts, and only the nodes of the domain that changed move.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence

from reconciler.scheduler.classes import Sought
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.podclass import PodClass

HOSTNAME = "kubernetes.io/hostname"
NODE = ""
"""The key of the axis on which every node that has a host name is a domain of its own."""
Place = tuple[object, ...]
"""For each axis the domain, or the counts in it; None where the node has no such label."""
Shift = Mapping["Tally", int]
"""What the counts at a place would be changed by."""


class Tally:
    """`weigh` says how much a placed pod of a class counts; `eligible`, where given, on which nodes alone.

    Only classes that are `among` those sought (None: all), or `by_terms` have terms of their own, can count.
    `levels` says how many of the domains have each count, where a tally is asked for its least.
    """

    __slots__ = (
        *("among", "axis", "by_terms", "counts", "eligible", "fine", "key", "levels", "position", "total", "weigh"),
    )

    def __init__(
        self, key: str, weigh: Callable[[PodClass], int], among: Sequence[Sought] | None, *, by_terms: bool = False
    ) -> None:
        self.key, self.weigh, self.among, self.by_terms = key, weigh, among, by_terms
        self.eligible: frozenset[NodeInfo] | None = None
        self.axis = self.position = self.total = 0
        self.fine = False
        self.counts: dict[str, int] = {}
        self.levels: dict[int, int] | None = None

    def add(self, domain: str, by: int) -> None:
        old = self.counts.get(domain)
        new = (old or 0) + by
        self.counts[domain] = new
        self.total += by
        levels = self.levels
        if levels is not None:
            if old is not None:
                levels[old] -= 1
                if not levels[old]:
                    del levels[old]
            levels[new] = levels.get(new, 0) + 1

    def expect(self, domain: str) -> None:
        """The domain is there, with or without pods."""
        assert self.levels is not None
        if domain not in self.counts:
            self.counts[domain] = 0
            self.levels[0] = self.levels.get(0, 0) + 1

    def least(self, domain: str = "", by: int = 0) -> int | None:
        """The smallest count of any domain, as it would be with that change; None where there are no domains."""
        if by and domain in self.counts:
            return min(count + (by if name == domain else 0) for name, count in self.counts.items())
        return min(self.levels) if self.levels else None

    def at(self, place: Place, shift: Shift | None = None) -> int | None:
        """The count at the place, None where it has no such label."""
        where = place[self.axis]
        if where is None:
            return None
        count: int = where[self.position] if self.fine else self.counts.get(where, 0)  # type: ignore[index, call-overload]
        return count + shift.get(self, 0) if shift else count


class Axis:
    """One topology key, and the tallies on it."""

    __slots__ = ("fine", "key", "tallies")

    def __init__(self, key: str, *, fine: bool) -> None:
        self.key, self.fine = key, fine
        self.tallies: list[Tally] = []

    def join(self, tally: Tally, number: int) -> None:
        tally.axis, tally.fine, tally.position = number, self.fine, len(self.tallies)
        self.tallies.append(tally)

    def domain(self, info: NodeInfo) -> str | None:
        if self.key == NODE:
            return info.name if HOSTNAME in info.labels else None
        return info.labels.get(self.key)

    def places(self, infos: Sequence[NodeInfo]) -> Sequence[Hashable]:
        """The place of each of many nodes."""
        key = self.key
        if key == NODE:
            domains = [info.name if HOSTNAME in info.labels else None for info in infos]
        else:
            domains = [info.labels.get(key) for info in infos]
        if not self.fine:
            return domains
        there = {domain for tally in self.tallies for domain in tally.counts}
        counts: dict[str | None, Hashable] = {one: self._counts(one) for one in there}
        empty = (0,) * len(self.tallies)
        counts[None] = None
        return [counts.get(domain, empty) for domain in domains]

    def place(self, info: NodeInfo) -> object:
        domain = self.domain(info)
        if domain is None or not self.fine:
            return domain
        return self._counts(domain)

    def _counts(self, domain: str) -> tuple[int, ...]:
        return tuple([tally.counts.get(domain, 0) for tally in self.tallies])
