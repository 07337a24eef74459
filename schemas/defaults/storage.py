"""What the API server fills in where a volume's declaration leaves a field out. See `schemas.defaults`."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from schemas.core.persistence import (
    ISCSIPersistentVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    RBDPersistentVolumeSource,
    ScaleIOPersistentVolumeSource,
)
from schemas.core.reference import TypedLocalObjectReference, TypedObjectReference
from schemas.defaults import volume
from schemas.defaults.value import resource_list
from schemas.storage import StorageClass


def persistent_volume(declared: PersistentVolume) -> PersistentVolume:
    spec = declared.spec
    filled = {name: fill(source) for name, fill in _SOURCES.items() if (source := getattr(spec, name)) is not None}
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            capacity=resource_list(spec.capacity),
            persistent_volume_reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
            volume_mode=spec.volume_mode or "Filesystem",
            **filled,
        ),
        status=structs.replace(declared.status, phase=declared.status.phase or "Pending"),
    )


def _iscsi(source: ISCSIPersistentVolumeSource) -> ISCSIPersistentVolumeSource:
    return structs.replace(source, iscsi_interface=source.iscsi_interface or "default")


def _rbd(source: RBDPersistentVolumeSource) -> RBDPersistentVolumeSource:
    return structs.replace(
        source,
        pool=source.pool or "rbd",
        user=source.user or "admin",
        keyring=source.keyring or "/etc/ceph/keyring",
    )


def _scale_io(source: ScaleIOPersistentVolumeSource) -> ScaleIOPersistentVolumeSource:
    return structs.replace(
        source, fs_type=source.fs_type or "xfs", storage_mode=source.storage_mode or "ThinProvisioned"
    )


_SOURCES: dict[str, Callable[[Any], Any]] = {
    "azure_disk": volume.azure_disk,
    "iscsi": _iscsi,
    "rbd": _rbd,
    "scale_io": _scale_io,
}


def persistent_volume_claim(declared: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """What the volume is filled from can be said in two fields, and is shown in both."""
    filled = volume.persistent_volume_claim(declared)
    spec = filled.spec
    local, anywhere = spec.data_source, spec.data_source_ref
    if local is not None and anywhere is None:
        anywhere = TypedObjectReference(kind=local.kind, name=local.name, api_group=local.api_group)
    elif anywhere is not None and local is None and not anywhere.namespace:
        local = TypedLocalObjectReference(kind=anywhere.kind, name=anywhere.name, api_group=anywhere.api_group)
    return structs.replace(filled, spec=structs.replace(spec, data_source=local, data_source_ref=anywhere))


def storage_class(declared: StorageClass) -> StorageClass:
    return structs.replace(
        declared,
        reclaim_policy=declared.reclaim_policy or "Delete",
        volume_binding_mode=declared.volume_binding_mode or "Immediate",
    )
