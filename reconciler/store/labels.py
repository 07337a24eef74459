"""Who bears labels, and who asks for them: found through one label, not by looking at everything.

Names alone are held, so that an object whose labels stay costs nothing when it changes. Pure but for what it holds.
"""

from collections.abc import Iterable, Mapping

from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.meta import LabelSelector, Object
from schemas.policy import PodDisruptionBudget

Labels = Mapping[str, str]
_Mark = tuple[str, str, str]
"""Namespace, key and value of a label; of what asks for none, key and value are empty."""

Selecting = (
    Service | PodDisruptionBudget | Deployment | ReplicaSet | StatefulSet | DaemonSet | Job | ReplicationController
)
"""What has a selector for pods or their controllers."""


def required(object_: Selecting) -> Labels:
    """Labels without which nothing is selected by the object."""
    selector = object_.spec.selector
    if isinstance(selector, LabelSelector):
        return selector.match_labels
    return selector or {}


def may_select(object_: Selecting, labels: Labels) -> bool:
    """Whether nothing that the object requires is missing; what else its selector says is not looked at."""
    return required(object_).items() <= labels.items()


class Bearers:
    """The names of one kind's objects by each of their labels."""

    def __init__(self) -> None:
        self._names: dict[_Mark, set[str]] = {}

    def put(self, new: Object, old: Object | None) -> None:
        """Takes in a new version of what was `old`."""
        if old is not None and old.metadata.labels == new.metadata.labels:
            return
        if old is not None:
            self.drop(old)
        for mark in _marks(new):
            self._names.setdefault(mark, set()).add(new.metadata.name)

    def drop(self, old: Object) -> None:
        for mark in _marks(old):
            _take_out(self._names, mark, old.metadata.name)

    def of(self, namespace: str, labels: Labels) -> Iterable[str]:
        """The names of those that bear the rarest of the labels; `labels` is not empty."""
        found = (self._names.get((namespace, key, value), frozenset[str]()) for key, value in labels.items())
        return min(found, key=len)


class Askers:
    """The names of one kind's objects by one label that their selector requires: that for which the fewest ask."""

    def __init__(self) -> None:
        self._names: dict[_Mark, set[str]] = {}
        self._under: dict[tuple[str, str], _Mark] = {}

    def put(self, new: Selecting, old: Selecting | None) -> None:
        """Takes in a new version of what was `old`."""
        if old is not None and required(old) == required(new):
            return
        if old is not None:
            self.drop(old)
        namespace, name = new.metadata.namespace, new.metadata.name
        marks = [(namespace, key, value) for key, value in sorted(required(new).items())] or [(namespace, "", "")]
        mark = min(marks, key=lambda one: len(self._names.get(one, ())))
        self._names.setdefault(mark, set()).add(name)
        self._under[namespace, name] = mark

    def drop(self, old: Selecting) -> None:
        metadata = old.metadata
        _take_out(self._names, self._under.pop((metadata.namespace, metadata.name)), metadata.name)

    def of(self, namespace: str, labels: Labels) -> Iterable[str]:
        """The names of all that may select an object with these labels."""
        yield from self._names.get((namespace, "", ""), ())
        for key, value in labels.items():
            yield from self._names.get((namespace, key, value), ())


def _marks(object_: Object) -> Iterable[_Mark]:
    namespace = object_.metadata.namespace
    return [(namespace, key, value) for key, value in object_.metadata.labels.items()]


def _take_out(names: dict[_Mark, set[str]], mark: _Mark, name: str) -> None:
    there = names[mark]
    there.discard(name)
    if not there:
        del names[mark]
