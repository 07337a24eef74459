"""Whether a node is one that a pod asks for, by labels and by name.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/: terms are alternatives, the requirements
within a term must all hold, and an empty term matches nothing.
"""

import re
from collections.abc import Iterable, Mapping

from schemas.core.affinity import NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm
from schemas.core.pod import Pod

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


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
    return all(_holds(one, labels) for one in term.match_expressions) and all(
        _holds(one, fields) for one in term.match_fields
    )


def _holds(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    found = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return found is not None and found in requirement.values
        case "NotIn":
            return found is None or found not in requirement.values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, found, requirement.values)
    return False


def _compares(operator: str, found: str | None, values: tuple[str, ...]) -> bool:
    """A label that is no integer is neither greater nor less."""
    if found is None or len(values) != 1 or not _INTEGER.fullmatch(found) or not _INTEGER.fullmatch(values[0]):
        return False
    return int(found) > int(values[0]) if operator == "Gt" else int(found) < int(values[0])


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
