"""One claim: what is to be done for it to be bound, and what it is told. The rules are Kubernetes' volume controller's.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import structs

from reconciler.admission.storage import default_class
from reconciler.controllers.volumes.binding import COMPONENT, bound, claim_told, said_once
from reconciler.controllers.volumes.facts import (
    BIND_COMPLETED,
    OLDER_PROVISIONER,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    belongs,
    class_name,
    granted,
    names_a_class,
    requested,
    waits_for_consumer,
)
from reconciler.controllers.volumes.matching import best, mismatch
from reconciler.store.changes import Change, Emit, Update
from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import controller_of
from schemas.podclaims import claim_name
from schemas.storage import StorageClass

NO_CLASS = "no persistent volumes available for this claim and no storage class is set"
_LOST = "Bound claim has lost {}. Data on the volume is lost!"
_MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"
_NOT_GROWN = (
    "Ignoring the PVC: didn't find a plugin capable of expanding the volume; waiting for an external controller to "
    "process this PVC."
)
_IN_TREE = "kubernetes.io/"
"""Provisioners of this prefix are Kubernetes' own; none of them is here."""


def sync(claim: PersistentVolumeClaim, view: View, now: datetime) -> Iterator[Change]:
    if BIND_COMPLETED in claim.metadata.annotations:
        yield from _was_bound(claim, view, now)
    elif claim.spec.volume_name:
        yield from _names_its_volume(claim, view, now)
    else:
        yield from _any(claim, view, now)


def _was_bound(claim: PersistentVolumeClaim, view: View, now: datetime) -> Iterator[Change]:
    if not claim.spec.volume_name:
        yield from _lost(claim, "ClaimLost", _LOST.format("reference to PersistentVolume"))
        return
    volume = view.get(PersistentVolume, "", claim.spec.volume_name)
    if volume is None:
        yield from _lost(claim, "ClaimLost", _LOST.format("its PersistentVolume"))
    elif volume.spec.claim_ref is None or volume.spec.claim_ref.uid == claim.metadata.uid:
        yield from bound(volume, claim, now)
        if PROVISIONED_BY not in volume.metadata.annotations and requested(claim) > granted(claim):
            yield from said_once(Emit(claim, "Warning", "ExternalExpanding", _NOT_GROWN, "volume_expand"), view)
    else:
        yield from _lost(claim, "ClaimMisbound", _MISBOUND)


def _lost(claim: PersistentVolumeClaim, reason: str, message: str) -> Iterator[Change]:
    if claim.status.phase != "Lost":
        yield _event(claim, "Warning", reason, message)
    yield from claim_told(claim, "Lost")


def _names_its_volume(claim: PersistentVolumeClaim, view: View, now: datetime) -> Iterator[Change]:
    volume = view.get(PersistentVolume, "", claim.spec.volume_name)
    if volume is None:
        yield from claim_told(claim, "Pending")
    elif volume.spec.claim_ref is None:
        why = mismatch(volume, claim)
        if not why:
            yield from bound(volume, claim, now)
            return
        text = f'Cannot bind to requested volume "{volume.metadata.name}": {why}'
        yield from said_once(_event(claim, "Warning", "VolumeMismatch", text), view)
        yield from claim_told(claim, "Pending")
    elif belongs(volume, claim):
        yield from bound(volume, claim, now)
    else:
        text = f'volume "{volume.metadata.name}" already bound to a different claim.'
        yield from said_once(_event(claim, "Warning", "FailedBinding", text), view)
        yield from claim_told(claim, "Pending")


def _any(claim: PersistentVolumeClaim, view: View, now: datetime) -> Iterator[Change]:
    delayed = waits_for_consumer(claim, view)
    volume = best(claim, view.list(PersistentVolume), only_kept=delayed)
    if volume is not None:
        yield from bound(volume, claim, now)
        return
    usual = None if names_a_class(claim) else default_class(view)
    if usual is not None:  # it came after the claim
        yield Update(structs.replace(claim, spec=structs.replace(claim.spec, storage_class_name=usual.metadata.name)))
        return
    if delayed and SELECTED_NODE not in claim.metadata.annotations:
        yield from said_once(_waits(claim, view), view)
    elif class_name(claim):
        yield from _provision(claim, view)
    else:
        yield from said_once(_event(claim, "Normal", "FailedBinding", NO_CLASS), view)
    yield from claim_told(claim, "Pending")


def _waits(claim: PersistentVolumeClaim, view: View) -> Emit:
    pods = [pod.metadata.name for pod in users(claim, view) if not pod.spec.node_name]
    if not pods:
        text = "waiting for first consumer to be created before binding"
        return _event(claim, "Normal", "WaitForFirstConsumer", text)
    text = f"waiting for pod{'s' if len(pods) > 1 else ''} {','.join(pods)} to be scheduled"
    return _event(claim, "Normal", "WaitForPodScheduled", text)


def users(claim: PersistentVolumeClaim, view: View) -> Iterator[Pod]:
    """The pods whose volume the claim is."""
    metadata = claim.metadata
    return (pod for pod in view.pods_claiming(metadata.namespace, metadata.name) if _uses(pod, claim))


def _uses(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    owner = controller_of(claim)
    is_its_own = owner is not None and owner.uid == pod.metadata.uid
    return any(
        claim_name(pod, volume) == claim.metadata.name and (volume.ephemeral is None or is_its_own)
        for volume in pod.spec.volumes
    )


def _provision(claim: PersistentVolumeClaim, view: View) -> Iterator[Change]:
    """Whoever makes volumes of this class is told that one is wanted, by annotations as in Kubernetes."""
    name = class_name(claim)
    found = view.get(StorageClass, "", name)
    if found is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        yield from said_once(_event(claim, "Warning", "ProvisioningFailed", text), view)
        return
    if found.provisioner.startswith(_IN_TREE):
        text = f"no volume plugin matched name: {found.provisioner}"
        yield from said_once(_event(claim, "Warning", "ProvisioningFailed", text), view)
        return
    wanted = dict.fromkeys((PROVISIONER, OLDER_PROVISIONER), found.provisioner)
    annotations = claim.metadata.annotations | wanted
    if annotations != claim.metadata.annotations:
        yield Update(structs.replace(claim, metadata=structs.replace(claim.metadata, annotations=annotations)))
    text = (
        "Waiting for a volume to be created either by the external provisioner "
        f"'{found.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify "
        "that the provisioner is running and correctly registered."
    )
    yield from said_once(_event(claim, "Normal", "ExternalProvisioning", text), view)


def _event(claim: PersistentVolumeClaim, type_: Literal["Normal", "Warning"], reason: str, message: str) -> Emit:
    return Emit(claim, type_, reason, message, COMPONENT)
