"""What claims and volumes say of themselves: their class, their mode, and whether they belong to each other.

The annotations are those of Kubernetes' volume controller, so that tools read them.
"""

from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Quantity
from schemas.quantity import exact
from schemas.storage import StorageClass

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLDER_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""On a claim: the node that the scheduler has chosen for the first pod that uses it."""
_OLDER_CLASS = "volume.beta.kubernetes.io/storage-class"


def class_name(found: PersistentVolume | PersistentVolumeClaim) -> str:
    """The name of the class, empty without one; the annotation of before there was a field goes first."""
    return found.metadata.annotations.get(_OLDER_CLASS) or found.spec.storage_class_name or ""


def names_a_class(claim: PersistentVolumeClaim) -> bool:
    """Whether the claim says anything of a class, be it that it wants none."""
    return _OLDER_CLASS in claim.metadata.annotations or claim.spec.storage_class_name is not None


def class_of(claim: PersistentVolumeClaim, view: View) -> StorageClass | None:
    name = class_name(claim)
    return view.get(StorageClass, "", name) if name else None


def waits_for_consumer(claim: PersistentVolumeClaim, view: View) -> bool:
    """Whether the scheduler chooses the volume, or the node of it, with the first pod."""
    found = class_of(claim, view)
    return found is not None and found.volume_binding_mode == "WaitForFirstConsumer"


def requested(claim: PersistentVolumeClaim) -> int:
    resources = claim.spec.resources
    return _storage({} if resources is None else resources.requests)


def granted(claim: PersistentVolumeClaim) -> int:
    """What a bound claim has been told that it has."""
    return _storage(claim.status.capacity)


def capacity(volume: PersistentVolume) -> int:
    return _storage(volume.spec.capacity)


def _storage(amounts: dict[str, Quantity]) -> int:
    return exact(amounts.get("storage", 0))


def same_mode(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return (claim.spec.volume_mode or "Filesystem") == (volume.spec.volume_mode or "Filesystem")


def offers(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether the volume can be used in each way that the claim asks for."""
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)


def belongs(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether the volume is bound to the claim, or kept for it by name."""
    kept = volume.spec.claim_ref
    if kept is None or (kept.namespace, kept.name) != (claim.metadata.namespace, claim.metadata.name):
        return False
    return kept.uid in ("", claim.metadata.uid)
