"""VolumeRestrictions and NodeVolumeLimits: volumes that cannot be in two places, or not so many on a node.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes, KEP-2485 (ReadWriteOncePod),
https://kubernetes.io/docs/concepts/storage/storage-limits/.
"""

from collections import Counter
from collections.abc import Iterator

from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.volume import Volume
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.nodefilters import Filter
from tests.oracles.scheduler.reference.refusals import Impossible, Refusal
from tests.oracles.scheduler.reference.world import World

_ALONE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


def claim_names(pod: Pod) -> Iterator[str]:
    """The claims of a pod in its namespace. One that is made for it alone bears its name and the volume's."""
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None:
            yield f"{pod.metadata.name}-{volume.name}"


def volume_restrictions(asked: Demands, world: World) -> Filter:
    namespace = asked.pod.metadata.namespace
    alone = set()
    for name in claim_names(asked.pod):
        claim = world.claims.get((namespace, name))
        if claim is None:
            raise Impossible("VolumeRestrictions", f'persistentvolumeclaim "{name}" not found')
        if "ReadWriteOncePod" in claim.spec.access_modes:
            alone.add(name)
    taken = any(
        one.node in world.nodes and one.pod.metadata.namespace == namespace and alone & set(claim_names(one.pod))
        for one in world.pods.values()
    )

    def check(node: Node) -> Refusal | None:
        theirs = [volume for one in world.on(node.metadata.name) for volume in one.pod.spec.volumes]
        if any(_clash(own, other) for own in asked.pod.spec.volumes for other in theirs):
            return Refusal("VolumeRestrictions", ("node(s) had no available disk",), False)
        return Refusal("VolumeRestrictions", (_ALONE,), False) if taken else None

    return check


def _clash(one: Volume, other: Volume) -> bool:
    """Disks of four kinds; three may be shared where all only read."""
    if one.aws_elastic_block_store and other.aws_elastic_block_store:
        return one.aws_elastic_block_store.volume_id == other.aws_elastic_block_store.volume_id
    if (disk := one.gce_persistent_disk) and (there := other.gce_persistent_disk):
        return disk.pd_name == there.pd_name and not (disk.read_only and there.read_only)
    if (target := one.iscsi) and (used := other.iscsi):
        return target.iqn == used.iqn and not (target.read_only and used.read_only)
    if (image := one.rbd) and (known := other.rbd):
        same = set(image.monitors) & set(known.monitors) and (image.pool or "rbd") == (known.pool or "rbd")
        return bool(same) and image.image == known.image and not (image.read_only and known.read_only)
    return False


def node_volume_limits(asked: Demands, world: World) -> Filter:
    def check(node: Node) -> Refusal | None:
        name = node.metadata.name
        limits = world.limits.get(name, {})
        attached = {volume for one in world.on(name) for volume in _attached(one.pod, world)}
        new = set(_attached(asked.pod, world)) - attached
        held, more = Counter(driver for driver, _ in attached), Counter(driver for driver, _ in new)
        if any(driver in limits and held[driver] + more[driver] > limits[driver] for driver in more):
            return Refusal("NodeVolumeLimits", ("node(s) exceed max volume count",), False)
        return None

    return check


def _attached(pod: Pod, world: World) -> Iterator[tuple[str, str]]:
    """Driver and handle of each volume; a claim without one counts by what its class will make."""
    for name in claim_names(pod):
        claim = world.claims.get((pod.metadata.namespace, name))
        volume = world.volumes.get(claim.spec.volume_name) if claim is not None else None
        if volume is not None and volume.spec.csi is not None:
            yield volume.spec.csi.driver, volume.spec.csi.volume_handle
        elif claim is not None and volume is None and (driver := _driver(claim, world)):
            yield driver, f"{pod.metadata.namespace}/{name}"


def _driver(claim: PersistentVolumeClaim, world: World) -> str:
    found = world.classes.get(class_name(claim))
    return found.provisioner if found is not None else ""


def class_name(one: PersistentVolume | PersistentVolumeClaim) -> str:
    """Of a class as it is named now, or as it was before there was a field for it."""
    older = one.metadata.annotations.get("volume.beta.kubernetes.io/storage-class", "")
    return older or one.spec.storage_class_name or ""
