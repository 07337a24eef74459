"""Which volume a claim gets: pure, from the claim and all volumes.

One that is kept for the claim goes first, then the smallest that is large enough; among volumes that offer the least
beyond what the claim asks for, as in Kubernetes
(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding). Between equals the name decides.
"""

from collections.abc import Iterable

from reconciler.controllers.volumes.facts import belongs, capacity, class_name, offers, requested, same_mode
from schemas import selectors
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim

_FREE = ("Available", "Pending", "")
"""Phases. One that is new counts as well: of volumes that are declared together the best is taken, not the first."""


def best(
    claim: PersistentVolumeClaim, volumes: Iterable[PersistentVolume], *, only_kept: bool
) -> PersistentVolume | None:
    """`only_kept`: none but a volume that is kept for the claim; the scheduler chooses among the others."""
    name, class_, size = claim.metadata.name, class_name(claim), requested(claim)
    found: list[PersistentVolume] = []
    for volume in volumes:
        kept = volume.spec.claim_ref
        if kept is not None:
            if kept.name != name or not belongs(volume, claim):  # most volumes are another's: that is seen at once
                continue
        elif only_kept or not _is_free(volume, claim, class_):
            continue
        if _is_possible(volume, claim, size):
            found.append(volume)
    return min(found, key=_preference, default=None)


def _is_free(volume: PersistentVolume, claim: PersistentVolumeClaim, class_: str) -> bool:
    if volume.status.phase not in _FREE or class_name(volume) != class_:
        return False
    return claim.spec.selector is None or selectors.matches(claim.spec.selector, volume.metadata.labels)


def _is_possible(volume: PersistentVolume, claim: PersistentVolumeClaim, size: int) -> bool:
    return (
        volume.metadata.deletion_timestamp is None
        and capacity(volume) >= size
        and same_mode(claim, volume)
        and offers(volume, claim)
        and volume.spec.volume_attributes_class_name == claim.spec.volume_attributes_class_name
    )


def _preference(volume: PersistentVolume) -> tuple[int, list[str], bool, int, str]:
    modes = sorted(set(volume.spec.access_modes))
    return len(modes), modes, volume.spec.claim_ref is None, capacity(volume), volume.metadata.name


def mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """Why the claim cannot have the volume that it names; empty where it can."""
    if volume.metadata.deletion_timestamp is not None:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if class_name(volume) != class_name(claim):
        return "storageClassName does not match"
    if volume.spec.volume_attributes_class_name != claim.spec.volume_attributes_class_name:
        return "volumeAttributesClassName does not match"
    if not same_mode(claim, volume):
        return "incompatible volumeMode"
    return "" if offers(volume, claim) else "incompatible accessMode"
