"""How many pods that a selector picks are on each node, kept up to date instead of counted again.

A selector is counted out once, when it is first asked for, over the pods of one template where it names one; from
then on each pod that comes or goes changes only the counts of the selectors that pick it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from schemas import selectors
from schemas.meta import LabelSelector

MOST = 4096
"""Selectors kept at a time. Past that all are forgotten and counted again when asked for."""

_Key = tuple[str, frozenset[tuple[str, str]], tuple[tuple[str, str, tuple[str, ...]], ...]]
_Hint = tuple[str, tuple[str, str] | None]
"""A namespace, and one label that every pod has that the selector picks (None where it names none)."""


class Counted(Protocol):
    """A pod on a node."""

    uid: str
    namespace: str
    labels: dict[str, str]
    node: str
    terminating: bool


_TEMPLATE = "pod-template-hash"


class _Group(NamedTuple):
    selector: LabelSelector
    nodes: Counter[str]


class SpreadCounts:
    """Counts by node, for each namespace and selector that was asked for. Pods that are ending do not count."""

    def __init__(self) -> None:
        self._groups: dict[_Key, _Group] = {}
        self._hinted: dict[_Hint, list[_Group]] = {}
        self._of_template: dict[tuple[str, str], dict[str, Counted]] = {}

    def of(self, namespace: str, selector: LabelSelector, pods: Iterable[Counted]) -> Mapping[str, int]:
        """Number of pods by node, without the nodes that have none. `pods` are all that are placed."""
        key = _key(namespace, selector)
        group = self._groups.get(key)
        if group is None:
            group = self._count(namespace, selector, pods)
            self._groups[key] = group
        return group.nodes

    def _count(self, namespace: str, selector: LabelSelector, pods: Iterable[Counted]) -> _Group:
        if len(self._groups) >= MOST:
            self._groups.clear()
            self._hinted.clear()
        group = _Group(selector, Counter())
        template = selector.match_labels.get(_TEMPLATE)
        if template is not None:
            pods = self._of_template.get((namespace, template), {}).values()
        for pod in pods:
            if pod.namespace == namespace and not pod.terminating and selectors.matches(selector, pod.labels):
                group.nodes[pod.node] += 1
        hint = (namespace, min(selector.match_labels.items(), default=None, key=_least_shared))
        self._hinted.setdefault(hint, []).append(group)
        return group

    def change(self, pod: Counted, by: int) -> None:
        """The pod has come (1) or is about to go (-1)."""
        if pod.terminating:
            return
        template = pod.labels.get(_TEMPLATE)
        if template is not None:
            self._index((pod.namespace, template), pod, by)
        for group in self._concerned(pod):
            if selectors.matches(group.selector, pod.labels):
                group.nodes[pod.node] += by
                if not group.nodes[pod.node]:
                    del group.nodes[pod.node]

    def _index(self, key: tuple[str, str], pod: Counted, by: int) -> None:
        members = self._of_template.setdefault(key, {})
        if by > 0:
            members[pod.uid] = pod
        else:
            members.pop(pod.uid, None)
        if not members:
            del self._of_template[key]

    def _concerned(self, pod: Counted) -> Iterator[_Group]:
        yield from self._hinted.get((pod.namespace, None), ())
        for item in pod.labels.items():
            yield from self._hinted.get((pod.namespace, item), ())


def _least_shared(item: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    return item[0] != _TEMPLATE, item


def _key(namespace: str, selector: LabelSelector) -> _Key:
    expressions = tuple((one.key, one.operator, one.values) for one in selector.match_expressions)
    return namespace, frozenset(selector.match_labels.items()), expressions
