"""What many objects of one kind use together, without working out each of them anew every time.

What an object uses follows from it alone, and objects never change: it is remembered with the object that it is of,
and equal amounts, as all pods of a template have them, are added up at once. Losing a memory costs time alone.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from reconciler.admission.amounts import Amounts
from schemas.meta import Object, Quantity
from schemas.quantity import total_of

_MOST_GROUPS = 1_024
_SPARE = 4_096
"""Objects that may be remembered beyond twice as many as were counted last."""


class _Known(NamedTuple):
    object: Object
    group: int


class Usages:
    """`usage` tells what one object uses."""

    def __init__(self, usage: Callable[[Object], Amounts]) -> None:
        self._usage = usage
        self._known: dict[str, _Known] = {}
        self._groups: dict[tuple[tuple[str, Quantity], ...], int] = {}
        self._amounts: list[Amounts] = []

    def together(self, objects: Iterable[Object]) -> Amounts:
        """The sum of each resource."""
        if len(self._amounts) > _MOST_GROUPS:
            self._start_anew()
        counted: dict[int, int] = {}
        for one in objects:
            known = self._known.get(one.metadata.uid)
            group = known.group if known is not None and known.object is one else self._look(one)
            counted[group] = counted.get(group, 0) + 1
        if len(self._known) > 2 * sum(counted.values()) + _SPARE:
            self._known.clear()
        found: dict[str, list[tuple[Quantity, int]]] = {}
        for group, number in counted.items():
            for name, quantity in self._amounts[group].items():
                found.setdefault(name, []).append((quantity, number))
        return {name: total_of(amounts) for name, amounts in found.items()}

    def _look(self, one: Object) -> int:
        amounts = self._usage(one)
        group = self._groups.setdefault(tuple(sorted(amounts.items())), len(self._amounts))
        if group == len(self._amounts):
            self._amounts.append(amounts)
        self._known[one.metadata.uid] = _Known(one, group)
        return group

    def _start_anew(self) -> None:
        self._known.clear()
        self._groups.clear()
        self._amounts.clear()
