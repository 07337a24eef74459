"""Directories of nodes as volumes: made where the scheduler says, kept while claimed, given back by the node."""

import pytest
from msgspec import structs

from reconciler.controllers.volumes import localpath
from reconciler.link.assignments import desired, discards
from reconciler.link.inbound import node_changes
from reconciler.store.changes import Update
from schemas.core.node import NodeStatus
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.volume import VolumeResourceRequirements
from schemas.messages import NodeReport
from schemas.meta import Ref
from schemas.storage import StorageClass
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.volumes.builders import (
    CONTROLLERS,
    RWO,
    RWX,
    bound_to,
    choose,
    claim,
    said,
    user,
)
from tests.unit.reconciler.controllers.world import START, World

CLAIM = Ref("PersistentVolumeClaim", "default", "c")


def with_claim(class_: StorageClass = localpath.BUILT_IN, **asked: object) -> World:
    world = World(CONTROLLERS)
    world.create(node("n1"), node("n2"), class_, claim("c", class_=None, **asked))  # type: ignore[arg-type]
    world.settle()
    return world


def provisioned(world: World) -> PersistentVolume:
    choose(world, "c", "n1")
    world.settle()
    return world.get(PersistentVolume, "", bound_to(world, "c"))


def test_nothing_is_made_before_a_node_is_chosen() -> None:
    world = with_claim()
    assert world.cache.list(PersistentVolume) == ()
    assert "WaitForFirstConsumer: waiting for first consumer to be created before binding" in said(world, "c")


def test_the_directory_of_a_chosen_node_is_bound() -> None:
    world = with_claim()
    found = provisioned(world)
    uid = world.get(PersistentVolumeClaim, "default", "c").metadata.uid
    assert found.metadata.name == f"pvc-{uid}"
    assert found.spec.local is not None
    assert found.spec.local.path == f"/var/lib/wherry/volumes/pvc-{uid}_default_c"
    assert found.spec.capacity == {"storage": "1Gi"}
    assert found.spec.persistent_volume_reclaim_policy == "Delete"
    assert found.spec.node_affinity is not None
    assert found.spec.node_affinity.required is not None
    (term,) = found.spec.node_affinity.required.node_selector_terms
    assert [(one.key, one.values) for one in term.match_expressions] == [("kubernetes.io/hostname", ("n1",))]
    assert f"ProvisioningSucceeded: Successfully provisioned volume {found.metadata.name}" in said(world, "c")


@pytest.mark.parametrize(
    ("parameters", "binding", "asked", "why"),
    [
        pytest.param({}, "WaitForFirstConsumer", {"modes": (RWO, RWX)}, "access modes", id="many nodes"),
        pytest.param({}, "WaitForFirstConsumer", {"mode": "Block"}, "no block device", id="a device"),
        pytest.param({}, "WaitForFirstConsumer", {"selector": {"a": "b"}}, "leave out spec.selector", id="a selector"),
        pytest.param({"path": "disk"}, "WaitForFirstConsumer", {}, "give an absolute path", id="a relative path"),
        pytest.param({"size": "1"}, "WaitForFirstConsumer", {}, "size is not known", id="an unknown parameter"),
        pytest.param({}, "Immediate", {}, "set volumeBindingMode: WaitForFirstConsumer", id="at once"),
    ],
)
def test_what_no_directory_can_be_is_said(
    parameters: dict[str, str], binding: str, asked: dict[str, object], why: str
) -> None:
    class_ = structs.replace(localpath.BUILT_IN, parameters=parameters, volume_binding_mode=binding)
    world = with_claim(class_, **asked)
    if binding != "Immediate":
        choose(world, "c", "n1")
    world.settle()
    assert world.cache.list(PersistentVolume) == ()
    assert any(one.startswith("ProvisioningFailed") and why in one for one in said(world, "c"))


def test_a_class_may_name_the_place() -> None:
    world = with_claim(structs.replace(localpath.BUILT_IN, parameters={"path": "/mnt/ssd/"}))
    local = provisioned(world).spec.local
    assert local is not None
    assert local.path.startswith("/mnt/ssd/pvc-")


