"""What an autoscaler's metric measures, from the reports of the nodes, and the replicas that it asks for.

Pure. CPU and memory are measured, of whole pods or of one container. Metrics of the types Pods, Object and External
come from elsewhere in Kubernetes (custom.metrics.k8s.io, external.metrics.k8s.io): nothing serves them here, and they
are told as unavailable, in Kubernetes' words.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from reconciler.controllers.hpametrics import Aim, Sample, Tolerance, Unmeasurable, propose
from schemas.autoscaling import (
    ContainerResourceMetricStatus,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ResourceMetricStatus,
)
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.messages import MetricsBatch, PodUsage
from schemas.quantity import canonical, milli

Usage = Mapping[str, MetricsBatch]
"""The newest report of each node."""

OLDEST = timedelta(minutes=2)
"""What was measured earlier tells nothing of now."""

_ELSEWHERE = {
    "Pods": ("FailedGetPodsMetric", "custom metrics API (custom.metrics.k8s.io)"),
    "Object": ("FailedGetObjectMetric", "custom metrics API (custom.metrics.k8s.io)"),
    "External": ("FailedGetExternalMetric", "external metrics API (external.metrics.k8s.io)"),
}


class Measured(msgspec.Struct, frozen=True):
    """What came of one metric: replicas and status, or why it failed with the condition's reason."""

    metric: MetricSpec
    replicas: int = 0
    status: MetricStatus | None = None
    reason: str = ""
    failure: str = ""


class _Asked(msgspec.Struct, frozen=True):
    resource: str
    container: str
    target: MetricTarget
    reason: str


def name_of(metric: MetricSpec) -> str:
    """As conditions and Events name it."""
    asked = _asked(metric)
    if asked is None:
        return metric.type
    of = "container resource" if asked.container else "resource"
    share = " utilization (percentage of request)" if asked.target.average_utilization is not None else ""
    return f"{asked.resource} {of}{share}"


def kind_of(found: Measured) -> str:
    """As the error of a metric names it."""
    metric = found.metric
    if metric.resource is not None:
        return f"{metric.resource.name} resource"
    if metric.container_resource is not None:
        return f"{metric.container_resource.name} container"
    return "external metric" if metric.type == "External" else metric.type.lower()


def measured(
    metric: MetricSpec, current: int, pods: Sequence[Pod], usage: Usage, tolerance: Tolerance, now: datetime
) -> Measured:
    """The replicas that the metric asks for when there are `current` by now."""
    asked = _asked(metric)
    if asked is None:
        reason, api = _ELSEWHERE.get(metric.type, ("InvalidMetricSourceType", "metric of this type"))
        return Measured(metric, reason=reason, failure=f"unable to get metric {_named(metric)}: no {api} is served")
    share = asked.target.average_utilization
    aim = Aim(utilization=share) if share is not None else Aim(milli=milli(asked.target.average_value or 0))
    try:
        requests = {} if share is None else {pod.metadata.name: _requested(pod, asked) for pod in pods}
        samples = _samples(asked, pods, usage, now)
        found = propose(asked.resource, aim, current, pods, samples, requests, tolerance, now)
    except Unmeasurable as why:
        what = "usage" if share is None else "utilization"
        return Measured(metric, reason=asked.reason, failure=f"failed to get {asked.resource} {what}: {why}")
    value = MetricValueStatus(average_utilization=found.utilization, average_value=canonical(f"{found.average_milli}m"))
    return Measured(metric, found.replicas, _status(asked, value))


def _asked(metric: MetricSpec) -> _Asked | None:
    if metric.resource is not None:
        return _Asked(metric.resource.name, "", metric.resource.target, "FailedGetResourceMetric")
    source = metric.container_resource
    if source is not None:
        return _Asked(source.name, source.container, source.target, "FailedGetContainerResourceMetric")
    return None


def _named(metric: MetricSpec) -> str:
    found = metric.pods or metric.object or metric.external
    return found.metric.name if found is not None else metric.type


def _status(asked: _Asked, value: MetricValueStatus) -> MetricStatus:
    if asked.container:
        found = ContainerResourceMetricStatus(container=asked.container, current=value, name=asked.resource)
        return MetricStatus(type="ContainerResource", container_resource=found)
    return MetricStatus(type="Resource", resource=ResourceMetricStatus(current=value, name=asked.resource))


def _running(pod: Pod) -> Iterator[Container]:
    yield from pod.spec.containers
    yield from (one for one in pod.spec.init_containers if one.restart_policy == "Always")


def _requested(pod: Pod, asked: _Asked) -> int:
    """Thousandths. Raises `Unmeasurable` where a container does not say."""
    total = 0
    for container in _running(pod):
        if asked.container in ("", container.name):
            amount = container.resources.requests.get(asked.resource)
            if amount is None:
                where = f"container {container.name} of Pod {pod.metadata.name}"
                raise Unmeasurable(f"missing request for {asked.resource} in {where}")
            total += milli(amount)
    return total


def _samples(asked: _Asked, pods: Sequence[Pod], usage: Usage, now: datetime) -> dict[str, Sample]:
    """By the pod's name; of a pod of which a part is not known, nothing."""
    nodes = {pod.spec.node_name for pod in pods} & usage.keys()
    fresh = [usage[node] for node in nodes if usage[node].taken_at + OLDEST > now]
    reports = {one.uid: (one, batch) for batch in fresh for one in batch.pods}
    found = {}
    for pod in pods:
        report = reports.get(pod.metadata.uid)
        amount = None if report is None else _used(pod, report[0], asked)
        if report is not None and amount is not None:
            batch = report[1]
            found[pod.metadata.name] = Sample(amount, batch.taken_at, timedelta(seconds=batch.window_seconds))
    return found


def _used(pod: Pod, report: PodUsage, asked: _Asked) -> int | None:
    names = [one.name for one in _running(pod) if asked.container in ("", one.name)]
    if not names or any(name not in report.containers for name in names):
        return None
    used = [report.containers[name] for name in names]
    if asked.resource == "cpu":
        return sum(one.cpu_nanocores for one in used) // 1_000_000
    return sum(one.memory_bytes for one in used) * 1_000 if asked.resource == "memory" else None
