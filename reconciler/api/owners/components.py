"""Which component makes which objects, and writes which fields of objects that others made. Pure.

As in Kubernetes, what admission fills in on an object's way into the cluster, and what its status begins with, is
nobody's (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
"""

from collections.abc import Container, Mapping
from typing import Any

from schemas.core.event import Event
from schemas.fieldsets import FieldSet
from schemas.kinds import BY_NAME
from schemas.meta import Object, controller_of
from schemas.shape import shape_of

SERVER, CONTROLLERS, KUBELET, SCHEDULER = "kube-apiserver", "kube-controller-manager", "kubelet", "kube-scheduler"

Document = Mapping[str, Any]

_OF_EVENTS = {"default-scheduler": SCHEDULER, "kubelet": KUBELET}
_BOOTSTRAP = "kubernetes.io/bootstrapping"
_BY_NAME = {
    ("ConfigMap", "kube-root-ca.crt"): CONTROLLERS,
    ("EndpointSlice", "kubernetes"): SERVER,
    ("Endpoints", "kubernetes"): SERVER,
    ("Namespace", "default"): SERVER,
    ("Namespace", "kube-node-lease"): SERVER,
    ("Namespace", "kube-public"): SERVER,
    ("Namespace", "kube-system"): SERVER,
    ("PriorityClass", "system-cluster-critical"): SERVER,
    ("PriorityClass", "system-node-critical"): SERVER,
    ("Service", "kubernetes"): SERVER,
    ("ServiceAccount", "default"): CONTROLLERS,
}
_BY_KIND = {"CSINode": KUBELET, "Node": KUBELET}


def maker(object_: Object) -> str:
    """The component that made the object, where no client did; empty where none is known to make such."""
    if isinstance(object_, Event):
        component = object_.source.component if object_.source else object_.reporting_component
        return _OF_EVENTS.get(component, CONTROLLERS)
    owner, metadata = controller_of(object_), object_.metadata
    if owner is not None:
        return KUBELET if owner.kind == "Node" else CONTROLLERS
    if object_.kind == "Lease" and metadata.namespace == "kube-node-lease":
        return KUBELET
    if _BOOTSTRAP in metadata.labels:
        return SERVER
    return _BY_NAME.get((object_.kind, metadata.name)) or _BY_KIND.get(object_.kind, "")


def made(object_: Object, document: Document) -> Document:
    """What the maker wrote of an object: all but the status, what others added and what admission filled in."""
    left = {name: value for name, value in document.items() if name != "status"}
    if object_.kind == "Node":
        left["spec"] = {}
        left["metadata"] = _without(document.get("metadata", {}), "annotations", _ADDED["Node"])
    if object_.kind == "Pod":
        left["spec"] = _pod_spec(document.get("spec", {}))
        left["metadata"] = _without(document.get("metadata", {}), "labels", _BY_BINDING)
    if object_.kind in ("PersistentVolume", "PersistentVolumeClaim"):
        left["metadata"] = {name: value for name, value in left["metadata"].items() if name != "finalizers"}
    return left


def _without(metadata: Document, field: str, names: Container[str]) -> Document:
    """The metadata less some labels or annotations."""
    left = {name: value for name, value in metadata.items() if name != field}
    pairs = {name: value for name, value in metadata.get(field, {}).items() if name not in names}
    return {**left, field: pairs} if pairs else left


_BY_BINDING = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
_BY_ADMISSION = ("nodeName", "preemptionPolicy", "priority")
_TOKEN_VOLUME = "kube-api-access-"
_OF_EVERY_POD = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def _pod_spec(spec: Document) -> Document:
    """Of a pod that a controller made of its template."""
    left = {name: value for name, value in spec.items() if name not in _BY_ADMISSION}
    if spec.get("serviceAccountName") == "default":
        left = {name: value for name, value in left.items() if name not in ("serviceAccount", "serviceAccountName")}
    if all(toleration.get("key") in _OF_EVERY_POD for toleration in spec.get("tolerations", ())):
        left.pop("tolerations", None)
    _leave(left, "volumes", [each for each in spec.get("volumes", ()) if not _is_token(each)])
    for name in ("initContainers", "containers"):
        _leave(left, name, [_without_token(container) for container in spec.get(name, ())])
    return left


