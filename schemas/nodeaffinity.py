"""Whether a node is one that a pod asks for, by labels and by name.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/: terms are alternatives, the requirements
within a term must all hold, and an empty term matches nothing.
"""

from collections.abc import Iterable, Mapping

from schemas.core.affinity import NodeAffinity, NodeSelectorTerm
from schemas.core.pod import Pod
from schemas.selectors import meets


def node_affinity(pod: Pod) -> NodeAffinity | None:
    return pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None


def required(pod: Pod) -> tuple[NodeSelectorTerm, ...] | None:
    """The terms of which one must hold, or None where there is no such demand."""
    affinity = node_affinity(pod)
    selector = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return None if selector is None else selector.node_selector_terms


def wanted_by(pod: Pod, name: str, labels: Mapping[str, str]) -> bool:
    """Whether `nodeSelector` and the required terms allow the node."""
    if not pod.spec.node_selector.items() <= labels.items():
        return False
    terms = required(pod)
    return terms is None or any(term_holds(term, name, labels) for term in terms)


def term_holds(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": name}
    return all(meets(one, labels) for one in term.match_expressions) and all(
        meets(one, fields) for one in term.match_fields
    )


def label_keys(terms: Iterable[NodeSelectorTerm], selector: Iterable[str] = ()) -> tuple[str, ...] | None:
    """The labels that terms and a `nodeSelector` look at; None where a term looks at names as well."""
    keys = dict.fromkeys(selector)
    for term in terms:
        if term.match_fields:
            return None
        keys |= dict.fromkeys(one.key for one in term.match_expressions)
    return tuple(keys)


def named_nodes(pod: Pod) -> frozenset[str] | None:
    """The nodes that the required terms name, where each of them names some; else None."""
    terms = required(pod)
    if not terms:
        return None
    names: set[str] = set()
    for term in terms:
        lists = [set(one.values) for one in term.match_fields if one.key == "metadata.name" and one.operator == "In"]
        if not lists:
            return None
        names |= set.intersection(*lists)
    return frozenset(names)
