"""Old API versions that still occur in the wild, as the versions that are served.

Pure, and on documents: what an old version implied is written out, so that the object behaves as it did; a warning
names the version to write instead. A value of a wrong type is handed on as it is, for decoding to complain of.
Paths of the new document can be told as they were written. Follows the conversion and the defaults that Kubernetes
had for each version while it served it (https://kubernetes.io/docs/reference/using-api/deprecation-guide/).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schemas.faults import Fault, Path, field_name
from schemas.shape import Json

_Document = dict[str, Any]

_Way = tuple[str, ...]

_SPEC: Path = ("spec",)
_TEMPLATE_LABELS: _Way = ("spec", "template", "metadata", "labels")
_NO_DEADLINE = 2**31 - 1
"""Seconds, which Kubernetes reads as none."""


class Converted(msgspec.Struct, frozen=True):
    """The document in a version that is served, and warnings by paths as they were written."""

    document: _Document
    api_version: str
    warnings: tuple[Fault, ...] = ()
    moved: tuple[tuple[Path, Path], ...] = ()
    """Where a place of the new document was written."""

    def as_written(self, path: Path) -> Path:
        """The place in the old document that a path of the new one comes from."""
        for length in range(len(path), 0, -1):
            for new, old in self.moved:
                if new == path[:length]:
                    return old + path[length:]
        return path


class _Trail:
    """What a conversion leaves behind, besides the document."""

    def __init__(self) -> None:
        self.moved: list[tuple[Path, Path]] = []
        self.implied: list[Path] = []
        self.warnings: list[Fault] = []

    def move(self, new: Path, old: Path) -> None:
        self.moved.append((new, old))

    def drop(self, path: Path, reason: str) -> None:
        self.warnings.append(Fault(path, f"is left out: {reason}", "warning"))


_Step = Callable[[_Document, _Trail], _Document]


def convert(api_version: str, kind: str, document: Mapping[str, Any]) -> Converted | None:
    """The document in the version that is served; None where the version is not an old one of the kind."""
    if (found := _OLD.get((api_version, kind))) is None:
        return None
    newer, steps = found
    trail = _Trail()
    converted = {**document, "apiVersion": newer}
    for step in steps:
        converted = step(converted, trail)
    message = f"{api_version} is an old version of {kind}; write apiVersion: {newer}"
    if trail.implied:
        message += f", and what the old one implied: {', '.join(map(field_name, trail.implied))}"
    warnings = (Fault(("apiVersion",), message, "warning"), *trail.warnings)
    return Converted(converted, newer, warnings, tuple(trail.moved))


# Reading and writing documents that may hold anything


def _get(value: Json, path: _Way) -> Json:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(value: _Document, path: _Way, new: Json) -> _Document:
    """A copy with the new value; unchanged where something on the way is no map."""
    step, *rest = path
    if rest:
        inner = {} if value.get(step) is None else value[step]
        if not isinstance(inner, dict):
            return value
        new = _put(inner, tuple(rest), new)
    return {**value, step: new}


def _without(value: _Document, *names: str) -> _Document:
    return {name: item for name, item in value.items() if name not in names}


def _each(document: _Document, path: _Way, change: Callable[[_Document, Path], _Document]) -> _Document:
    """With every map of the list at the path changed."""
    items = _get(document, path)
    if not isinstance(items, list):
        return document
    return _put(document, path, [change(x, (*path, i)) if isinstance(x, dict) else x for i, x in enumerate(items)])


def _imply(document: _Document, trail: _Trail, path: _Way, value: Json) -> _Document:
    """Writes out a default that the newer version does not have."""
    if _get(document, path) is not None or (new := _put(document, path, value)) is document:
        return document
    trail.implied.append(path)
    return new


# Workloads


def _selector(document: _Document, trail: _Trail) -> _Document:
    """Selector and labels came from the labels of the template."""
    labels = _get(document, _TEMPLATE_LABELS)
    if not isinstance(labels, dict) or not labels:
        return document
    if _get(document, ("spec", "selector")) is None:
        trail.move(("spec", "selector", "matchLabels"), _TEMPLATE_LABELS)
        trail.move(("spec", "selector"), _TEMPLATE_LABELS)
        document = _imply(document, trail, ("spec", "selector"), {"matchLabels": labels})
    if not _get(document, ("metadata", "labels")):
        trail.move(("metadata", "labels"), _TEMPLATE_LABELS)
        document = _put(document, ("metadata", "labels"), labels)
    return document


def _one_at_a_time(document: _Document, trail: _Trail) -> _Document:
    """A rolling update replaced one pod at a time, and never gave up.

    That all revisions were kept, too, is not written out: the newer default of ten serves a small machine better.
    """
    if _get(document, ("spec", "strategy", "type")) in (None, "", "RollingUpdate"):
        for field in ("maxSurge", "maxUnavailable"):
            document = _imply(document, trail, ("spec", "strategy", "rollingUpdate", field), 1)
    return _imply(document, trail, ("spec", "progressDeadlineSeconds"), _NO_DEADLINE)


def _two_revisions(document: _Document, trail: _Trail) -> _Document:
    return _imply(document, trail, ("spec", "revisionHistoryLimit"), 2)


def _on_delete(document: _Document, trail: _Trail) -> _Document:
    """Pods were only replaced once they were deleted by hand."""
    return _imply(document, trail, ("spec", "updateStrategy", "type"), "OnDelete")


def _dropped(name: str, reason: str) -> _Step:
    def drop(document: _Document, trail: _Trail) -> _Document:
        spec = document.get("spec")
        if not isinstance(spec, dict) or name not in spec:
            return document
        trail.drop((*_SPEC, name), reason)
        return {**document, "spec": _without(spec, name)}

    return drop


_rollback = _dropped("rollbackTo", "roll back with git revert, or kubectl rollout undo")
_template_generation = _dropped("templateGeneration", "the cluster counts generations itself")


# Ingress


def _ingress(document: _Document, trail: _Trail) -> _Document:
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return document
    if "backend" in spec:
        new, old = (*_SPEC, "defaultBackend"), (*_SPEC, "backend")
        trail.move(new, old)
        spec = {**_without(spec, "backend"), "defaultBackend": _backend(spec["backend"], new, old, trail)}
    document = {**document, "spec": spec}

    def path_of_rule(rule: _Document, at: Path) -> _Document:
        if not isinstance(http := rule.get("http"), dict):
            return rule
        paths = http.get("paths")
        if not isinstance(paths, list):
            return rule
        found = [_http_path(path, (*at, "http", "paths", index), trail) for index, path in enumerate(paths)]
        return {**rule, "http": {**http, "paths": found}}

    return _each(document, ("spec", "rules"), path_of_rule)


def _http_path(path: Json, at: Path, trail: _Trail) -> Json:
    if not isinstance(path, dict):
        return path
    if "backend" in path:
        backend_at = (*at, "backend")
        path = {**path, "backend": _backend(path["backend"], backend_at, backend_at, trail)}
    return path if path.get("pathType") is not None else {**path, "pathType": "ImplementationSpecific"}


def _backend(backend: Json, new: Path, old: Path, trail: _Trail) -> Json:
    if not isinstance(backend, dict) or not backend.keys() & {"serviceName", "servicePort"}:
        return backend
    service: _Document = {}
    trail.move((*new, "service"), old)
    trail.move((*new, "service", "name"), (*old, "serviceName"))
    if "serviceName" in backend:
        service["name"] = backend["serviceName"]
    if (port := backend.get("servicePort")) is not None:
        field = "name" if isinstance(port, str) else "number"
        service["port"] = {field: port}
        for place in (("service", "port"), ("service", "port", field)):
            trail.move((*new, *place), (*old, "servicePort"))
    return {**_without(backend, "serviceName", "servicePort"), "service": service}


# HorizontalPodAutoscaler


def _cpu_target(document: _Document, trail: _Trail) -> _Document:
    """`autoscaling/v1` knew the use of the processor alone; other metrics hid in annotations."""
    annotations = _get(document, ("metadata", "annotations"))
    for name in ("metrics", "behavior"):
        annotation = f"autoscaling.alpha.kubernetes.io/{name}"
        if isinstance(annotations, dict) and annotation in annotations:
            path = ("metadata", "annotations", annotation)
            trail.drop(path, f"write it as spec.{name} of autoscaling/v2")
    field = "targetCPUUtilizationPercentage"
    spec = document.get("spec")
    if not isinstance(spec, dict) or spec.get(field) is None:
        return document
    old, new = (*_SPEC, field), (*_SPEC, "metrics")
    trail.move(new, old)
    trail.move((*new, 0, "resource", "target", "averageUtilization"), old)
    target = {"type": "Utilization", "averageUtilization": spec[field]}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**document, "spec": {**_without(spec, field), "metrics": metrics}}


_METRIC_SOURCES = ("resource", "containerResource", "pods", "object", "external")
_TARGETS = (
    ("targetAverageUtilization", "Utilization", "averageUtilization"),
    ("targetAverageValue", "AverageValue", "averageValue"),
    ("averageValue", "AverageValue", "averageValue"),
    ("targetValue", "Value", "value"),
)
"""What a metric of `v2beta1` was held against, most telling first; type and field of the newer target."""


def _flat_metrics(document: _Document, trail: _Trail) -> _Document:
    def change(metric: _Document, at: Path) -> _Document:
        sources = {
            name: _metric_source(name, metric[name], (*at, name), trail)
            for name in _METRIC_SOURCES
            if isinstance(metric.get(name), dict)
        }
        return {**metric, **sources}

    return _each(document, ("spec", "metrics"), change)


def _metric_source(kind: str, source: _Document, at: Path, trail: _Trail) -> _Document:
    new = _without(source, "metricName", "metricSelector", *(field for field, _, _ in _TARGETS))
    if kind == "object" and "target" in new:
        new["describedObject"] = new.pop("target")
        trail.move((*at, "describedObject"), (*at, "target"))
    if kind in ("pods", "object", "external"):
        selector = "metricSelector" if kind == "external" else "selector"
        if selector == "selector":
            new.pop("selector", None)
        metric = {"name": source.get("metricName"), "selector": source.get(selector)}
        new["metric"] = {name: value for name, value in metric.items() if value is not None}
        trail.move((*at, "metric"), at)
        trail.move((*at, "metric", "name"), (*at, "metricName"))
        trail.move((*at, "metric", "selector"), (*at, selector))
    target: _Document = {}
    trail.move((*at, "target"), at)
    for old, type_, field in _TARGETS:
        if source.get(old) is not None:
            target = {"type": target.get("type", type_), **_without(target, "type"), field: source[old]}
            trail.move((*at, "target", field), (*at, old))
    return {**new, "target": target}


# The others


def _nothing_selected(document: _Document, trail: _Trail) -> _Document:
    """An empty selector of a budget matched no pod; now it matches all of them, and an absent one none."""
    spec = document.get("spec")
    if not isinstance(spec, dict) or not _is_empty_selector(spec.get("selector")):
        return document
    trail.drop(
        (*_SPEC, "selector"), "empty, it selected no pod in policy/v1beta1, but selects all of them in policy/v1"
    )
    return {**document, "spec": _without(spec, "selector")}


def _is_empty_selector(selector: Json) -> bool:
    return isinstance(selector, dict) and not any(selector.values())


def _subjects(document: _Document, trail: _Trail) -> _Document:
    """Subjects named a version where they now name a group, and `*` stood for everyone who is known."""

    def change(subject: _Document, at: Path) -> _Document:
        trail.move((*at, "apiGroup"), (*at, "apiVersion"))
        version = subject.get("apiVersion")
        known = _without(subject, "apiVersion")
        if known.get("kind") == "User" and known.get("name") == "*":
            return {**known, "kind": "Group", "name": "system:authenticated"}
        if known.get("kind") in ("User", "Group", "ServiceAccount") or version is None:
            return known
        return {**known, "apiGroup": version.rpartition("/")[0] if isinstance(version, str) else version}

    return _each(document, ("subjects",), change)


_TOPOLOGY = {"kubernetes.io/hostname": "nodeName", "topology.kubernetes.io/zone": "zone"}


def _topology(document: _Document, trail: _Trail) -> _Document:
    """Node and zone of an endpoint were labels among others."""

    def change(endpoint: _Document, at: Path) -> _Document:
        if not isinstance(labels := endpoint.get("topology"), dict):
            return endpoint
        new = _without(endpoint, "topology")
        for label, field in _TOPOLOGY.items():
            if label in labels and new.get(field) is None:
                new[field] = labels[label]
                trail.move((*at, field), (*at, "topology", label))
        if rest := _without(labels, *_TOPOLOGY):
            new["deprecatedTopology"] = rest
            trail.move((*at, "deprecatedTopology"), (*at, "topology"))
        return new

    return _each(document, ("endpoints",), change)


_OLD: dict[tuple[str, str], tuple[str, tuple[_Step, ...]]] = {
    ("extensions/v1beta1", "DaemonSet"): ("apps/v1", (_selector, _on_delete, _template_generation)),
    ("extensions/v1beta1", "Deployment"): ("apps/v1", (_selector, _one_at_a_time, _rollback)),
    ("extensions/v1beta1", "Ingress"): ("networking.k8s.io/v1", (_ingress,)),
    ("extensions/v1beta1", "NetworkPolicy"): ("networking.k8s.io/v1", ()),
    ("extensions/v1beta1", "ReplicaSet"): ("apps/v1", (_selector,)),
    ("apps/v1beta1", "Deployment"): ("apps/v1", (_selector, _two_revisions, _rollback)),
    ("apps/v1beta1", "StatefulSet"): ("apps/v1", (_selector, _on_delete)),
    **{("apps/v1beta2", kind): ("apps/v1", ()) for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")},
    ("batch/v1beta1", "CronJob"): ("batch/v1", ()),
    ("networking.k8s.io/v1beta1", "Ingress"): ("networking.k8s.io/v1", (_ingress,)),
    ("networking.k8s.io/v1beta1", "IngressClass"): ("networking.k8s.io/v1", ()),
    ("policy/v1beta1", "PodDisruptionBudget"): ("policy/v1", (_nothing_selected,)),
    ("autoscaling/v1", "HorizontalPodAutoscaler"): ("autoscaling/v2", (_cpu_target,)),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ("autoscaling/v2", (_flat_metrics,)),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ("autoscaling/v2", ()),
    **{
        (f"rbac.authorization.k8s.io/{version}", kind): ("rbac.authorization.k8s.io/v1", steps)
        for version, bindings in (("v1beta1", ()), ("v1alpha1", (_subjects,)))
        for kind, steps in (
            ("ClusterRole", ()),
            ("ClusterRoleBinding", bindings),
            ("Role", ()),
            ("RoleBinding", bindings),
        )
    },
    ("storage.k8s.io/v1beta1", "StorageClass"): ("storage.k8s.io/v1", ()),
    ("scheduling.k8s.io/v1alpha1", "PriorityClass"): ("scheduling.k8s.io/v1", ()),
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): ("scheduling.k8s.io/v1", ()),
    ("coordination.k8s.io/v1beta1", "Lease"): ("coordination.k8s.io/v1", ()),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): ("discovery.k8s.io/v1", (_topology,)),
}
"""The version that is served instead, and what has to be done to a document."""

OLD_VERSIONS: tuple[tuple[str, str], ...] = tuple(_OLD)
"""API version and kind of all that is converted."""
