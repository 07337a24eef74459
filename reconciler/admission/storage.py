"""DefaultStorageClass, StorageObjectInUseProtection and PersistentVolumeClaimResize. Pure.

A claim that names the empty class wants none at all, and is left alone.
"""

from msgspec import structs

from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object
from schemas.quantity import exact
from schemas.storage import StorageClass

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
BUILT_IN = "wherry.dev/built-in"
"""Annotation of the class that a cluster is given where it has none: any other default goes before it."""
_OLDER = "volume.beta.kubernetes.io/storage-class"
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
"""Finalizers; the protection controllers take them off what is not used any more."""
_FIXED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


def complete(object_: Object, view: View) -> Object:
    if isinstance(object_, PersistentVolume):
        status = structs.replace(object_.status, last_phase_transition_time=object_.metadata.creation_timestamp)
        return _protected(structs.replace(object_, status=status), VOLUME_PROTECTION)
    if not isinstance(object_, PersistentVolumeClaim):
        return object_
    return _protected(_classed(object_, view), CLAIM_PROTECTION)


def _protected(object_: Object, finalizer: str) -> Object:
    metadata = object_.metadata
    if finalizer in metadata.finalizers:
        return object_
    return structs.replace(object_, metadata=structs.replace(metadata, finalizers=(*metadata.finalizers, finalizer)))


def _classed(object_: PersistentVolumeClaim, view: View) -> PersistentVolumeClaim:
    if object_.spec.storage_class_name is not None:
        return object_
    if _OLDER in object_.metadata.annotations:
        return object_
    found = default_class(view)
    if found is None:
        return object_
    return structs.replace(object_, spec=structs.replace(object_.spec, storage_class_name=found.metadata.name))


def growth(new: Object, old: Object, view: View) -> str:
    """Why a claim may not grow; empty where it may, or does not."""
    if not isinstance(new, PersistentVolumeClaim) or not isinstance(old, PersistentVolumeClaim):
        return ""
    if _size(new) <= _size(old):
        return ""
    name = old.metadata.annotations.get(_OLDER) or old.spec.storage_class_name or ""
    found = view.get(StorageClass, "", name) if name else None
    if found is not None and found.allow_volume_expansion:
        return ""
    return _FIXED


def _size(claim: PersistentVolumeClaim) -> int:
    resources = claim.spec.resources
    return exact(resources.requests.get("storage", 0)) if resources is not None else 0


def default_class(view: View) -> StorageClass | None:
    """The newest of those that say they are it, of equally new ones the first by name; the built-in one last."""
    found = [one for one in view.list(StorageClass) if one.metadata.annotations.get(DEFAULT_CLASS) == "true"]

    def age(one: StorageClass) -> tuple[bool, float, str]:
        created = one.metadata.creation_timestamp
        return BUILT_IN in one.metadata.annotations, -created.timestamp() if created else 0.0, one.metadata.name

    return min(found, key=age, default=None)
