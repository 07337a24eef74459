"""Claims, volumes and classes for tests, with only what the test is about."""

from collections.abc import Sequence

from msgspec import structs

from reconciler.controllers import garbagecollector
from reconciler.controllers.interface import Controller
from reconciler.controllers.volumes import binder, ephemeral, localpath, protection
from reconciler.controllers.volumes.facts import SELECTED_NODE
from reconciler.store.changes import Update
from schemas.core.container import Container
from schemas.core.event import Event
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec
from schemas.core.pod import Pod, PodSpec
from schemas.core.reference import ObjectReference
from schemas.core.volume import (
    NFSVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    Volume,
    VolumeResourceRequirements,
)
from schemas.meta import LabelSelector, ObjectMeta
from schemas.storage import StorageClass
from tests.unit.reconciler.controllers.world import World

CONTROLLERS: Sequence[Controller] = (
    binder.CONTROLLER,
    ephemeral.CONTROLLER,
    localpath.CONTROLLER,
    protection.CLAIMS,
    protection.VOLUMES,
    garbagecollector.CONTROLLER,
)
RWO, ROX, RWX = "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"


def volume(
    name: str = "v",
    size: str = "1Gi",
    *,
    modes: tuple[str, ...] = (RWO,),
    class_: str = "",
    labels: dict[str, str] | None = None,
    kept_for: str = "",
    reclaim: str = "Retain",
    mode: str = "Filesystem",
    annotations: dict[str, str] | None = None,
) -> PersistentVolume:
    kept = ObjectReference(namespace="default", name=kept_for) if kept_for else None
    return PersistentVolume(
        metadata=ObjectMeta(name=name, labels=labels or {}, annotations=annotations or {}),
        spec=PersistentVolumeSpec(
            access_modes=modes,
            capacity={"storage": size},
            claim_ref=kept,
            nfs=NFSVolumeSource(path=f"/{name}", server="10.0.0.9"),
            persistent_volume_reclaim_policy=reclaim,
            storage_class_name=class_,
            volume_mode=mode,
        ),
    )


def claim(
    name: str = "c",
    size: str = "1Gi",
    *,
    modes: tuple[str, ...] = (RWO,),
    class_: str | None = "",
    selector: dict[str, str] | None = None,
    volume_name: str = "",
    mode: str = "Filesystem",
) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PersistentVolumeClaimSpec(
            access_modes=modes,
            resources=VolumeResourceRequirements(requests={"storage": size}),
            selector=LabelSelector(match_labels=selector) if selector else None,
            storage_class_name=class_,
            volume_name=volume_name,
            volume_mode=mode,
        ),
    )


def user(name: str = "p", *claims: str, node: str = "") -> Pod:
    """A pod that mounts the claims."""
    sources = [PersistentVolumeClaimVolumeSource(claim_name=one) for one in claims]
    volumes = tuple(Volume(name=source.claim_name, persistent_volume_claim=source) for source in sources)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodSpec((Container(name="c", image="app:1"),), volumes=volumes, node_name=node),
    )


def storage_class(name: str, provisioner: str, binding: str = "Immediate") -> StorageClass:
    return StorageClass(
        metadata=ObjectMeta(name=name), provisioner=provisioner, reclaim_policy="Delete", volume_binding_mode=binding
    )


def choose(world: World, name: str, node: str) -> None:
    """What the scheduler says of a claim."""
    found = world.get(PersistentVolumeClaim, "default", name)
    annotations = found.metadata.annotations | {SELECTED_NODE: node}
    world.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, annotations=annotations))),))


def bound_to(world: World, name: str) -> str:
    """The volume that the claim is bound to; both say so. Empty where it is not bound."""
    found = world.get(PersistentVolumeClaim, "default", name)
    if found.status.phase != "Bound":
        return ""
    held = world.get(PersistentVolume, "", found.spec.volume_name)
    assert held.status.phase == "Bound"
    assert held.spec.claim_ref is not None
    assert held.spec.claim_ref.uid == found.metadata.uid
    return held.metadata.name


def said(world: World, name: str) -> list[str]:
    """What Events tell of the object, as `reason: message`."""
    events = [one for one in world.cache.list(Event) if one.involved_object and one.involved_object.name == name]
    return [f"{one.reason}: {one.message}" for one in events]
