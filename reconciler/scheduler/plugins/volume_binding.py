"""VolumeBinding: claims that are bound lead to their volume, claims that wait for a pod get one where the pod goes.

https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
"""

from collections.abc import Sequence

import msgspec

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.storage import SELECTED_NODE, Storage, is_bound, reaches, size_of
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim

NAME = "VolumeBinding"
_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
_NONE_TO_BIND = "node(s) didn't find available persistent volumes to bind"
_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What becomes of the claims on one node: volumes to be bound, and claims that a volume is to be made for."""

    bound: tuple[tuple[PersistentVolumeClaim, PersistentVolume], ...] = ()
    made: tuple[PersistentVolumeClaim, ...] = ()


def prepare(asked: PodClass, storage: Storage) -> Check | Refusal | None:
    if not asked.claims:
        return None
    for name, ephemeral in asked.claims:
        if complaint := _complaint(asked, storage.claims.get((asked.namespace, name)), name, ephemeral=ephemeral):
            return Refusal((complaint,), lasting=True)
    claims = _claims(asked, storage)
    if any(not is_bound(one) and not _delayed(one, storage) for one in claims):
        return Refusal(("pod has unbound immediate PersistentVolumeClaims",), lasting=True)
    bound = [one for one in claims if is_bound(one)]
    unbound = [one for one in claims if not is_bound(one)]

    def check(info: NodeInfo) -> Refusal | None:
        reasons = _of_bound(bound, info, storage)
        if unbound and plan_for(unbound, info, storage) is None:
            reasons.insert(0 if reasons == [_GONE] else len(reasons), _NONE_TO_BIND)
        return Refusal(tuple(reasons), lasting=True) if reasons else None

    return check


def _claims(asked: PodClass, storage: Storage) -> list[PersistentVolumeClaim]:
    return [storage.claims[(asked.namespace, name)] for name, _ in asked.claims]


def _complaint(asked: PodClass, claim: PersistentVolumeClaim | None, name: str, *, ephemeral: bool) -> str:
    if claim is None:
        if ephemeral:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    if claim.status.phase == "Lost":
        volume = claim.spec.volume_name
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    owners = {one.uid for one in claim.metadata.owner_references}
    if ephemeral and asked.pod.metadata.uid not in owners:
        pod = asked.pod.metadata
        return f"PVC {pod.namespace}/{name} was not created for pod {pod.namespace}/{pod.name} (pod is not owner)"
    return ""


def _delayed(claim: PersistentVolumeClaim, storage: Storage) -> bool:
    """Whether the claim waits for its first pod. One that names its volume waits for that."""
    return not claim.spec.volume_name and storage.waits_for_consumer(claim)


def _of_bound(claims: Sequence[PersistentVolumeClaim], info: NodeInfo, storage: Storage) -> list[str]:
    for claim in claims:
        volume = storage.volumes.get(claim.spec.volume_name)
        if volume is None:
            return [_GONE]
        if not reaches(volume, info.name, info.labels):
            return [_CONFLICT]
    return []


def plan_for(unbound: Sequence[PersistentVolumeClaim], info: NodeInfo, storage: Storage) -> Plan | None:
    """Volumes for the claims on the node, the smallest claims first; None where one of them can have none."""
    bound: list[tuple[PersistentVolumeClaim, PersistentVolume]] = []
    made: list[PersistentVolumeClaim] = []
    taken: set[str] = set()
    for claim in sorted(unbound, key=size_of):
        selected = claim.metadata.annotations.get(SELECTED_NODE, "")
        if selected and selected != info.name:
            return None
        volume = None if selected else storage.match(claim, info.name, info.labels, taken)
        if volume is not None:
            taken.add(volume.metadata.name)
            bound.append((claim, volume))
        elif storage.can_be_made(claim, info.labels):
            made.append(claim)
        else:
            return None
    return Plan(tuple(bound), tuple(made))


def plan(asked: PodClass, info: NodeInfo, storage: Storage) -> Plan | None:
    """What is to be done about the pod's claims on the node that was chosen; None where nothing is."""
    unbound = [one for one in _claims(asked, storage) if not is_bound(one)] if asked.claims else []
    return plan_for(unbound, info, storage) if unbound else None
