"""VolumeRestrictions: what only one pod, or one node, may use at a time.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes (ReadWriteOncePod), and disks that are
mounted for writing on one node alone.
"""

from typing import Protocol

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.storage import Key, Storage
from schemas.core.volume import Volume

NAME = "VolumeRestrictions"
_TAKEN = Refusal(("node(s) had no available disk",))
_IN_USE = Refusal(
    (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod",
    )
)


class Users(Protocol):
    """On which nodes placed pods use a claim."""

    claim_users: dict[Key, dict[NodeInfo, int]]


def prepare(asked: PodClass, storage: Storage, users: Users) -> Check | Refusal | None:
    alone: list[Key] = []
    for name, _ in asked.claims:
        key = (asked.namespace, name)
        claim = storage.claims.get(key)
        if claim is None:
            return Refusal((f'persistentvolumeclaim "{name}" not found',), lasting=True)
        if "ReadWriteOncePod" in claim.spec.access_modes:
            alone.append(key)
    if not alone and not asked.disks:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        if asked.disks and any(_conflict(disk, other) for disk in asked.disks for other in _disks(info)):
            return _TAKEN
        for key in alone:
            there = users.claim_users.get(key)
            if there and any(one.name != info.name and one.node is not None for one in there):
                return _IN_USE
            if there and _uses(info, key):
                return _IN_USE
        return None

    return check


def _uses(info: NodeInfo, key: Key) -> bool:
    return any(
        one.asked.namespace == key[0] and any(name == key[1] for name, _ in one.asked.claims)
        for one in info.pods.values()
        if one.asked.claims
    )


def _disks(info: NodeInfo) -> list[Volume]:
    return [disk for one in info.pods.values() for disk in one.asked.disks]


def _conflict(one: Volume, other: Volume) -> bool:
    if one.gce_persistent_disk is not None and other.gce_persistent_disk is not None:
        a, b = one.gce_persistent_disk, other.gce_persistent_disk
        return a.pd_name == b.pd_name and not (a.read_only and b.read_only)
    if one.aws_elastic_block_store is not None and other.aws_elastic_block_store is not None:
        return one.aws_elastic_block_store.volume_id == other.aws_elastic_block_store.volume_id
    if one.iscsi is not None and other.iscsi is not None:
        return one.iscsi.iqn == other.iscsi.iqn and not (one.iscsi.read_only and other.iscsi.read_only)
    if one.rbd is not None and other.rbd is not None:
        mine, theirs = one.rbd, other.rbd
        same = (mine.pool or "rbd", mine.image) == (theirs.pool or "rbd", theirs.image)
        shared = not set(mine.monitors).isdisjoint(theirs.monitors)
        return same and shared and not (mine.read_only and theirs.read_only)
    return False
