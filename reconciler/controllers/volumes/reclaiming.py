"""One volume: what its phase is, and what becomes of it when its claim has gone.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming
"""

from collections.abc import Iterator
from datetime import datetime

from reconciler.controllers.volumes.binding import COMPONENT, said_once, told, unbound
from reconciler.controllers.volumes.facts import PROVISIONED_BY, same_mode
from reconciler.store.changes import Change, Emit
from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim

_MODES = "due to incompatible volumeMode."


def sync(volume: PersistentVolume, view: View, now: datetime) -> Iterator[Change]:
    kept = volume.spec.claim_ref
    if kept is None or not kept.uid:  # free, or kept by name for a claim that will ask for it
        yield from told(volume, "Available", now)
        return
    claim = view.get(PersistentVolumeClaim, kept.namespace, kept.name)
    if claim is None or claim.metadata.uid != kept.uid:
        yield from _released(volume, now)
    elif not claim.spec.volume_name:
        yield from _mode_mismatch(volume, claim, view)  # else the claim's own turn binds it
    elif claim.spec.volume_name == volume.metadata.name:
        yield from told(volume, "Bound", now)
    elif PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
        yield from _released(volume, now)  # it was made for a claim that found another one
    else:
        yield from unbound(volume, now)


def _released(volume: PersistentVolume, now: datetime) -> Iterator[Change]:
    reason, message = _failure(volume)
    if volume.status.phase == "Failed":
        return
    if not reason:
        yield from told(volume, "Released", now)
        return
    yield from told(volume, "Failed", now, message)
    yield Emit(volume, "Warning", reason, message, COMPONENT)


def _failure(volume: PersistentVolume) -> tuple[str, str]:
    """Why nobody can reclaim the volume as it asks; empty where somebody does, or nothing is to be done."""
    policy = volume.spec.persistent_volume_reclaim_policy
    if policy == "Recycle":
        return "VolumeFailedRecycle", "No recycler plugin found for the volume!"
    if policy != "Delete" or not _is_in_tree(volume.metadata.annotations.get(PROVISIONED_BY, "kubernetes.io/")):
        return "", ""
    name = volume.metadata.name
    text = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
    return "VolumeFailedDelete", text


def _is_in_tree(provisioner: str) -> bool:
    """Whoever else has made a volume also deletes it."""
    return provisioner.startswith("kubernetes.io/")


def _mode_mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim, view: View) -> Iterator[Change]:
    if same_mode(claim, volume):
        return
    text = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{claim.metadata.name}" {_MODES}'
    yield from said_once(Emit(volume, "Warning", "VolumeMismatch", text, COMPONENT), view)
    text = f'Cannot bind PersistentVolume "{volume.metadata.name}" to requested PersistentVolumeClaim {_MODES}'
    yield from said_once(Emit(claim, "Warning", "VolumeMismatch", text, COMPONENT), view)
