"""InterPodAffinity: pods near other pods, or far from them.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity, KEP-2249
(namespaceSelector), KEP-3633 (matchLabelKeys, which admission merges into the selector).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from reconciler.scheduler.classes import Sought, sought_by
from reconciler.scheduler.plugins.interface import BEST, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.tally import Place, Shift, Tally
from reconciler.scheduler.terms import Term

NAME = "InterPodAffinity"
_NOT_NEAR = Refusal(("node(s) didn't match pod affinity rules",), lasting=True)
_NEAR = Refusal(("node(s) didn't match pod anti-affinity rules",))
_UNWANTED = Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",))
_REQUIRED_WEIGHT = 1
"""What a required affinity of a placed pod counts in the score of those it wants near it."""

NamespaceLabels = Callable[[str], Mapping[str, str]]


class Affinity:
    """What a class wants of the pods around it, and they of it: one tally for each term or topology key."""

    __slots__ = ("_labels", "_liked", "_self", "_unwanted", "anti", "asked", "existing", "near", "preferences")

    def __init__(self, asked: PodClass, around: Iterable[PodClass], namespace_labels: NamespaceLabels) -> None:
        """`around` are the placed classes that have terms of their own."""
        self.asked, self._labels = asked, namespace_labels
        self._self = self._all_near(asked) > 0
        towards, against = asked.terms.affinity, asked.terms.anti_affinity
        self.near = [Tally(term.topology_key, self._all_near, _sought((term,))) for term in towards]
        self.anti = [Tally(term.topology_key, self._counting(term), _sought((term,))) for term in against]
        unwanted, liked = set[str](), {term.topology_key for term in asked.terms.preferred}
        for placed in (asked, *around):  # Others of the class will be around soon.
            refusing, judging = self.keys(placed)
            unwanted |= refusing
            liked |= judging
        self._unwanted, self._liked = unwanted, liked
        self.existing = [Tally(key, self._refused(key), (), by_terms=True) for key in sorted(unwanted)]
        sought = _sought(asked.terms.preferred)
        self.preferences = [Tally(key, self._preferred(key), sought, by_terms=True) for key in sorted(liked)]

    @property
    def refuses(self) -> bool:
        """Whether any node could be refused."""
        return bool(self.near or self.anti or self.existing)

    def tallies(self) -> list[Tally]:
        return [*self.near, *self.anti, *self.existing, *self.preferences]

    def keys(self, placed: PodClass) -> tuple[set[str], set[str]]:
        """The topology keys on which pods of the placed class refuse those of this one, and like or dislike them."""
        terms = placed.terms
        refusing = {one.topology_key for one in terms.anti_affinity if self._concerns(one)}
        judging = {one.topology_key for one in (*terms.affinity, *terms.preferred) if self._concerns(one)}
        return refusing, judging

    def covers(self, placed: PodClass) -> bool:
        """Whether there is a tally for all that the placed class has to say."""
        refusing, judging = self.keys(placed)
        return refusing <= self._unwanted and judging <= self._liked

    def _means(self, term: Term, other: PodClass) -> bool:
        """Whether a term of this class is about the other.

        As kube-scheduler has it: a namespace selector that picks a namespace without labels picks every namespace.
        """
        labels = self._labels(other.namespace)
        means = term.means(other.namespace, other.labels, labels)
        return means or (bool(labels) and term.means(other.namespace, other.labels, {}))

    def _concerns(self, term: Term) -> bool:
        """Whether a term of another class is about this one."""
        asked = self.asked
        return term.means(asked.namespace, asked.labels, self._labels(asked.namespace))

    def _all_near(self, placed: PodClass) -> int:
        return int(all(self._means(term, placed) for term in self.asked.terms.affinity))

    def _counting(self, term: Term) -> Callable[[PodClass], int]:
        return lambda placed: int(self._means(term, placed))

    def _refused(self, key: str) -> Callable[[PodClass], int]:
        return lambda placed: sum(one.topology_key == key and self._concerns(one) for one in placed.terms.anti_affinity)

    def _preferred(self, key: str) -> Callable[[PodClass], int]:
        def weigh(placed: PodClass) -> int:
            mine = sum(
                one.weight for one in self.asked.terms.preferred if one.topology_key == key and self._means(one, placed)
            )
            theirs = sum(
                one.weight or _REQUIRED_WEIGHT
                for one in (*placed.terms.affinity, *placed.terms.preferred)
                if one.topology_key == key and self._concerns(one)
            )
            return mine + theirs

        return weigh

    def refusal(self, place: Place, shift: Shift | None) -> Refusal | None:
        """Why not there."""
        exist = True
        for tally in self.near:
            there = tally.at(place, shift)
            if there is None:
                return _NOT_NEAR
            exist = exist and there > 0
        if not exist and not (self._self and self._none_anywhere(shift)):
            return _NOT_NEAR
        if any((tally.at(place, shift) or 0) > 0 for tally in self.anti):
            return _NEAR
        if any((tally.at(place, shift) or 0) > 0 for tally in self.existing):
            return _UNWANTED
        return None

    def _none_anywhere(self, shift: Shift | None) -> bool:
        """The first of a series of pods that want to be near each other may go anywhere."""
        return all(tally.total + (shift.get(tally, 0) if shift else 0) == 0 for tally in self.near)

    def raw(self, place: Place) -> int:
        return sum(tally.at(place) or 0 for tally in self.preferences)


def _sought(terms: Iterable[Term]) -> tuple[Sought, ...] | None:
    """The classes that any of the terms may mean; None where they may mean all."""
    found: tuple[Sought, ...] = ()
    for term in terms:
        sought = sought_by(term.namespaces, term.selector)
        if sought is None or term.namespace_selector is not None:
            return None
        found += sought
    return found


def normalised(raw: Sequence[int]) -> list[int]:
    least = min(raw)
    spread = max(raw) - least
    return [int(BEST * ((one - least) / spread)) if spread else 0 for one in raw]
