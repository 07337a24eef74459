"""Terms of inter-pod affinity: which pods they mean, and in what topology.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity: a term
that names no namespaces and selects none means the pod's own; an empty namespace selector means all.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schemas import selectors
from schemas.core.affinity import Affinity, PodAffinityTerm, WeightedPodAffinityTerm
from schemas.meta import LabelSelector


class Term(msgspec.Struct, frozen=True, gc=False):
    """`weight` is 0 for a required term, negative for a preferred anti-affinity."""

    topology_key: str
    selector: LabelSelector | None
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None
    weight: int = 0

    def means(self, namespace: str, labels: Mapping[str, str], namespace_labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels, in this namespace with those, is one of the term's."""
        if namespace not in self.namespaces and not selectors.matches(self.namespace_selector, namespace_labels):
            return False
        return selectors.matches(self.selector, labels)


class Terms(msgspec.Struct, frozen=True, gc=False):
    """All the terms of a pod, in the order in which it states them."""

    affinity: tuple[Term, ...] = ()
    anti_affinity: tuple[Term, ...] = ()
    preferred: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.affinity or self.anti_affinity or self.preferred)


NO_TERMS = Terms()


def terms_of(namespace: str, affinity: Affinity | None) -> Terms:
    if affinity is None or (affinity.pod_affinity is None and affinity.pod_anti_affinity is None):
        return NO_TERMS
    towards, against = affinity.pod_affinity, affinity.pod_anti_affinity
    preferred: list[Term] = []
    required: tuple[Term, ...] = ()
    refused: tuple[Term, ...] = ()
    if towards is not None:
        required = tuple(_terms(namespace, towards.required_during_scheduling_ignored_during_execution))
        preferred += _weighted(namespace, towards.preferred_during_scheduling_ignored_during_execution, 1)
    if against is not None:
        refused = tuple(_terms(namespace, against.required_during_scheduling_ignored_during_execution))
        preferred += _weighted(namespace, against.preferred_during_scheduling_ignored_during_execution, -1)
    return Terms(required, refused, tuple(preferred))


def _terms(namespace: str, stated: Iterable[PodAffinityTerm]) -> Iterable[Term]:
    return (_term(namespace, one, 0) for one in stated)


def _weighted(namespace: str, stated: Iterable[WeightedPodAffinityTerm], sign: int) -> Iterable[Term]:
    return (_term(namespace, one.pod_affinity_term, sign * one.weight) for one in stated)


def _term(namespace: str, stated: PodAffinityTerm, weight: int) -> Term:
    own = not stated.namespaces and stated.namespace_selector is None
    namespaces = frozenset((namespace,) if own else stated.namespaces)
    return Term(stated.topology_key, stated.label_selector, namespaces, stated.namespace_selector, weight)
