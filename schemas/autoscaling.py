"""HorizontalPodAutoscaler: as many pods as the load asks for."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.meta import LabelSelector, Object, Quantity, Record, merged_by


class HPAScalingPolicy(Record, frozen=True):
    period_seconds: int
    type: str
    value: int


class HPAScalingRules(Record, frozen=True):
    policies: tuple[HPAScalingPolicy, ...] | None = None
    """None: those of Kubernetes; an empty list is a fault."""
    select_policy: str = ""
    stabilization_window_seconds: int | None = None
    tolerance: Quantity | None = None


class HorizontalPodAutoscalerBehavior(Record, frozen=True):
    scale_down: HPAScalingRules | None = None
    scale_up: HPAScalingRules | None = None


class MetricTarget(Record, frozen=True):
    type: str
    average_utilization: int | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ContainerResourceMetricSource(Record, frozen=True):
    container: str
    name: str
    target: MetricTarget


class MetricIdentifier(Record, frozen=True):
    name: str
    selector: LabelSelector | None = None


class ExternalMetricSource(Record, frozen=True):
    metric: MetricIdentifier
    target: MetricTarget


class CrossVersionObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_version: str = ""


class ObjectMetricSource(Record, frozen=True):
    described_object: CrossVersionObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class PodsMetricSource(Record, frozen=True):
    metric: MetricIdentifier
    target: MetricTarget


class ResourceMetricSource(Record, frozen=True):
    name: str
    target: MetricTarget


class MetricSpec(Record, frozen=True):
    type: str
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None


class HorizontalPodAutoscalerSpec(Record, frozen=True):
    max_replicas: int
    scale_target_ref: CrossVersionObjectReference
    behavior: HorizontalPodAutoscalerBehavior | None = None
    metrics: tuple[MetricSpec, ...] = ()
    min_replicas: int | None = None


class HorizontalPodAutoscalerCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class MetricValueStatus(Record, frozen=True):
    average_utilization: int | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ContainerResourceMetricStatus(Record, frozen=True):
    container: str
    current: MetricValueStatus
    name: str


class ExternalMetricStatus(Record, frozen=True):
    current: MetricValueStatus
    metric: MetricIdentifier


class ObjectMetricStatus(Record, frozen=True):
    current: MetricValueStatus
    described_object: CrossVersionObjectReference
    metric: MetricIdentifier


class PodsMetricStatus(Record, frozen=True):
    current: MetricValueStatus
    metric: MetricIdentifier


class ResourceMetricStatus(Record, frozen=True):
    current: MetricValueStatus
    name: str


class MetricStatus(Record, frozen=True):
    type: str
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None


class HorizontalPodAutoscalerStatus(Record, frozen=True):
    conditions: Annotated[tuple[HorizontalPodAutoscalerCondition, ...], merged_by("type")] = ()
    current_metrics: tuple[MetricStatus, ...] = ()
    current_replicas: int = 0
    desired_replicas: int = field(default_factory=int)
    last_scale_time: datetime | None = None
    observed_generation: int | None = None


class HorizontalPodAutoscaler(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "autoscaling/v2")
    kind: str = field(default_factory=lambda: "HorizontalPodAutoscaler")
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)