def _without_token(container: Document) -> Document:
    left = dict(container)
    _leave(left, "volumeMounts", [mount for mount in container.get("volumeMounts", ()) if not _is_token(mount)])
    return left


def _is_token(volume: Document) -> bool:
    """Whether it is, or mounts, the volume with the token of the pod's account."""
    return str(volume.get("name", "")).startswith(_TOKEN_VOLUME)


def _leave(document: dict[str, Any], name: str, items: list[Any]) -> None:
    if items:
        document[name] = items
    else:
        document.pop(name, None)


_ADDED: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("wherry.dev/schedule-since",),
    "Job": ("wherry.dev/job-back-off",),
    "Node": ("node.alpha.kubernetes.io/ttl",),
    "PersistentVolume": ("pv.kubernetes.io/bound-by-controller",),
    "PersistentVolumeClaim": (
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-provisioner",
    ),
}
"""Annotations that controllers write on objects that others made."""
_ADDED_WITH_STATUS: Mapping[str, tuple[str, ...]] = {"Deployment": ("deployment.kubernetes.io/revision",)}
_ADDED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Node": ("podCIDR", "podCIDRs", "taints"),
    "PersistentVolume": ("claimRef",),
    "PersistentVolumeClaim": ("volumeName",),
}
"""Fields of the spec that are theirs alone."""


def added(kind: str, document: Document, *, with_status: bool = False) -> dict[str, Any]:
    """What controllers wrote of an object that others made, apart from the status or together with it."""
    names = (_ADDED_WITH_STATUS if with_status else _ADDED).get(kind, ())
    found: dict[str, Any] = {}
    annotations = {name: text for name, text in _annotations(document).items() if name in names}
    if annotations:
        found["metadata"] = {"annotations": annotations}
    if not with_status:
        spec = document.get("spec", {})
        fields = {name: spec[name] for name in _ADDED_FIELDS.get(kind, ()) if name in spec}
        if fields:
            found["spec"] = fields
    return found


def _annotations(document: Document) -> Mapping[str, str]:
    found: Mapping[str, str] = document.get("metadata", {}).get("annotations", {})
    return found


_BEGINS: Mapping[str, Document] = {
    "Ingress": {"loadBalancer": {}},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Pod": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
}
"""What the status has from the first."""
_NEVER: Mapping[str, tuple[str, ...]] = {
    "Namespace": ("phase",),
    "PersistentVolume": ("lastPhaseTransitionTime",),
    "Pod": ("qosClass",),
}


def status_of(kind: str, document: Document) -> dict[str, Any]:
    """What was written into the status since the object was made."""
    begins, never = _BEGINS.get(kind, {}), _NEVER.get(kind, ())
    return {
        name: value
        for name, value in document.get("status", {}).items()
        if name not in never and begins.get(name) != value and not _is_blank(kind, name, value)
    }


def _is_blank(kind: str, name: str, value: object) -> bool:
    """Whether the field tells nothing, and is there only because it always is."""
    return value is None or (not value and not _fields(kind)[name].nullable)


def _fields(kind: str) -> Mapping[str, Any]:
    return shape_of(BY_NAME[kind].type).fields["status"].shape.fields


_SCHEDULED = 'k:{"type":"PodScheduled"}'


def status_fields(kind: str, fields: FieldSet, *, is_bound: bool, is_gated: bool) -> list[tuple[str, FieldSet]]:
    """Whose the fields of the status are. What binding, or a gate, said of a pod is nobody's."""
    if kind == "Node":
        return [(KUBELET, fields)]
    if kind != "Pod":
        return [(CONTROLLERS, fields)]
    conditions = fields.get("f:conditions")
    if conditions is None:
        return [(KUBELET, fields)]
    if not is_bound:
        others = {step: below for step, below in fields.items() if step != "f:conditions"}
        return [(KUBELET, others), (SCHEDULER, {} if is_gated else {"f:conditions": conditions})]
    told = {step: below for step, below in conditions.items() if step not in (".", _SCHEDULED)}
    if "f:observedGeneration" in conditions.get(_SCHEDULED, {}):
        told[_SCHEDULED] = {"f:observedGeneration": {}}
    return [(KUBELET, {**fields, "f:conditions": told})]
