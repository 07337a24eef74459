"""VolumeBinding and VolumeZone: a pod goes where its volumes are, or can be.

https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode, KEP-490 (topology-aware volumes),
https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone.
"""

from collections.abc import Sequence

from schemas import quantity
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.selectors import matches
from schemas.storage import StorageClass
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.disks import claim_names, class_name
from tests.oracles.scheduler.reference.matching import term_meets
from tests.oracles.scheduler.reference.nodefilters import Filter
from tests.oracles.scheduler.reference.refusals import Impossible, Refusal
from tests.oracles.scheduler.reference.world import World, key_of

_BOUND = "pv.kubernetes.io/bind-completed"
_NODE = "volume.kubernetes.io/selected-node"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_LATE = "WaitForFirstConsumer"
_GENERAL = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
_OLDER = {f"failure-domain.beta.kubernetes.io/{key.rpartition('/')[2]}": key for key in _GENERAL}


def _claims(pod: Pod, world: World) -> list[PersistentVolumeClaim]:
    """Raises `Impossible` for one that is not there or on its way out."""
    found = []
    for name in claim_names(pod):
        claim = world.claims.get((pod.metadata.namespace, name))
        if claim is None:
            raise Impossible("VolumeBinding", f'persistentvolumeclaim "{name}" not found')
        if claim.status.phase == "Lost":
            volume = claim.spec.volume_name
            raise Impossible(
                "VolumeBinding", f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
            )
        if claim.metadata.deletion_timestamp is not None:
            raise Impossible("VolumeBinding", f'persistentvolumeclaim "{name}" is being deleted')
        found.append(claim)
    return found


def _class(claim: PersistentVolumeClaim, world: World) -> StorageClass | None:
    return world.classes.get(class_name(claim))


def _is_bound(claim: PersistentVolumeClaim) -> bool:
    return bool(claim.spec.volume_name) and _BOUND in claim.metadata.annotations


def _is_late(claim: PersistentVolumeClaim, world: World) -> bool:
    found = _class(claim, world)
    return found is not None and found.volume_binding_mode == _LATE and not claim.spec.volume_name


def volume_binding(asked: Demands, world: World) -> Filter:
    claims = _claims(asked.pod, world)
    bound = [one for one in claims if _is_bound(one)]
    late = [one for one in claims if not _is_bound(one) and _is_late(one, world)]
    if len(bound) + len(late) < len(claims):
        raise Impossible("VolumeBinding", "pod has unbound immediate PersistentVolumeClaims")

    def check(node: Node) -> Refusal | None:
        reasons = []
        volumes = [world.volumes.get(one.spec.volume_name) for one in bound]
        if not all(volume is None or _reaches(volume, node) for volume in volumes):
            reasons.append("node(s) didn't match PersistentVolume's node affinity")
        if not _binds(late, node, world):
            reasons.append("node(s) didn't find available persistent volumes to bind")
        if None in volumes:
            reasons.append("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
        return Refusal("VolumeBinding", tuple(reasons), True) if reasons else None

    return check


def _reaches(volume: PersistentVolume, node: Node) -> bool:
    required = volume.spec.node_affinity.required if volume.spec.node_affinity else None
    return required is None or any(term_meets(term, node) for term in required.node_selector_terms)


def _binds(claims: Sequence[PersistentVolumeClaim], node: Node, world: World) -> bool:
    """Whether each finds a volume of its own there, or one can be made there. Small claims choose first."""
    taken: set[str] = set()
    rest = []
    for claim in sorted(claims, key=_size):
        chosen = claim.metadata.annotations.get(_NODE)
        if chosen is not None and chosen != node.metadata.name:
            return False
        volume = None if chosen is not None else _volume_for(claim, node, taken, world)
        if volume is None:
            rest.append(claim)
        else:
            taken.add(volume.metadata.name)
    return all(_is_made_there(_class(claim, world), node) for claim in rest)


def _size(claim: PersistentVolumeClaim) -> int:
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    return quantity.exact(requests.get("storage", 0))


def _volume_for(claim: PersistentVolumeClaim, node: Node, taken: set[str], world: World) -> PersistentVolume | None:
    """One that is kept for the claim, else the smallest that serves."""
    fitting = []
    for volume in world.volumes.values():
        if volume.metadata.name in taken or not _could_hold(claim, volume):
            continue
        reference = volume.spec.claim_ref
        if reference is not None:
            if (reference.namespace, reference.name) == key_of(claim):
                return volume if _reaches(volume, node) else None
        elif _serves(claim, volume) and _reaches(volume, node):
            fitting.append(volume)
    return min(fitting, key=_capacity, default=None)


def _capacity(volume: PersistentVolume) -> int:
    return quantity.exact(volume.spec.capacity.get("storage", 0))


def _could_hold(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    """A volume of another class is not looked at, whoever it is kept for."""
    if class_name(volume) != class_name(claim):
        return False
    mode = (claim.spec.volume_mode or "Filesystem") == (volume.spec.volume_mode or "Filesystem")
    return mode and volume.metadata.deletion_timestamp is None and _capacity(volume) >= _size(claim)


def _serves(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return (
        volume.status.phase == "Available"
        and (claim.spec.selector is None or matches(claim.spec.selector, volume.metadata.labels))
        and set(claim.spec.access_modes) <= set(volume.spec.access_modes)
    )


def _is_made_there(class_: StorageClass | None, node: Node) -> bool:
    if class_ is None or class_.provisioner in ("", _NO_PROVISIONER):
        return False
    return not class_.allowed_topologies or any(
        all(node.metadata.labels.get(one.key) in one.values for one in term.match_label_expressions)
        for term in class_.allowed_topologies
        if term.match_label_expressions
    )


def volume_zone(asked: Demands, world: World) -> Filter:
    topologies = [
        (key, set(value.split("__")))
        for volume in _zoned(asked.pod, world)
        for key, value in volume.metadata.labels.items()
        if key in _GENERAL or key in _OLDER
    ]

    def check(node: Node) -> Refusal | None:
        labels = node.metadata.labels
        if not any(key in labels for key in (*_GENERAL, *_OLDER)):
            return None
        for key, values in topologies:
            if labels.get(key, labels.get(_OLDER.get(key, key))) not in values:
                return Refusal("VolumeZone", ("node(s) had no available volume zone",), True)
        return None

    return check


def _zoned(pod: Pod, world: World) -> list[PersistentVolume]:
    found = []
    for claim in _claims(pod, world):
        name = claim.spec.volume_name
        if not name:
            if _is_late(claim, world):
                continue
            raise Impossible("VolumeZone", "PersistentVolume had no name")
        volume = world.volumes.get(name)
        if volume is None:
            raise Impossible("VolumeZone", f'persistentvolume "{name}" not found')
        found.append(volume)
    return found
