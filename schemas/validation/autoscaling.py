"""Rules of HorizontalPodAutoscalers."""

from schemas import names
from schemas.autoscaling import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from schemas.faults import Path
from schemas.quantity import canonical, sign
from schemas.validation.report import (
    Faults,
    at_least,
    forbidden,
    invalid,
    one_of,
    required,
    unsupported,
    well_formed,
)
from schemas.validation.resources import container_resource_name
from schemas.validation.scheduling import label_selector

_SPEC: Path = ("spec",)
_LONGEST_WINDOW = 3600
_LONGEST_PERIOD = 1800
_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""The field of each type of metric, in the order in which they are looked at."""


def horizontal_pod_autoscaler(declared: HorizontalPodAutoscaler) -> Faults:
    spec = declared.spec
    least, most = spec.min_replicas, spec.max_replicas
    yield from at_least((*_SPEC, "minReplicas"), least, 1)
    if most == 0:
        yield required((*_SPEC, "maxReplicas"), "must be set and greater than 0")
    elif most < 0:
        yield from at_least((*_SPEC, "maxReplicas"), most, 1)
    if least is not None and most < least:
        yield invalid((*_SPEC, "maxReplicas"), most, "must be greater than or equal to `minReplicas`")
    target = spec.scale_target_ref
    yield from _reference((*_SPEC, "scaleTargetRef"), target, grouped=target.kind != "ReplicationController")
    for index, metric in enumerate(spec.metrics):
        yield from _metric((*_SPEC, "metrics", index), metric)
    if least == 0 and not any(metric.type in ("Object", "External") for metric in spec.metrics):
        sentence = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden((*_SPEC, "metrics"), sentence)
    if spec.behavior is not None:
        yield from _rules((*_SPEC, "behavior", "scaleUp"), spec.behavior.scale_up)
        yield from _rules((*_SPEC, "behavior", "scaleDown"), spec.behavior.scale_down)


def _reference(path: Path, reference: CrossVersionObjectReference, *, grouped: bool) -> Faults:
    """An object of any kind; `grouped`, of one that is not of the core group."""
    for field, text in (("kind", reference.kind), ("name", reference.name)):
        if not text:
            yield required((*path, field))
        else:
            yield from well_formed((*path, field), text, names.path_segment)
    group, slash, version = reference.api_version.partition("/")
    if "/" in version:
        sentence = f"unexpected GroupVersion string: {reference.api_version}"
        yield invalid((*path, "apiVersion"), reference.api_version, sentence)
    elif grouped and not (slash and group):
        yield invalid((*path, "apiVersion"), reference.api_version, "apiVersion must specify API group")


def _metric(path: Path, metric: MetricSpec) -> Faults:
    types = sorted(_SOURCES)
    if not metric.type:
        yield required((*path, "type"), "must specify a metric source type")
    if metric.type not in types:
        yield unsupported((*path, "type"), metric.type, types)
    sources = (metric.object, metric.external, metric.pods, metric.resource, metric.container_resource)
    given = [(field, source) for field, source in zip(_SOURCES.values(), sources, strict=True) if source is not None]
    if given:
        field, source = given[0]
        yield from _source((*path, field), source)
    fitting = _SOURCES.get(metric.type, "")
    if fitting and fitting not in dict(given):
        yield required((*path, fitting), "must populate information for the given metric source")
    if len(given) > 1:
        for field, _ in given:
            if field != fitting:
                yield forbidden((*path, field), "must populate the given metric source only")


Source = (
    ContainerResourceMetricSource | ExternalMetricSource | ObjectMetricSource | PodsMetricSource | ResourceMetricSource
)


def _source(path: Path, source: Source) -> Faults:
    target = source.target
    at = (*path, "target")
    match source:
        case ResourceMetricSource() | ContainerResourceMetricSource():
            yield from _resource(path, source)
        case _:
            yield from _identifier((*path, "metric"), source.metric)
    yield from _target(at, target)
    match source:
        case ObjectMetricSource():
            yield from _reference((*path, "describedObject"), source.described_object, grouped=False)
            if target.value is None and target.average_value is None:
                yield required((*at, "averageValue"), "must set either a target value or averageValue")
        case ExternalMetricSource():
            if target.value is None and target.average_value is None:
                sentence = "must set either a target value for metric or a per-pod target"
                yield required((*at, "averageValue"), sentence)
            elif target.value is not None and target.average_value is not None:
                sentence = "may not set both a target value for metric and a per-pod target"
                yield forbidden((*at, "value"), sentence)
        case PodsMetricSource():
            if target.average_value is None:
                yield required((*at, "averageValue"), "must specify a positive target averageValue")
        case _:
            if target.average_utilization is None and target.average_value is None:
                sentence = "must set either a target raw value or a target utilization"
                yield required((*at, "averageUtilization"), sentence)
            elif target.average_utilization is not None and target.average_value is not None:
                sentence = "may not set both a target raw value and a target utilization"
                yield forbidden((*at, "averageValue"), sentence)


def _resource(path: Path, source: ResourceMetricSource | ContainerResourceMetricSource) -> Faults:
    if not source.name:
        yield required((*path, "name"), "must specify a resource name")
    if isinstance(source, ContainerResourceMetricSource):
        if source.name:
            yield from container_resource_name((*path, "name"), source.name)
        if not source.container:
            yield required((*path, "container"), "must specify a container")
        else:
            yield from well_formed((*path, "container"), source.container, names.dns1123_label)


def _identifier(path: Path, metric: MetricIdentifier) -> Faults:
    if not metric.name:
        yield required((*path, "name"), "must specify a metric name")
    else:
        yield from well_formed((*path, "name"), metric.name, names.path_segment)
    if metric.selector is not None:
        yield from label_selector((*path, "selector"), metric.selector)


def _target(path: Path, target: MetricTarget) -> Faults:
    if not target.type:
        yield required((*path, "type"), "must specify a metric target type")
    if target.type not in ("Utilization", "Value", "AverageValue"):
        yield invalid((*path, "type"), target.type, "must be either Utilization, Value, or AverageValue")
    for field, amount in (("value", target.value), ("averageValue", target.average_value)):
        if amount is not None and sign(amount) != 1:
            yield invalid((*path, field), canonical(amount), "must be positive")
    if target.average_utilization is not None and target.average_utilization < 1:
        yield invalid((*path, "averageUtilization"), target.average_utilization, "must be greater than 0")


def _rules(path: Path, rules: HPAScalingRules | None) -> Faults:
    if rules is None:
        return
    window = rules.stabilization_window_seconds
    at = (*path, "stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield invalid(at, window, "must be greater than or equal to zero")
    elif window is not None and window > _LONGEST_WINDOW:
        yield invalid(at, window, f"must be less than or equal to {_LONGEST_WINDOW}")
    yield from one_of((*path, "selectPolicy"), rules.select_policy, ("Disabled", "Max", "Min"))
    if not rules.policies:
        yield required((*path, "policies"), "must specify at least one Policy")
    for index, policy in enumerate(rules.policies or ()):
        yield from _policy((*path, "policies", index), policy)
    if rules.tolerance is not None and sign(rules.tolerance) < 0:
        yield invalid((*path, "tolerance"), canonical(rules.tolerance), "must be greater than or equal to 0")


def _policy(path: Path, policy: HPAScalingPolicy) -> Faults:
    if policy.type not in ("Percent", "Pods"):
        yield unsupported((*path, "type"), policy.type, ("Percent", "Pods"))
    if policy.value <= 0:
        yield invalid((*path, "value"), policy.value, "must be greater than zero")
    if policy.period_seconds <= 0:
        yield invalid((*path, "periodSeconds"), policy.period_seconds, "must be greater than zero")
    elif policy.period_seconds > _LONGEST_PERIOD:
        yield invalid(
            (*path, "periodSeconds"), policy.period_seconds, f"must be less than or equal to {_LONGEST_PERIOD}"
        )
