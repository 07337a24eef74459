"""What a plan knows of storage."""

from msgspec import structs

from reconciler.controllers.volumes.localpath import BUILT_IN
from reconciler.plan.storage import classes, lost_data
from schemas.core.persistence import PersistentVolumeClaim
from schemas.meta import Ref, ref_of
from tests.unit.reconciler.controllers.volumes.builders import CONTROLLERS, claim, storage_class, volume
from tests.unit.reconciler.controllers.world import World


def test_a_cluster_of_nodes_alone_has_the_class_that_it_would_be_given() -> None:
    assert [ref_of(one).name for one in classes(())] == ["local-path"]
    assert list(classes((storage_class("mine", "example.com/disks"),))) == []


def test_the_data_of_claims_that_go_with_their_volumes_is_named() -> None:
    before, after = World(CONTROLLERS), World(CONTROLLERS)
    made_by = {"pv.kubernetes.io/provisioned-by": "example.com/disks"}
    for world in (before, after):
        world.create(volume("kept"), claim("kept"))
        world.settle()
        for number in range(6):
            world.create(volume(f"v{number}", reclaim="Delete", annotations=made_by), claim(f"c{number}"))
            world.settle()
    assert list(lost_data(before.cache, after.cache)) == []
    after.delete(Ref("PersistentVolumeClaim", "default", "kept"))
    after.delete(Ref("PersistentVolumeClaim", "default", "c0"))
    after.settle()
    assert list(lost_data(before.cache, after.cache)) == ["data would be deleted, that of the claims default/c0"]
    for one in after.cache.list(PersistentVolumeClaim):
        after.delete(ref_of(one))
    after.settle()
    (sentence,) = lost_data(before.cache, after.cache)
    assert sentence.endswith("default/c3, default/c4 and 1 more")


def test_a_class_that_is_declared_goes_before_the_built_in_one() -> None:
    world = World(CONTROLLERS)
    mine = structs.replace(
        storage_class("zz", "example.com/disks"), metadata=structs.replace(BUILT_IN.metadata, name="zz")
    )
    plain = {key: value for key, value in mine.metadata.annotations.items() if not key.startswith("wherry.dev/")}
    world.create(structs.replace(mine, metadata=structs.replace(mine.metadata, annotations=plain)), BUILT_IN)
    world.create(claim(class_=None))
    assert world.get(PersistentVolumeClaim, "default", "c").spec.storage_class_name == "zz"
