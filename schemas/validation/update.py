"""What may not change once an object is there."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from schemas.apps import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job
from schemas.certificates import CertificateSigningRequest
from schemas.core.affinity import Toleration
from schemas.core.config import ConfigMap, Secret
from schemas.core.container import Container
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod, PodSpec
from schemas.core.quota import ResourceQuota
from schemas.core.service import Service
from schemas.csi import CSIDriver, VolumeAttachment
from schemas.discovery import EndpointSlice
from schemas.meta import Object
from schemas.networking import IngressClass
from schemas.node import RuntimeClass
from schemas.nodeloss import is_fenced
from schemas.rbac import ClusterRoleBinding, RoleBinding
from schemas.scheduling import PriorityClass
from schemas.shape import shape_of
from schemas.storage import StorageClass
from schemas.validation import (
    access,
    certificates,
    csi,
    endpoints,
    networking,
    nodeloss,
    persistentvolume,
    priority,
    quota,
    runtimeclass,
    service,
    sets,
    storage,
    workloadupdate,
)
from schemas.validation.report import IMMUTABLE, Faults, forbidden, invalid

_POD_FIELDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_WHEN_IMMUTABLE = "field is immutable when `immutable` is set"


def update(new: Object, old: Object) -> Faults:
    yield from _metadata(new, old)
    check = _BY_TYPE.get(type(new))
    if check is not None and type(old) is type(new):
        yield from check(new, old)


def _metadata(new: Object, old: Object) -> Faults:
    for field, value, before in (
        ("name", new.metadata.name, old.metadata.name),
        ("namespace", new.metadata.namespace, old.metadata.namespace),
        ("uid", new.metadata.uid, old.metadata.uid),
    ):
        if value and value != before:
            yield invalid(("metadata", field), value, IMMUTABLE)


def _pod(new: Pod, old: Pod) -> Faults:
    path = ("spec",)
    if is_fenced(old) or is_fenced(new):
        yield from nodeloss.update(new, old)
    yield from _deadline(new.spec, old.spec)
    if not {_for_ever(each) for each in old.spec.tolerations} <= {_for_ever(each) for each in new.spec.tolerations}:
        yield forbidden((*path, "tolerations"), "existing toleration can not be modified except its tolerationSeconds")
    gates = {gate.name for gate in old.spec.scheduling_gates}
    if any(gate.name not in gates for gate in new.spec.scheduling_gates):
        yield forbidden((*path, "schedulingGates"), "only deletion is allowed, but found new scheduling gate(s)")
    if (left := _but_what_may_change(new.spec)) != (before := _but_what_may_change(old.spec)):
        fields = shape_of(PodSpec).fields.values()
        changed = [field.name for field in fields if getattr(left, field.attribute) != getattr(before, field.attribute)]
        yield forbidden(path, f"{_POD_FIELDS}; changed: {', '.join(changed)}")


def _for_ever(toleration: Toleration) -> Toleration:
    return structs.replace(toleration, toleration_seconds=None)


def _deadline(new: PodSpec, old: PodSpec) -> Faults:
    before, after = old.active_deadline_seconds, new.active_deadline_seconds
    at = ("spec", "activeDeadlineSeconds")
    if before is not None and after is None:
        yield invalid(at, None, "must not update from a positive integer to nil value")
    elif before is not None and after is not None and after > before:
        yield invalid(at, after, "must be less than or equal to previous value")


def _but_what_may_change(spec: PodSpec) -> PodSpec:
    grace = spec.termination_grace_period_seconds
    return structs.replace(
        spec,
        containers=tuple(map(_without_image, spec.containers)),
        init_containers=tuple(map(_without_image, spec.init_containers)),
        active_deadline_seconds=None,
        tolerations=(),
        scheduling_gates=(),
        termination_grace_period_seconds=1 if grace is not None and grace < 0 else grace,
    )


def _without_image(container: Container) -> Container:
    return structs.replace(container, image="")


def _config_map(new: ConfigMap, old: ConfigMap) -> Faults:
    if not old.immutable:
        return
    for field, changed in (
        ("immutable", not new.immutable),
        ("data", new.data != old.data),
        ("binaryData", new.binary_data != old.binary_data),
    ):
        if changed:
            yield forbidden((field,), _WHEN_IMMUTABLE)


def _secret(new: Secret, old: Secret) -> Faults:
    if (new.type or "Opaque") != (old.type or "Opaque"):
        yield invalid(("type",), new.type, IMMUTABLE)
    if not old.immutable:
        return
    if not new.immutable:
        yield forbidden(("immutable",), _WHEN_IMMUTABLE)
    written = new.data | {key: text.encode() for key, text in new.string_data.items()}
    if written != old.data:
        yield forbidden(("data",), _WHEN_IMMUTABLE)


def _node(new: Node, old: Node) -> Faults:
    if old.spec.pod_cidr and new.spec.pod_cidr != old.spec.pod_cidr:
        yield forbidden(("spec", "podCIDRs"), 'node updates may not change podCIDR except from "" to valid')
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        yield forbidden(("spec", "providerID"), 'node updates may not change providerID except from "" to valid')


_BY_TYPE: dict[type[Object], Callable[[Any, Any], Faults]] = {
    CSIDriver: csi.csi_driver_update,
    CertificateSigningRequest: certificates.certificate_signing_request_update,
    ClusterRoleBinding: access.binding_update,
    ConfigMap: _config_map,
    ControllerRevision: sets.controller_revision_update,
    DaemonSet: workloadupdate.selector,
    Deployment: workloadupdate.selector,
    EndpointSlice: endpoints.endpoint_slice_update,
    IngressClass: networking.ingress_class_update,
    Job: workloadupdate.job,
    Node: _node,
    PersistentVolume: persistentvolume.persistent_volume_update,
    PersistentVolumeClaim: storage.persistent_volume_claim_update,
    Pod: _pod,
    PriorityClass: priority.priority_class_update,
    ReplicaSet: workloadupdate.selector,
    ResourceQuota: quota.resource_quota_update,
    RoleBinding: access.binding_update,
    RuntimeClass: runtimeclass.runtime_class_update,
    Secret: _secret,
    Service: service.service_update,
    StatefulSet: workloadupdate.stateful_set,
    StorageClass: storage.storage_class_update,
    VolumeAttachment: csi.volume_attachment_update,
}
