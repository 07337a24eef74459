"""Rules of PodDisruptionBudgets."""

from schemas.faults import Path
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from schemas.validation.report import Faults, invalid, one_of
from schemas.validation.scheduling import label_selector
from schemas.validation.share import not_above_all, share

_SPEC: Path = ("spec",)


def pod_disruption_budget(declared: PodDisruptionBudget) -> Faults:
    spec = declared.spec
    if spec.min_available is not None and spec.max_unavailable is not None:
        yield invalid(_SPEC, _as_shown(spec), "minAvailable and maxUnavailable cannot be both set")
    for field, bound in (("minAvailable", spec.min_available), ("maxUnavailable", spec.max_unavailable)):
        yield from share((*_SPEC, field), bound)
        yield from not_above_all((*_SPEC, field), bound)
    if spec.selector is not None:
        yield from label_selector((*_SPEC, "selector"), spec.selector)
    policies = ("AlwaysAllow", "IfHealthyBudget")
    yield from one_of((*_SPEC, "unhealthyPodEvictionPolicy"), spec.unhealthy_pod_eviction_policy, policies)


def _as_shown(spec: PodDisruptionBudgetSpec) -> dict[str, object]:
    """The spec as the API server writes it in a complaint."""
    return {
        "MinAvailable": spec.min_available,
        "Selector": spec.selector,
        "MaxUnavailable": spec.max_unavailable,
        "UnhealthyPodEvictionPolicy": spec.unhealthy_pod_eviction_policy or None,
    }
