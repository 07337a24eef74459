"""Rules of where a pod may run: selectors, affinity, tolerations, spread."""

import re
from collections.abc import Iterable

from schemas import names
from schemas.core.affinity import (
    Affinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from schemas.core.pod import PodSpec
from schemas.faults import Fault, Path
from schemas.meta import LabelSelector
from schemas.validation import metadata
from schemas.validation.report import (
    Faults,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    unsupported,
    well_formed,
)

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def scheduling(path: Path, spec: PodSpec) -> Faults:
    yield from metadata.labels((*path, "nodeSelector"), spec.node_selector)
    if spec.affinity is not None:
        yield from _affinity((*path, "affinity"), spec.affinity)
    yield from _tolerations((*path, "tolerations"), spec.tolerations)
    yield from _spread((*path, "topologySpreadConstraints"), spec.topology_spread_constraints)
    for index, gate in enumerate(spec.scheduling_gates):
        yield from well_formed((*path, "schedulingGates", index), gate.name, names.qualified_name)


def _affinity(path: Path, affinity: Affinity) -> Faults:
    required_field, preferred_field = _RULES
    if affinity.node_affinity is not None:
        at = (*path, "nodeAffinity")
        selector = affinity.node_affinity.required_during_scheduling_ignored_during_execution
        if selector is not None:
            yield from node_selector((*at, required_field), selector)
        preferences = affinity.node_affinity.preferred_during_scheduling_ignored_during_execution
        for index, preference in enumerate(preferences):
            yield from _weight((*at, preferred_field, index), preference.weight)
            yield from _term((*at, preferred_field, index, "preference"), preference.preference)
    if affinity.pod_affinity is not None:
        yield from _pod_affinity((*path, "podAffinity"), affinity.pod_affinity)
    if affinity.pod_anti_affinity is not None:
        yield from _pod_affinity((*path, "podAntiAffinity"), affinity.pod_anti_affinity)


_RULES = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")


def node_selector(path: Path, selector: NodeSelector) -> Faults:
    terms = (*path, "nodeSelectorTerms")
    if not selector.node_selector_terms:
        yield required(terms, "must have at least one node selector term")
    for index, term in enumerate(selector.node_selector_terms):
        yield from _term((*terms, index), term)


def _weight(path: Path, weight: int) -> Faults:
    if not 1 <= weight <= 100:
        yield invalid((*path, "weight"), weight, "must be in the range 1-100")


def _term(path: Path, term: NodeSelectorTerm) -> Faults:
    for index, requirement in enumerate(term.match_expressions):
        yield from _requirement((*path, "matchExpressions", index), requirement)
    for index, requirement in enumerate(term.match_fields):
        at = (*path, "matchFields", index)
        if requirement.key != "metadata.name":
            yield invalid((*at, "key"), requirement.key, "not a valid field selector key")
        if requirement.operator not in ("In", "NotIn"):
            yield invalid((*at, "operator"), requirement.operator, "not a valid selector operator")
        elif len(requirement.values) != 1:
            sentence = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield required((*at, "values"), sentence)


def _requirement(path: Path, requirement: NodeSelectorRequirement) -> Faults:
    values = (*path, "values")
    match requirement.operator:
        case "In" | "NotIn":
            if not requirement.values:
                yield required(values, "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if requirement.values:
                yield forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        case "Gt" | "Lt":
            if len(requirement.values) != 1:
                yield required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'")
            elif not _INTEGER.fullmatch(requirement.values[0]):
                yield invalid((*values, 0), requirement.values[0], "must be an integer")
        case _:
            yield invalid((*path, "operator"), requirement.operator, "not a valid selector operator")
    yield from well_formed((*path, "key"), requirement.key, names.qualified_name)
    for index, value in enumerate(requirement.values):
        yield from well_formed((*values, index), value, names.label_value)


def _pod_affinity(path: Path, affinity: PodAffinity | PodAntiAffinity) -> Faults:
    required_field, preferred_field = _RULES
    for index, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        yield from _pod_term((*path, required_field, index), term)
    for index, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        yield from _weight((*path, preferred_field, index), weighted.weight)
        yield from _pod_term((*path, preferred_field, index, "podAffinityTerm"), weighted.pod_affinity_term)


def _pod_term(path: Path, term: PodAffinityTerm) -> Faults:
    if term.label_selector is not None:
        yield from label_selector((*path, "labelSelector"), term.label_selector)
    if term.namespace_selector is not None:
        yield from label_selector((*path, "namespaceSelector"), term.namespace_selector)
    for index, namespace in enumerate(term.namespaces):
        yield from well_formed((*path, "namespaces", index), namespace, names.dns1123_label)
    if not term.topology_key:
        yield required((*path, "topologyKey"), "can not be empty")
    yield from well_formed((*path, "topologyKey"), term.topology_key, names.qualified_name)


def label_selector(path: Path, selector: LabelSelector) -> Faults:
    yield from metadata.labels((*path, "matchLabels"), selector.match_labels)
    for index, requirement in enumerate(selector.match_expressions):
        at = (*path, "matchExpressions", index)
        match requirement.operator:
            case "In" | "NotIn":
                if not requirement.values:
                    yield required((*at, "values"), "must be specified when `operator` is 'In' or 'NotIn'")
            case "Exists" | "DoesNotExist":
                if requirement.values:
                    sentence = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    yield forbidden((*at, "values"), sentence)
            case _:
                yield invalid((*at, "operator"), requirement.operator, "not a valid selector operator")
        yield from well_formed((*at, "key"), requirement.key, names.qualified_name)
        for position, value in enumerate(requirement.values):
            yield from well_formed((*at, "values", position), value, names.label_value)


def _tolerations(path: Path, tolerations: Iterable[Toleration]) -> Faults:
    for index, toleration in enumerate(tolerations):
        at = (*path, index)
        if toleration.key:
            yield from well_formed((*at, "key"), toleration.key, names.qualified_name)
        elif toleration.operator != "Exists":
            sentence = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid((*at, "operator"), toleration.operator, sentence)
        if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
            sentence = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield invalid((*at, "effect"), toleration.effect, sentence)
        yield from _toleration_operator(at, toleration)
        yield from one_of((*at, "effect"), toleration.effect, _EFFECTS)


def _toleration_operator(path: Path, toleration: Toleration) -> Faults:
    match toleration.operator:
        case "" | "Equal":
            yield from well_formed((*path, "operator"), toleration.value, names.label_value)
        case "Exists":
            if toleration.value:
                sentence = "value must be empty when `operator` is 'Exists'"
                yield invalid((*path, "operator"), toleration.value, sentence)
        case _:
            yield unsupported((*path, "operator"), toleration.operator, ("Equal", "Exists"))


def _spread(path: Path, constraints: Iterable[TopologySpreadConstraint]) -> Faults:
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        at = (*path, index)
        if constraint.max_skew <= 0:
            yield invalid((*at, "maxSkew"), constraint.max_skew, "must be greater than zero")
        if not constraint.topology_key:
            yield required((*at, "topologyKey"), "can not be empty")
        else:
            yield from well_formed((*at, "topologyKey"), constraint.topology_key, names.qualified_name)
        choices = ("DoNotSchedule", "ScheduleAnyway")
        if constraint.when_unsatisfiable not in choices:
            yield unsupported((*at, "whenUnsatisfiable"), constraint.when_unsatisfiable, choices)
        if constraint.min_domains is not None and constraint.min_domains <= 0:
            yield invalid((*at, "minDomains"), constraint.min_domains, "must be greater than zero")
        for field, value in (
            ("nodeAffinityPolicy", constraint.node_affinity_policy),
            ("nodeTaintsPolicy", constraint.node_taints_policy),
        ):
            yield from one_of((*at, field), value, ("Honor", "Ignore"))
        pair = (constraint.topology_key, constraint.when_unsatisfiable)
        if pair in seen:
            yield duplicate((*at, "{topologyKey, whenUnsatisfiable}"), f"{{{pair[0]}, {pair[1]}}}")
        seen.add(pair)
        if constraint.label_selector is None:
            yield Fault((*at, "labelSelector"), "a null labelSelector results in matching no pod", "warning")
        else:
            yield from label_selector((*at, "labelSelector"), constraint.label_selector)
