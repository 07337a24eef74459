"""The columns of what guards the number of pods: HorizontalPodAutoscaler, PodDisruptionBudget; and PriorityClass."""

from collections.abc import Iterator
from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, NONE, UNKNOWN, Cell, Column, Layout, age
from schemas.autoscaling import HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus
from schemas.meta import Quantity
from schemas.policy import PodDisruptionBudget
from schemas.quantity import canonical
from schemas.scheduling import PriorityClass

_MOST = 2
"""Metrics shown; of more, only the number is."""


def _target_of(spec: MetricSpec) -> tuple[str, MetricTarget] | None:
    """The name that goes before the amounts, and what is aimed at."""
    if spec.resource:
        return f"{spec.resource.name}: ", spec.resource.target
    if spec.container_resource:
        return f"{spec.container_resource.name}: ", spec.container_resource.target
    found = spec.pods or spec.object or spec.external
    return ("", found.target) if found else None


def _current_of(status: MetricStatus | None) -> MetricValueStatus | None:
    if status is None:
        return None
    found = status.resource or status.container_resource or status.pods or status.object or status.external
    return found.current if found else None


def _metric(spec: MetricSpec, status: MetricStatus | None) -> str:
    named = _target_of(spec)
    if named is None:
        return "<unknown type>"
    name, target = named
    current = _current_of(status)
    if target.average_value is not None:
        averaged = " (avg)" if spec.object or spec.external else ""
        return (
            f"{name}{_amount(current.average_value if current else None)}/{canonical(target.average_value)}{averaged}"
        )
    if target.value is not None and not name:
        return f"{_amount(current.value if current else None)}/{canonical(target.value)}"
    share = current.average_utilization if current else None
    aim = "<auto>" if target.average_utilization is None else f"{target.average_utilization}%"
    return f"{name}{UNKNOWN if share is None else f'{share}%'}/{aim}"


def _amount(quantity: Quantity | None) -> str:
    return UNKNOWN if quantity is None else canonical(quantity)


def _metrics(autoscaler: HorizontalPodAutoscaler) -> Iterator[str]:
    current = autoscaler.status.current_metrics
    for index, spec in enumerate(autoscaler.spec.metrics):
        yield _metric(spec, current[index] if index < len(current) else None)


def _autoscaler(autoscaler: HorizontalPodAutoscaler, now: datetime) -> tuple[Cell, ...]:
    spec = autoscaler.spec
    metrics = tuple(_metrics(autoscaler))
    shown = ", ".join(metrics[:_MOST]) or NONE
    return (
        autoscaler.metadata.name,
        f"{spec.scale_target_ref.kind}/{spec.scale_target_ref.name}",
        shown if len(metrics) <= _MOST else f"{shown} + {len(metrics) - _MOST} more...",
        "<unset>" if spec.min_replicas is None else str(spec.min_replicas),
        spec.max_replicas,
        autoscaler.status.current_replicas,
        age(autoscaler, now),
    )


def _budget(budget: PodDisruptionBudget, now: datetime) -> tuple[Cell, ...]:
    spec = budget.spec
    return (
        budget.metadata.name,
        "N/A" if spec.min_available is None else str(spec.min_available),
        "N/A" if spec.max_unavailable is None else str(spec.max_unavailable),
        budget.status.disruptions_allowed,
        age(budget, now),
    )


def _priority_class(priority: PriorityClass, now: datetime) -> tuple[Cell, ...]:
    return (
        priority.metadata.name,
        priority.value,
        priority.global_default,
        age(priority, now),
        priority.preemption_policy,
    )


HORIZONTAL_POD_AUTOSCALER = Layout(
    (
        NAME,
        Column("Reference", description="What it scales"),
        Column("Targets", description="Each metric: now, and as it should be"),
        Column("MinPods", description="Never fewer pods"),
        Column("MaxPods", description="Never more pods"),
        Column("Replicas", description="Pods there are"),
        AGE,
    ),
    _autoscaler,
)
POD_DISRUPTION_BUDGET = Layout(
    (
        NAME,
        Column("Min Available", description="Pods that have to stay available"),
        Column("Max Unavailable", description="Pods that may be unavailable"),
        Column("Allowed Disruptions", type="integer", description="Pods that may be evicted now"),
        AGE,
    ),
    _budget,
)
PRIORITY_CLASS = Layout(
    (
        NAME,
        Column("Value", type="integer", description="Pods with a higher one come first"),
        Column("Global-Default", type="boolean", description="Whether pods without a class have this one"),
        AGE,
        Column("PreemptionPolicy", description="Whether such pods may take the place of others"),
    ),
    _priority_class,
)
