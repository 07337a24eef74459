"""https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection"""

import pytest
from msgspec import structs

from reconciler.admission.storage import CLAIM_PROTECTION, VOLUME_PROTECTION
from reconciler.store.changes import Update, UpdateStatus
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import Ref
from tests.unit.reconciler.controllers.volumes.builders import CONTROLLERS, claim, user, volume
from tests.unit.reconciler.controllers.world import World, with_phase

CLAIM, VOLUME, POD = (
    Ref("PersistentVolumeClaim", "default", "c"),
    Ref("PersistentVolume", "", "v"),
    Ref("Pod", "default", "p"),
)


@pytest.mark.parametrize(
    ("node", "phase", "kept"),
    [
        pytest.param("", "Pending", False, id="a pod without a node"),
        pytest.param("n1", "Running", True, id="a pod that runs"),
        pytest.param("n1", "Succeeded", True, id="a pod that has ended"),
    ],
)
def test_a_claim_stays_while_a_pod_on_a_node_names_it(node: str, phase: str, kept: bool) -> None:
    world = World(CONTROLLERS)
    world.create(claim(), user("p", "c", node=node))
    world.settle()
    world.apply((UpdateStatus(with_phase(world.get(Pod, "default", "p"), phase, world.now)),))
    world.delete(CLAIM)
    world.settle()
    assert (world.cache.find(CLAIM) is not None) == kept
    world.delete(POD, grace_seconds=0)
    world.settle()
    assert world.cache.find(CLAIM) is None


def test_a_volume_stays_while_it_is_bound() -> None:
    world = World(CONTROLLERS)
    world.create(volume(), claim())
    world.settle()
    world.delete(VOLUME)
    world.settle()
    assert world.get(PersistentVolume, "", "v").status.phase == "Bound"
    world.delete(CLAIM)
    world.settle()
    assert world.cache.find(VOLUME) is None


def test_what_was_made_without_protection_gets_it() -> None:
    world = World(CONTROLLERS)
    world.create(volume(), claim())
    for found in (world.get(PersistentVolume, "", "v"), world.get(PersistentVolumeClaim, "default", "c")):
        world.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, finalizers=()))),))
    world.settle()
    assert world.get(PersistentVolume, "", "v").metadata.finalizers == (VOLUME_PROTECTION,)
    assert world.get(PersistentVolumeClaim, "default", "c").metadata.finalizers == (CLAIM_PROTECTION,)
