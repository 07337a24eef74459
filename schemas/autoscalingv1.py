"""HorizontalPodAutoscaler of `autoscaling/v1`: another form of the same stored object, which knows the processor alone.

What it has no fields for lies in annotations, in Kubernetes' own form, so that nothing is lost by a client that reads
and writes the older version (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import field

from schemas.conversion import convert
from schemas.kinds import BY_NAME, Kind
from schemas.meta import ATOMIC, Object, Record

_ANNOTATION = "autoscaling.alpha.kubernetes.io/"
_CPU = "targetCPUUtilizationPercentage"
_CURRENT_CPU = "currentCPUUtilizationPercentage"
_FLAT = {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue", "value": "targetValue"}
_STATUS = {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue"}
Document = dict[str, Any]


class CrossVersionObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_version: str = ""


class HorizontalPodAutoscalerSpec(Record, frozen=True):
    max_replicas: int
    scale_target_ref: Annotated[CrossVersionObjectReference, ATOMIC]
    min_replicas: int | None = None
    target_cpu_utilization_percentage: int | None = field(default=None, name=_CPU)


class HorizontalPodAutoscalerStatus(Record, frozen=True):
    current_cpu_utilization_percentage: int | None = field(default=None, name=_CURRENT_CPU)
    current_replicas: int = field(default_factory=int)
    desired_replicas: int = field(default_factory=int)
    last_scale_time: datetime | None = None
    observed_generation: int | None = None


class HorizontalPodAutoscaler(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "autoscaling/v1")
    kind: str = field(default_factory=lambda: "HorizontalPodAutoscaler")
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)


_STORED = BY_NAME["HorizontalPodAutoscaler"]
KIND = Kind(
    name="HorizontalPodAutoscaler",
    group="autoscaling",
    plural=_STORED.plural,
    short_names=_STORED.short_names,
    categories=_STORED.categories,
    type=HorizontalPodAutoscaler,
)


def shown(scaler: Object) -> Object:
    """The stored autoscaler as one of `autoscaling/v1`."""
    return msgspec.convert(shown_document(msgspec.to_builtins(scaler)), HorizontalPodAutoscaler)


def shown_document(document: Mapping[str, Any]) -> Document:
    """A stored autoscaler's document as one of `autoscaling/v1`."""
    spec, status = dict(document.get("spec") or {}), dict(document.get("status") or {})
    metrics, behaviour = spec.pop("metrics", None) or [], spec.pop("behavior", None)
    others = [metric for metric in metrics if _cpu_of(metric) is None]
    if cpu := [used for metric in metrics if (used := _cpu_of(metric)) is not None]:
        spec[_CPU] = cpu[0]
    current, conditions = status.pop("currentMetrics", None) or [], status.pop("conditions", None) or []
    if now := [used for metric in current if (used := _current_cpu_of(metric)) is not None]:
        status[_CURRENT_CPU] = now[0]
    beside = {
        "metrics": [_flat(metric, "target", _FLAT) for metric in others],
        "current-metrics": [_flat(metric, "current", _STATUS) for metric in current],
        "conditions": conditions,
        "behavior": behaviour,
    }
    found: Document = {**document, "apiVersion": KIND.api_version, "spec": spec, "status": status}
    written = {_ANNOTATION + name: msgspec.json.encode(value).decode() for name, value in beside.items() if value}
    if written:
        metadata = dict(document.get("metadata") or {})
        found["metadata"] = metadata | {"annotations": (metadata.get("annotations") or {}) | written}
    return found


def stored_document(document: Mapping[str, Any]) -> Document:
    """A document of `autoscaling/v1` as the autoscaler that is stored."""
    if document.get("apiVersion", KIND.api_version) != KIND.api_version or not isinstance(document.get("spec"), dict):
        return dict(document)
    spec = dict(document["spec"])
    metadata, beside = _without_annotations(document.get("metadata"))
    metrics = _whole(beside.get("metrics"))
    if (cpu := spec.pop(_CPU, None)) is not None:
        target = {"type": "Utilization", "averageUtilization": cpu}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if beside.get("behavior"):
        spec["behavior"] = beside["behavior"]
    found: Document = {**document, "apiVersion": _STORED.api_version, "spec": spec}
    if metadata is not None:
        found["metadata"] = metadata
    if isinstance(status := document.get("status"), dict):
        found["status"] = {name: value for name, value in status.items() if name != _CURRENT_CPU}
        if isinstance(beside.get("conditions"), list):
            found["status"]["conditions"] = beside["conditions"]
    return found


def stored_selector(text: str) -> str:
    return text


def _cpu_of(metric: Mapping[str, Any]) -> int | None:
    resource = metric.get("resource") or {}
    found: int | None = (resource.get("target") or {}).get("averageUtilization")
    return found if metric.get("type") == "Resource" and resource.get("name") == "cpu" else None


def _current_cpu_of(metric: Mapping[str, Any]) -> int | None:
    resource = metric.get("resource") or {}
    found: int | None = (resource.get("current") or {}).get("averageUtilization")
    return found if metric.get("type") == "Resource" and resource.get("name") == "cpu" else None


def _flat(metric: Mapping[str, Any], inner: str, names: Mapping[str, str]) -> Document:
    """A metric in the form of the annotations, where target and name are no parts of their own."""
    found: Document = {"type": metric.get("type")}
    for source, value in metric.items():
        if source == "type" or not isinstance(value, dict):
            continue
        flat = {name: part for name, part in value.items() if name not in (inner, "metric", "describedObject")}
        flat |= {names[name]: part for name, part in (value.get(inner) or {}).items() if name in names}
        if isinstance(metric_ := value.get("metric"), dict):
            flat["metricName"] = metric_.get("name")
            if metric_.get("selector"):
                flat["metricSelector" if source == "external" else "selector"] = metric_["selector"]
        if "describedObject" in value:
            flat["target"] = value["describedObject"]
        found[source] = flat
    return found


def _whole(metrics: object) -> list[Any]:
    """Metrics of the annotation in the form that is stored."""
    if not isinstance(metrics, list) or not metrics:
        return []
    converted = convert("autoscaling/v2beta1", _STORED.name, {"spec": {"metrics": metrics}})
    return list(converted.document["spec"]["metrics"]) if converted is not None else []


def _without_annotations(metadata: object) -> tuple[Document | None, Document]:
    """The metadata without the annotations that stand for fields, and what these say; a broken one is left alone."""
    if not isinstance(metadata, dict):
        return None, {}
    annotations, found = {}, Document()
    for name, text in (metadata.get("annotations") or {}).items():
        if not name.startswith(_ANNOTATION):
            annotations[name] = text
            continue
        try:
            found[name.removeprefix(_ANNOTATION)] = msgspec.json.decode(text)
        except (msgspec.DecodeError, TypeError):
            annotations[name] = text
    if not found:
        return metadata, {}
    bare = {name: value for name, value in metadata.items() if name != "annotations"}
    return (bare | {"annotations": annotations} if annotations else bare), found
