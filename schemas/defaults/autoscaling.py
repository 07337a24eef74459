"""What the API server fills in where a HorizontalPodAutoscaler leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.autoscaling import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from schemas.meta import Quantity
from schemas.quantity import canonical

_METRICS = (
    MetricSpec(
        type="Resource",
        resource=ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=80)),
    ),
)
_SOURCES = tuple(name for name in MetricSpec.__struct_fields__ if name != "type")
_EVERY_QUARTER_MINUTE = 15
_TWICE = HPAScalingPolicy(type="Percent", value=100, period_seconds=_EVERY_QUARTER_MINUTE)
_FOUR_MORE = HPAScalingPolicy(type="Pods", value=4, period_seconds=_EVERY_QUARTER_MINUTE)


def horizontal_pod_autoscaler(declared: HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
    spec = declared.spec
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            min_replicas=1 if spec.min_replicas is None else spec.min_replicas,
            metrics=tuple(map(_metric, spec.metrics)) or _METRICS,
            behavior=None if spec.behavior is None else _behavior(spec.behavior),
        ),
    )


def _metric(metric: MetricSpec) -> MetricSpec:
    sources = {name: getattr(metric, name) for name in _SOURCES}
    return structs.replace(
        metric,
        **{
            name: structs.replace(source, target=_target(source.target))
            for name, source in sources.items()
            if source is not None
        },
    )


def _target(target: MetricTarget) -> MetricTarget:
    return structs.replace(target, average_value=_amount(target.average_value), value=_amount(target.value))


def _amount(amount: Quantity | None) -> str | None:
    return None if amount is None else canonical(amount)


def _behavior(behavior: HorizontalPodAutoscalerBehavior) -> HorizontalPodAutoscalerBehavior:
    """The window of scaling down is left open: it is a setting of the cluster."""
    return HorizontalPodAutoscalerBehavior(
        scale_up=_rules(behavior.scale_up, 0, _FOUR_MORE, _TWICE),
        scale_down=_rules(behavior.scale_down, None, _TWICE),
    )


def _rules(rules: HPAScalingRules | None, window: int | None, *policies: HPAScalingPolicy) -> HPAScalingRules:
    rules = rules or HPAScalingRules()
    seconds = rules.stabilization_window_seconds
    return structs.replace(
        rules,
        policies=policies if rules.policies is None else rules.policies,
        select_policy=rules.select_policy or "Max",
        tolerance=_amount(rules.tolerance),
        stabilization_window_seconds=window if seconds is None else seconds,
    )