def test_a_node_that_has_gone_since_is_chosen_anew() -> None:
    world = with_claim()
    world.delete(Ref("Node", "", "n1"))
    choose(world, "c", "n1")
    world.settle()
    assert world.cache.list(PersistentVolume) == ()
    choose(world, "c", "n2")
    world.settle()
    assert bound_to(world, "c")


def test_a_claim_that_grows_is_told_that_it_has() -> None:
    world = with_claim()
    provisioned(world)
    found = world.get(PersistentVolumeClaim, "default", "c")
    larger = structs.replace(found.spec, resources=VolumeResourceRequirements(requests={"storage": "5Gi"}))
    world.apply((Update(structs.replace(found, spec=larger)),))
    world.settle()
    assert world.get(PersistentVolumeClaim, "default", "c").status.capacity == {"storage": "5Gi"}
    assert world.get(PersistentVolume, "", found.spec.volume_name).spec.capacity == {"storage": "5Gi"}


def report(*discarded: str) -> NodeReport:
    return NodeReport(epoch=1, sent_at=START, status=NodeStatus(), discarded=discarded)


def test_a_deleted_claim_gives_its_directory_back_when_the_node_has_removed_it() -> None:
    world = with_claim()
    volume = provisioned(world)
    ref, uid = Ref("PersistentVolume", "", volume.metadata.name), volume.metadata.uid
    assert volume.spec.local is not None
    world.delete(CLAIM)
    world.settle()
    assert world.get(PersistentVolume, "", ref.name).status.phase == "Released"
    assert discards(world.cache).get("n1", {}) == {uid: volume.spec.local.path}
    assert discards(world.cache).get("n2", {}) == {}
    for silent in (report(), report("another")):
        world.apply(node_changes("n1", silent, True, world.cache, world.now))
    world.apply(node_changes("n2", report(uid), True, world.cache, world.now))
    world.settle()
    assert world.cache.find(ref) is not None
    world.apply(node_changes("n1", report(uid), True, world.cache, world.now))
    world.settle()
    assert world.cache.find(ref) is None
    assert discards(world.cache).get("n1", {}) == {}


def test_a_volume_that_is_in_use_is_not_discarded_whoever_deletes_it() -> None:
    world = with_claim()
    volume = provisioned(world)
    world.create(user("p", "c", node="n1"))
    world.settle()
    world.delete(CLAIM)
    world.delete(Ref("PersistentVolume", "", volume.metadata.name))
    world.settle()
    assert discards(world.cache).get("n1", {}) == {}
    world.apply(node_changes("n1", report(volume.metadata.uid), True, world.cache, world.now))
    world.settle()
    assert bound_to(world, "c") == volume.metadata.name


def test_a_volume_that_is_to_be_retained_keeps_its_directory() -> None:
    world = with_claim(structs.replace(localpath.BUILT_IN, reclaim_policy="Retain"))
    ref = Ref("PersistentVolume", "", provisioned(world).metadata.name)
    world.delete(CLAIM)
    world.settle()
    assert world.get(PersistentVolume, "", ref.name).status.phase == "Released"
    world.delete(ref)
    world.settle()
    assert world.cache.find(ref) is None
    assert discards(world.cache).get("n1", {}) == {}


def test_nothing_waits_for_a_node_that_is_gone_for_good() -> None:
    world = with_claim()
    ref = Ref("PersistentVolume", "", provisioned(world).metadata.name)
    world.delete(CLAIM)
    world.settle()
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    assert world.cache.find(ref) is None


def test_a_node_is_told_what_the_claims_of_its_pods_are_bound_to() -> None:
    world = with_claim()
    world.create(user("p", "c", node="n1"))
    assert desired("n1", world.cache).configs == {}
    volume = provisioned(world)
    (config,) = desired("n1", world.cache).configs.values()
    assert config.key == "persistentvolumeclaim/default/c"
    assert config.volume is not None
    assert volume.spec.local is not None
    assert (config.volume.local, config.volume.provisioned) == (volume.spec.local.path, True)
