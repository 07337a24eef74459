"""Rules of PersistentVolumes: one source each, a size, and nodes that reach them."""

import posixpath
from collections.abc import Callable
from typing import Any

from msgspec import structs

from schemas import names
from schemas.core.persistence import (
    CSIPersistentVolumeSource,
    LocalVolumeSource,
    PersistentVolume,
    PersistentVolumeSpec,
    SecretReference,
    VolumeNodeAffinity,
)
from schemas.faults import Fault, Path
from schemas.meta import Record
from schemas.quantity import canonical, value
from schemas.shape import shape_of
from schemas.validation import volumes
from schemas.validation.container import no_way_up
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
    well_formed,
)
from schemas.validation.scheduling import node_selector
from schemas.validation.storage import VOLUME_MODES, access_modes

_SPEC: Path = ("spec",)
_LONGEST_DRIVER = 63


def persistent_volume(declared: PersistentVolume) -> Faults:
    spec = declared.spec
    if not spec.access_modes:
        yield required((*_SPEC, "accessModes"))
    yield from access_modes((*_SPEC, "accessModes"), spec.access_modes)
    yield from _capacity((*_SPEC, "capacity"), spec)
    policy, at = spec.persistent_volume_reclaim_policy, (*_SPEC, "persistentVolumeReclaimPolicy")
    yield from one_of(at, policy, ("Delete", "Recycle", "Retain"))
    yield from _node_affinity((*_SPEC, "nodeAffinity"), spec.node_affinity)
    yield from _source(spec)
    if policy == "Recycle":
        if spec.host_path is not None and posixpath.normpath(spec.host_path.path) in ("/", "//"):
            yield forbidden(at, "may not be 'recycle' for a hostPath mount of '/'")
        yield Fault(at, "The Recycle reclaim policy is deprecated", "warning")
    if spec.storage_class_name:
        yield from well_formed((*_SPEC, "storageClassName"), spec.storage_class_name, names.dns1123_subdomain)
    yield from one_of((*_SPEC, "volumeMode"), spec.volume_mode, VOLUME_MODES)
    if spec.volume_attributes_class_name:
        at = (*_SPEC, "volumeAttributesClassName")
        yield from well_formed(at, spec.volume_attributes_class_name, names.dns1123_subdomain)
        if spec.csi is None:
            yield required((*_SPEC, "csi"), "has to be specified when using volumeAttributesClassName")


def _capacity(path: Path, spec: PersistentVolumeSpec) -> Faults:
    if not spec.capacity:
        yield required(path)
    if set(spec.capacity) != {"storage"}:
        yield unsupported(path, spec.capacity or None, ("storage",))
    for name, amount in spec.capacity.items():
        if value(amount) < 0:
            yield invalid((*path, name), value(amount), "must be a valid resource quantity")
        if value(amount) <= 0:
            yield invalid((*path, name), canonical(amount), "must be greater than zero")


def _node_affinity(path: Path, affinity: VolumeNodeAffinity | None) -> Faults:
    if affinity is None:
        return
    if affinity.required is None:
        yield required((*path, "required"), "must specify required node constraints")
    else:
        yield from node_selector((*path, "required"), affinity.required)


def _source(spec: PersistentVolumeSpec) -> Faults:
    first = True
    for attribute, needed in _NEEDED.items():
        source: Record | None = getattr(spec, attribute)
        if source is None:
            continue
        path = (*_SPEC, _WIRE[attribute])
        if not first:
            yield forbidden(path, "may not specify more than 1 volume type")
            continue
        first = False
        if check := _CHECKS.get(attribute):
            yield from check(path, source)
        fields = shape_of(type(source)).fields
        for name in needed:
            if not getattr(source, fields[name].attribute):
                yield required((*path, name))
    if first:
        yield required(_SPEC, "must specify a volume type")
    if spec.local is not None and spec.node_affinity is None:
        yield required((*_SPEC, "nodeAffinity"), "Local volume requires node affinity")


def _local(path: Path, source: LocalVolumeSource) -> Faults:
    yield from no_way_up((*path, "path"), source.path)


def _csi(path: Path, source: CSIPersistentVolumeSource) -> Faults:
    at = (*path, "driver")
    if len(source.driver) > _LONGEST_DRIVER:
        yield too_long(at, _LONGEST_DRIVER)
    if source.driver:
        for complaint in names.dns1123_subdomain(source.driver.lower()):
            yield invalid(at, source.driver, complaint)
    for field, reference in (
        ("controllerPublishSecretRef", source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", source.controller_expand_secret_ref),
        ("nodePublishSecretRef", source.node_publish_secret_ref),
        ("nodeExpandSecretRef", source.node_expand_secret_ref),
    ):
        if reference is not None:
            yield from _secret((*path, field), reference)


def _secret(path: Path, reference: SecretReference) -> Faults:
    for field, text, rule in (
        ("name", reference.name, names.dns1123_subdomain),
        ("namespace", reference.namespace, names.dns1123_label),
    ):
        if not text:
            yield required((*path, field))
        else:
            yield from well_formed((*path, field), text, rule)


_WIRE = {field.attribute: name for name, field in shape_of(PersistentVolumeSpec).fields.items()}

_NEEDED: dict[str, tuple[str, ...]] = {
    "host_path": (),
    "gce_persistent_disk": ("pdName",),
    "aws_elastic_block_store": ("volumeID",),
    "glusterfs": ("endpoints", "path"),
    "flocker": (),
    "nfs": (),
    "rbd": ("monitors", "image"),
    "quobyte": ("registry", "volume"),
    "cephfs": ("monitors",),
    "iscsi": ("targetPortal", "iqn"),
    "cinder": ("volumeID",),
    "fc": (),
    "flex_volume": ("driver",),
    "azure_file": ("secretName", "shareName"),
    "vsphere_volume": ("volumePath",),
    "photon_persistent_disk": ("pdID",),
    "portworx_volume": ("volumeID",),
    "azure_disk": ("diskName", "diskURI"),
    "scale_io": ("gateway", "system", "volumeName"),
    "local": ("path",),
    "storageos": ("volumeName",),
    "csi": ("driver", "volumeHandle"),
}
"""The sources in the order in which they are looked at, and the fields of each that may not be empty."""

_CHECKS: dict[str, Callable[[Path, Any], Faults]] = {
    "csi": _csi,
    "host_path": volumes.host_path,
    "local": _local,
    "nfs": volumes.nfs,
}


def persistent_volume_update(new: PersistentVolume, old: PersistentVolume) -> Faults:
    if _sources(new.spec, old.spec) != _sources(old.spec, old.spec):
        # Kubernetes spells the path thus, and adds what differs in its internal form.
        yield forbidden((*_SPEC, "persistentvolumesource"), "spec.persistentvolumesource is immutable after creation")
    if new.spec.volume_mode != old.spec.volume_mode:
        yield invalid(("volumeMode",), new.spec.volume_mode, IMMUTABLE)
    if old.spec.node_affinity is not None and new.spec.node_affinity != old.spec.node_affinity:
        yield invalid(("nodeAffinity",), new.spec.node_affinity, IMMUTABLE)


def _sources(spec: PersistentVolumeSpec, old: PersistentVolumeSpec) -> list[Any]:
    csi = spec.csi
    if csi is not None and old.csi is not None and old.csi.controller_expand_secret_ref is None:
        # The one reference that may be added later.
        spec = structs.replace(spec, csi=structs.replace(csi, controller_expand_secret_ref=None))
    return [getattr(spec, attribute) for attribute in _NEEDED]
