"""Which volume a claim gets. https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding"""

import pytest
from msgspec import structs

from reconciler.admission import AdmissionSettings, amendment
from reconciler.admission.storage import DEFAULT_CLASS
from reconciler.controllers.volumes import binder
from reconciler.store.changes import Conflict, Delete, Refused, Update
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object, Ref, ref_of
from tests.unit.reconciler.controllers.volumes.builders import (
    CONTROLLERS,
    ROX,
    RWO,
    RWX,
    bound_to,
    claim,
    said,
    storage_class,
    user,
    volume,
)
from tests.unit.reconciler.controllers.world import World


@pytest.mark.parametrize(
    ("volumes", "asked", "expected"),
    [
        pytest.param([volume("a", "2Gi"), volume("b", "1Gi")], claim(), "b", id="the smallest"),
        pytest.param([volume("a", "1Gi"), volume("b", "2Gi")], claim(size="1.5Gi"), "b", id="large enough"),
        pytest.param([volume("a", "1G")], claim(size="1Gi"), "", id="none is large enough"),
        pytest.param([volume("a"), volume("b")], claim(), "a", id="by name between equals"),
        pytest.param([volume("a", modes=(ROX, RWO)), volume("b", "9Gi")], claim(), "b", id="fewest modes before size"),
        pytest.param([volume("a", modes=(RWO, ROX))], claim(modes=(ROX,)), "a", id="one of its modes"),
        pytest.param([volume("a")], claim(modes=(RWO, RWX)), "", id="every mode that is asked for"),
        pytest.param([volume("a", class_="fast")], claim(), "", id="a class that was not asked for"),
        pytest.param([volume("a"), volume("b", class_="fast")], claim(class_="fast"), "b", id="its class"),
        pytest.param([volume("a")], claim(selector={"tier": "gold"}), "", id="a selector that matches nothing"),
        pytest.param(
            [volume("a"), volume("b", labels={"tier": "gold"})], claim(selector={"tier": "gold"}), "b", id="a selector"
        ),
        pytest.param([volume("a", mode="Block")], claim(), "", id="a device is no file system"),
        pytest.param([volume("a", mode="Block")], claim(mode="Block"), "a", id="a device"),
        pytest.param([volume("a"), volume("b", "5Gi", kept_for="c")], claim(), "b", id="kept for it, though larger"),
        pytest.param(
            [volume("a", kept_for="c", class_="other")], claim(selector={"no": "match"}), "a", id="kept: whatever class"
        ),
        pytest.param([volume("a", "500Mi", kept_for="c")], claim(), "", id="kept for it, and too small"),
        pytest.param([volume("a", kept_for="else")], claim(), "", id="kept for another"),
        pytest.param([volume("a"), volume("b", "5Gi")], claim(volume_name="b"), "b", id="the one it names"),
        pytest.param([volume("a")], claim(volume_name="b"), "", id="it names one that is not there"),
        pytest.param([volume("a", class_="fast")], claim(volume_name="a"), "", id="it names one of another class"),
        pytest.param(
            [volume("a", kept_for="else")], claim(volume_name="a"), "", id="it names what is kept for another"
        ),
    ],
)
@pytest.mark.parametrize("claim_first", [True, False], ids=["claim first", "volumes first"])
def test_a_claim_gets(
    volumes: list[PersistentVolume], asked: PersistentVolumeClaim, expected: str, claim_first: bool
) -> None:
    world = World(CONTROLLERS)
    world.create(*([asked, *volumes] if claim_first else [*volumes, asked]))
    world.settle()
    assert bound_to(world, "c") == expected
    found = world.get(PersistentVolumeClaim, "default", "c")
    assert found.status.phase == ("Bound" if expected else "Pending")
    if expected:
        assert found.status.capacity == world.get(PersistentVolume, "", expected).spec.capacity


