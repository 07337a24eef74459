"""Which labels, nodes and pods are meant: selectors, node affinity, pod affinity terms, tolerations.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ and …/taint-and-toleration/.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from schemas import names
from schemas.core.affinity import NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration
from schemas.core.node import Node, Taint
from schemas.core.pod import Pod
from schemas.meta import LabelSelector
from schemas.selectors import matches
from tests.oracles.scheduler.reference.world import World

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def picks_everything(selector: LabelSelector | None) -> bool:
    return selector is not None and not selector.match_labels and not selector.match_expressions


def required_terms(pod: Pod) -> Sequence[NodeSelectorTerm] | None:
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    selector = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return selector.node_selector_terms if selector else None


def wants(pod: Pod, node: Node) -> bool:
    """Whether nodeSelector and required node affinity allow the node."""
    terms = required_terms(pod)
    labels = node.metadata.labels
    return all(labels.get(key) == value for key, value in pod.spec.node_selector.items()) and (
        terms is None or any(term_meets(term, node) for term in terms)
    )


def term_meets(term: NodeSelectorTerm, node: Node) -> bool:
    """All requirements; a term without any matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(_meets(one, node.metadata.labels) for one in term.match_expressions) and all(
        _meets(one, fields) for one in term.match_fields
    )


def _meets(one: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    there = labels.get(one.key)
    if one.operator in ("Gt", "Lt"):
        if there is None or not _INTEGER.fullmatch(there) or not _INTEGER.fullmatch(one.values[0]):
            return False
        return int(there) > int(one.values[0]) if one.operator == "Gt" else int(there) < int(one.values[0])
    return {
        "In": there in one.values,
        "NotIn": there not in one.values,
        "Exists": there is not None,
        "DoesNotExist": there is None,
    }[one.operator]


def fault_of(index: int, term: NodeSelectorTerm) -> str:
    """What the scheduler finds wrong with a preferred term, which the API lets pass."""
    for at, one in enumerate(term.match_expressions):
        for place, value in enumerate(one.values):
            if complaints := names.label_value(value):
                return (
                    f"[{index}].matchExpressions[{at}].values[{place}][{one.key}]: "
                    f'Invalid value: "{value}": {"; ".join(complaints)}'
                )
    return ""


def named_nodes(pod: Pod) -> set[str] | None:
    """Nodes by name, where each required term asks for some by `metadata.name`."""
    terms = required_terms(pod)
    if not terms:
        return None
    found: set[str] = set()
    for term in terms:
        sets = [set(one.values) for one in term.match_fields if (one.key, one.operator) == ("metadata.name", "In")]
        if not sets:
            return None
        found |= set.intersection(*sets)
    return found


def term_picks(term: PodAffinityTerm, owner: Pod, other: Pod, world: World, *, comes: bool = False) -> bool:
    """Whether the term, in the owner's spec, is about the other pod. No namespaces at all mean the owner's own.

    The namespaces that a pod which comes means by labels are those so labelled, and also all others where the
    selector picks what has no label at all (`DoesNotExist`, `NotIn`): so the kube-scheduler has it.
    """
    namespace, selector = other.metadata.namespace, term.namespace_selector
    if not term.namespaces and selector is None:
        there = namespace == owner.metadata.namespace
    else:
        there = namespace in term.namespaces or matches(selector, world.namespaces.get(namespace, {}))
        there = there or (comes and matches(selector, {}))
    return there and matches(term.label_selector, other.metadata.labels)


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(_tolerates(one, taint) for one in tolerations)


def _tolerates(one: Toleration, taint: Taint) -> bool:
    if (one.effect and one.effect != taint.effect) or (one.key and one.key != taint.key):
        return False
    if one.operator in ("Gt", "Lt"):  # KEP-5471
        if not _INTEGER.fullmatch(one.value) or not _INTEGER.fullmatch(taint.value):
            return False
        return int(taint.value) > int(one.value) if one.operator == "Gt" else int(taint.value) < int(one.value)
    return one.operator == "Exists" or (bool(one.key) and one.value == taint.value)


def keeps_off(node: Node, pod: Pod) -> bool:
    """Whether a taint of the node is one that new pods have to tolerate and this one does not."""
    return any(
        taint.effect in ("NoSchedule", "NoExecute") and not tolerated(taint, pod.spec.tolerations)
        for taint in node.spec.taints
    )
