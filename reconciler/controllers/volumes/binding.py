"""How a claim and a volume are bound to each other, and apart again: values only.

Both halves are one commit, so that no bound claim or volume ever points at one that does not point back.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers.volumes.facts import BIND_COMPLETED, BOUND_BY_CONTROLLER, belongs
from reconciler.store.changes import Change, Emit, Update, UpdateStatus
from reconciler.store.events import present_event
from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus
from schemas.core.reference import reference_to

COMPONENT = "persistentvolume-controller"


def bound(volume: PersistentVolume, claim: PersistentVolumeClaim, now: datetime) -> Iterator[Change]:
    """What is still missing for the two to be bound to each other; nothing where they are."""
    ours = _claimed(volume, claim)
    if ours != volume:
        yield Update(ours)
    yield from told(ours, "Bound", now)
    theirs = _given(claim, volume)
    if theirs != claim:
        yield Update(theirs)
    yield from claim_told(theirs, "Bound", volume)


def _claimed(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    metadata, spec = volume.metadata, volume.spec
    if not belongs(volume, claim):
        annotations = metadata.annotations | {BOUND_BY_CONTROLLER: "yes"}
        metadata = structs.replace(metadata, annotations=annotations)
    if spec.claim_ref is None or spec.claim_ref.uid != claim.metadata.uid:
        spec = structs.replace(spec, claim_ref=reference_to(claim))
    return structs.replace(volume, metadata=metadata, spec=spec)


def _given(claim: PersistentVolumeClaim, volume: PersistentVolume) -> PersistentVolumeClaim:
    annotations = claim.metadata.annotations | {BIND_COMPLETED: "yes"}
    spec = claim.spec
    if spec.volume_name != volume.metadata.name:
        annotations |= {BOUND_BY_CONTROLLER: "yes"}
        spec = structs.replace(spec, volume_name=volume.metadata.name)
    return structs.replace(claim, metadata=structs.replace(claim.metadata, annotations=annotations), spec=spec)


def unbound(volume: PersistentVolume, now: datetime) -> Iterator[Change]:
    """The volume is free again, or kept by name as its author wrote it."""
    metadata, spec = volume.metadata, volume.spec
    if BOUND_BY_CONTROLLER in metadata.annotations:
        annotations = {key: value for key, value in metadata.annotations.items() if key != BOUND_BY_CONTROLLER}
        metadata = structs.replace(metadata, annotations=annotations)
        spec = structs.replace(spec, claim_ref=None)
    elif spec.claim_ref is not None:
        spec = structs.replace(spec, claim_ref=structs.replace(spec.claim_ref, uid=""))
    freed = structs.replace(volume, metadata=metadata, spec=spec)
    yield Update(freed)
    yield from told(freed, "Available", now)


def told(volume: PersistentVolume, phase: str, now: datetime, message: str = "") -> Iterator[Change]:
    """The phase of a volume; a phase that it has already keeps its message."""
    if volume.status.phase != phase:
        status = structs.replace(volume.status, phase=phase, message=message, last_phase_transition_time=now)
        yield UpdateStatus(structs.replace(volume, status=status))


def claim_told(claim: PersistentVolumeClaim, phase: str, volume: PersistentVolume | None = None) -> Iterator[Change]:
    """The phase of a claim, and what it has: its size is that of the volume when it was bound, until it grows."""
    before = claim.status
    if volume is None:
        status = structs.replace(
            before, phase=phase, access_modes=(), capacity={}, current_volume_attributes_class_name=""
        )
    else:
        status = structs.replace(
            before,
            phase=phase,
            access_modes=volume.spec.access_modes,
            capacity=before.capacity if before.phase == phase and before.capacity else volume.spec.capacity,
            current_volume_attributes_class_name=_attributes(before, volume),
        )
    if status != before:
        yield UpdateStatus(structs.replace(claim, status=status))


def _attributes(before: PersistentVolumeClaimStatus, volume: PersistentVolume) -> str:
    return before.current_volume_attributes_class_name or volume.spec.volume_attributes_class_name


def said_once(emit: Emit, view: View) -> Iterator[Change]:
    """The Event, unless it is there: what stays as it is need not be said again."""
    if present_event(emit, view) is None:
        yield emit
