"""The classes of pods that are placed, found by what a selector asks for.

Who spreads pods, or keeps them near others or apart, asks for few classes of many: those that bear certain labels. They
are found through the rarest of these, not by looking at all, so that what one template costs does not grow with how
many others there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from reconciler.scheduler.podclass import PodClass
from schemas.meta import LabelSelector

_Mark = tuple[str, str, str]
"""Namespace, key and value of a label."""
_NONE: Mapping[bytes, PodClass] = {}


class Sought(NamedTuple):
    """Classes of the namespace that bear all the labels, of which there is one at least."""

    namespace: str
    labels: Mapping[str, str]


def sought_by(namespaces: Iterable[str], selector: LabelSelector | None) -> tuple[Sought, ...] | None:
    """What a selector demands that can be looked up; None where that is nothing, and all may be picked."""
    if selector is None:
        return ()
    if not selector.match_labels:
        return None
    return tuple(Sought(one, selector.match_labels) for one in namespaces)


class Classes:
    """Classes of which at least one pod is placed. `with_terms` are those that have terms about other pods."""

    def __init__(self) -> None:
        self._all: dict[bytes, PodClass] = {}
        self._bearing: dict[_Mark, dict[bytes, PodClass]] = {}
        self.with_terms: dict[bytes, PodClass] = {}

    def __len__(self) -> int:
        return len(self._all)

    def get(self, key: bytes) -> PodClass | None:
        return self._all.get(key)

    def add(self, asked: PodClass) -> None:
        self._all[asked.key] = asked
        for mark in _marks(asked):
            self._bearing.setdefault(mark, {})[asked.key] = asked
        if asked.terms:
            self.with_terms[asked.key] = asked

    def drop(self, asked: PodClass) -> None:
        """It may be one that is not there."""
        if self._all.pop(asked.key, None) is None:
            return
        for mark in _marks(asked):
            there = self._bearing[mark]
            del there[asked.key]
            if not there:
                del self._bearing[mark]
        self.with_terms.pop(asked.key, None)

    def among(self, sought: Sequence[Sought] | None, *, with_terms: bool = False) -> Iterable[PodClass]:
        """All that may be meant (None: all of them), and with `with_terms` those that have some."""
        if sought is None:
            return self._all.values()
        found = dict(self.with_terms) if with_terms else {}
        for one in sought:
            found |= self._rarest(one)
        return found.values()

    def _rarest(self, sought: Sought) -> Mapping[bytes, PodClass]:
        namespace, labels = sought
        return min((self._bearing.get((namespace, *pair), _NONE) for pair in labels.items()), key=len)


def _marks(asked: PodClass) -> Iterable[_Mark]:
    return [(asked.namespace, key, value) for key, value in asked.labels.items()]
