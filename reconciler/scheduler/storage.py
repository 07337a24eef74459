"""Claims, volumes and classes as the scheduler sees them, and which volumes a claim may be given.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding,
https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
"""

from collections.abc import Collection, Iterator, Mapping

from schemas import quantity, selectors
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object
from schemas.nodeaffinity import term_holds
from schemas.storage import StorageClass, TopologySelectorTerm

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""On a claim: the node that its volume is to be made for."""
_BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_CLASS = "volume.beta.kubernetes.io/storage-class"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
Key = tuple[str, str]


class Storage:
    """What there is. `version` grows with every change that may matter."""

    def __init__(self) -> None:
        self.claims: dict[Key, PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.classes: dict[str, StorageClass] = {}
        self.version = 0

    def put(self, object_: Object) -> None:
        self.version += 1
        if isinstance(object_, PersistentVolumeClaim):
            self.claims[(object_.metadata.namespace, object_.metadata.name)] = object_
        elif isinstance(object_, PersistentVolume):
            self.volumes[object_.metadata.name] = object_
        elif isinstance(object_, StorageClass):
            self.classes[object_.metadata.name] = object_

    def drop(self, object_: Object) -> None:
        self.version += 1
        if isinstance(object_, PersistentVolumeClaim):
            self.claims.pop((object_.metadata.namespace, object_.metadata.name), None)
        elif isinstance(object_, PersistentVolume):
            self.volumes.pop(object_.metadata.name, None)
        elif isinstance(object_, StorageClass):
            self.classes.pop(object_.metadata.name, None)

    def waits_for_consumer(self, claim: PersistentVolumeClaim) -> bool:
        found = self.classes.get(class_of(claim))
        return found is not None and found.volume_binding_mode == "WaitForFirstConsumer"

    def match(
        self, claim: PersistentVolumeClaim, name: str, labels: Mapping[str, str], taken: Collection[str]
    ) -> PersistentVolume | None:
        """The volume for the claim on the node: the one made out to it, else the smallest that serves."""
        asked = size_of(claim)
        best: tuple[int, str] | None = None
        for volume in self._candidates(claim, asked, taken):
            reachable = reaches(volume, name, labels)
            if _made_out_to(volume, claim):
                return volume if reachable else None
            if reachable and _serves(volume, claim):
                size = quantity.value(volume.spec.capacity.get("storage", 0))
                best = min(best or (size, volume.metadata.name), (size, volume.metadata.name))
        return self.volumes[best[1]] if best is not None else None

    def _candidates(
        self, claim: PersistentVolumeClaim, asked: int, taken: Collection[str]
    ) -> Iterator[PersistentVolume]:
        wanted = class_of(claim)
        for volume in self.volumes.values():
            spec = volume.spec
            if volume.metadata.name in taken or spec.storage_class_name != wanted:
                continue
            if volume.metadata.deletion_timestamp is not None:
                continue
            if spec.claim_ref is not None and not _made_out_to(volume, claim):
                continue
            same_mode = (spec.volume_mode or "Filesystem") == (claim.spec.volume_mode or "Filesystem")
            if same_mode and quantity.value(spec.capacity.get("storage", 0)) >= asked:
                yield volume

    def can_be_made(self, claim: PersistentVolumeClaim, labels: Mapping[str, str]) -> bool:
        """Whether a volume for the claim can be provisioned where the node is."""
        found = self.classes.get(class_of(claim))
        if found is None or found.provisioner in ("", _NO_PROVISIONER):
            return False
        return not found.allowed_topologies or any(_in(term, labels) for term in found.allowed_topologies)


def class_of(claim: PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(_CLASS, "") or claim.spec.storage_class_name or ""


def size_of(claim: PersistentVolumeClaim) -> int:
    return quantity.value(claim.spec.resources.requests.get("storage", 0)) if claim.spec.resources else 0


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Bound from both sides; one that only names its volume is not yet."""
    done = _BIND_COMPLETED in claim.metadata.annotations or claim.status.phase == "Bound"
    return bool(claim.spec.volume_name) and done


def reaches(volume: PersistentVolume, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the volume can be used on the node."""
    affinity = volume.spec.node_affinity
    if affinity is None or affinity.required is None:
        return True
    return any(term_holds(term, name, labels) for term in affinity.required.node_selector_terms)


def _made_out_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    ref = volume.spec.claim_ref
    if ref is None or (ref.name, ref.namespace) != (claim.metadata.name, claim.metadata.namespace):
        return False
    return not ref.uid or ref.uid == claim.metadata.uid


def _serves(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    if volume.status.phase != "Available":
        return False
    selector = claim.spec.selector
    if selector is not None and not selectors.matches(selector, volume.metadata.labels):
        return False
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)


def _in(term: TopologySelectorTerm, labels: Mapping[str, str]) -> bool:
    """A term that demands nothing picks nothing."""
    demands = term.match_label_expressions
    return bool(demands) and all(labels.get(one.key) in one.values for one in demands)