@pytest.mark.parametrize(
    ("objects", "event"),
    [
        pytest.param([], "FailedBinding: no persistent volumes available for this claim and no storage class is set"),
        pytest.param(
            [volume("v", "500Mi"), claim("c", volume_name="v")],
            'VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small',
        ),
        pytest.param(
            [volume("v", modes=(RWX,)), claim("c", volume_name="v")],
            'VolumeMismatch: Cannot bind to requested volume "v": incompatible accessMode',
        ),
        pytest.param(
            [volume("v", class_="x"), claim("c", volume_name="v")],
            'VolumeMismatch: Cannot bind to requested volume "v": storageClassName does not match',
        ),
        pytest.param(
            [volume("v", mode="Block"), claim("c", volume_name="v")],
            'VolumeMismatch: Cannot bind to requested volume "v": incompatible volumeMode',
        ),
        pytest.param(
            [volume("v", kept_for="else"), claim("c", volume_name="v")],
            'FailedBinding: volume "v" already bound to a different claim.',
        ),
        pytest.param([claim("c", class_="gone")], 'ProvisioningFailed: storageclass.storage.k8s.io "gone" not found'),
        pytest.param(
            [storage_class("s", "kubernetes.io/no-provisioner"), claim("c", class_="s")],
            "ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner",
        ),
        pytest.param(
            [storage_class("s", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"), claim("c", class_="s")],
            "WaitForFirstConsumer: waiting for first consumer to be created before binding",
        ),
        pytest.param(
            [
                storage_class("s", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
                claim("c", class_="s"),
                user("p1", "c"),
                user("p2", "c"),
            ],
            "WaitForPodScheduled: waiting for pods p1,p2 to be scheduled",
        ),
        pytest.param(
            [storage_class("s", "example.com/disks"), claim("c", class_="s")],
            "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner "
            "'example.com/disks' or manually by the system administrator. If volume creation is delayed, please "
            "verify that the provisioner is running and correctly registered.",
        ),
    ],
)
def test_a_claim_that_waits_is_told_why_once(objects: list[Object], event: str) -> None:
    world = World(CONTROLLERS)
    world.create(*(objects or [claim()]))
    world.settle()
    assert event in said(world, "c")
    before = world.commits
    world.restart([found for kind in (PersistentVolumeClaim, PersistentVolume) for found in world.cache.list(kind)])
    world.settle()
    assert world.commits == before


def test_a_class_that_waits_for_its_consumer_leaves_free_volumes_to_the_scheduler_and_takes_kept_ones() -> None:
    world = World(CONTROLLERS)
    world.create(storage_class("s", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"))
    world.create(volume("a", class_="s"), claim("c", class_="s"))
    world.settle()
    assert bound_to(world, "c") == ""
    world.create(volume("b", class_="s", kept_for="c"))
    world.settle()
    assert bound_to(world, "c") == "b"


def test_a_claim_without_a_class_gets_the_default_one_that_comes_later() -> None:
    world = World(CONTROLLERS)
    world.create(claim(class_=None), claim("none", class_=""))
    world.settle()
    usual = storage_class("usual", "example.com/disks")
    world.create(structs.replace(usual, metadata=structs.replace(usual.metadata, annotations={DEFAULT_CLASS: "true"})))
    world.settle()
    assert world.get(PersistentVolumeClaim, "default", "c").spec.storage_class_name == "usual"
    assert world.get(PersistentVolumeClaim, "default", "none").spec.storage_class_name == ""


@pytest.mark.parametrize(
    ("reclaim", "annotations", "phase", "event"),
    [
        pytest.param("Retain", {}, "Released", [], id="kept"),
        pytest.param(
            "Delete",
            {},
            "Failed",
            [
                'VolumeFailedDelete: error getting deleter volume plugin for volume "v": no deletable volume plugin '
                "matched"
            ],
            id="nobody can delete it",
        ),
        pytest.param(
            "Delete",
            {"pv.kubernetes.io/provisioned-by": "example.com/disks"},
            "Released",
            [],
            id="whoever made it does",
        ),
        pytest.param(
            "Recycle", {}, "Failed", ["VolumeFailedRecycle: No recycler plugin found for the volume!"], id="recycle"
        ),
    ],
)
def test_a_volume_whose_claim_has_gone(reclaim: str, annotations: dict[str, str], phase: str, event: list[str]) -> None:
    world = World(CONTROLLERS)
    world.create(volume(reclaim=reclaim, annotations=annotations), claim())
    world.settle()
    world.delete(Ref("PersistentVolumeClaim", "default", "c"))
    world.settle()
    found = world.get(PersistentVolume, "", "v")
    assert found.status.phase == phase
    assert said(world, "v") == event
    world.create(claim())  # another claim of the name is not the one that it held the data of
    world.settle()
    assert bound_to(world, "c") == ""


def test_a_claim_whose_volume_has_gone_is_lost_and_a_volume_taken_from_it_misbound() -> None:
    world = World(CONTROLLERS)
    world.create(volume("a"), claim("c"), volume("b"), claim("d"))
    world.settle()
    a, b = (world.get(PersistentVolume, "", name) for name in ("a", "b"))
    unprotected = structs.replace(a, metadata=structs.replace(a.metadata, finalizers=()))
    world.apply((Update(unprotected), Delete(ref_of(a))))
    assert b.spec.claim_ref is not None
    elsewhere = structs.replace(b.spec, claim_ref=structs.replace(b.spec.claim_ref, uid="another"))
    world.apply((Update(structs.replace(b, spec=elsewhere)),))
    world.settle()
    found = [world.get(PersistentVolumeClaim, "default", name).status for name in ("c", "d")]
    assert [(one.phase, one.capacity) for one in found] == [("Lost", {})] * 2
    assert "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!" in said(world, "c")
    assert "ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly" in said(world, "d")


@pytest.mark.parametrize(
    ("class_", "refused"),
    [
        pytest.param("", True, id="none"),
        pytest.param("fixed", True, id="one that does not"),
        pytest.param("grows", False, id="one that does"),
    ],
)
def test_a_claim_grows_only_where_its_class_lets_it(class_: str, refused: bool) -> None:
    world = World(CONTROLLERS)
    grows = structs.replace(storage_class("grows", "example.com/disks"), allow_volume_expansion=True)
    world.create(grows, storage_class("fixed", "example.com/disks"))
    world.create(volume(size="9Gi", class_=class_), claim(class_=class_))
    world.settle()
    before = world.get(PersistentVolumeClaim, "default", "c")
    larger = structs.replace(before, spec=claim(size="10Gi", class_=class_, volume_name="v").spec)
    amend = amendment(AdmissionSettings())
    assert amend(before, larger, world.cache) == before
    if refused:
        with pytest.raises(Refused, match="the storageclass that provisions the pvc must support resize"):
            amend(larger, before, world.cache)
        return
    world.apply((Update(amend(larger, before, world.cache)),))
    world.settle()
    assert any(one.startswith("ExternalExpanding: Ignoring the PVC") for one in said(world, "c"))


def test_two_claims_that_reach_for_one_volume_are_told_apart_by_the_store() -> None:
    world = World()
    world.create(volume(), claim("c"), claim("d"))
    plans = [
        binder.reconcile(Ref("PersistentVolumeClaim", "default", name), world.cache, world.now) for name in ("c", "d")
    ]
    world.apply(plans[0].changes)
    with pytest.raises(Conflict):
        world.apply(plans[1].changes)
    assert bound_to(world, "c") == "v"
