"""Label keys by which a pod's terms pick pods of its own revision, written into their selectors. Pure.

`matchLabelKeys` and `mismatchLabelKeys` of topology spread and pod affinity name labels whose values are the new
pod's own. They become part of the selector when the pod comes, so that what selects need look at nothing else
(KEP-3243, KEP-3633). A key that the pod does not bear means nothing, and so does one without a selector.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec import structs

from reconciler.store.view import View
from schemas.core.affinity import (
    Affinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, LabelSelectorRequirement, Object

AnySide = TypeVar("AnySide", PodAffinity, PodAntiAffinity)
Labels = Mapping[str, str]


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    spec, labels = object_.spec, object_.metadata.labels
    if spec.affinity is None and not spec.topology_spread_constraints:
        return object_
    spread = tuple(_constraint(one, labels) for one in spec.topology_spread_constraints)
    affinity = _affinity(spec.affinity, labels) if spec.affinity is not None else None
    return structs.replace(object_, spec=structs.replace(spec, affinity=affinity, topology_spread_constraints=spread))


def _affinity(affinity: Affinity, labels: Labels) -> Affinity:
    near, apart = affinity.pod_affinity, affinity.pod_anti_affinity
    return structs.replace(
        affinity,
        pod_affinity=_side(near, labels) if near is not None else None,
        pod_anti_affinity=_side(apart, labels) if apart is not None else None,
    )


def _side(side: AnySide, labels: Labels) -> AnySide:
    return structs.replace(
        side,
        preferred_during_scheduling_ignored_during_execution=tuple(
            WeightedPodAffinityTerm(_term(one.pod_affinity_term, labels), one.weight)
            for one in side.preferred_during_scheduling_ignored_during_execution
        ),
        required_during_scheduling_ignored_during_execution=tuple(
            _term(one, labels) for one in side.required_during_scheduling_ignored_during_execution
        ),
    )


def _term(term: PodAffinityTerm, labels: Labels) -> PodAffinityTerm:
    if term.label_selector is None or not (term.match_label_keys or term.mismatch_label_keys):
        return term
    more = [*_of(term.match_label_keys, "In", labels), *_of(term.mismatch_label_keys, "NotIn", labels)]
    return structs.replace(term, label_selector=_joined(term.label_selector, more))


def _constraint(one: TopologySpreadConstraint, labels: Labels) -> TopologySpreadConstraint:
    if one.label_selector is None or not one.match_label_keys:
        return one
    return structs.replace(one, label_selector=_joined(one.label_selector, _of(one.match_label_keys, "In", labels)))


def _of(keys: Sequence[str], operator: str, labels: Labels) -> list[LabelSelectorRequirement]:
    return [LabelSelectorRequirement(key, operator, (labels[key],)) for key in keys if key in labels]


def _joined(selector: LabelSelector, more: Sequence[LabelSelectorRequirement]) -> LabelSelector:
    """What is in it already is not added again: admission may see a pod twice."""
    there = selector.match_expressions
    return structs.replace(selector, match_expressions=there + tuple(one for one in more if one not in there))
