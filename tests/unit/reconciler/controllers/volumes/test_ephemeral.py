"""https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes"""

from msgspec import structs

from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.volume import EphemeralVolumeSource, PersistentVolumeClaimTemplate, Volume
from schemas.meta import ObjectMeta, Ref, controller_of
from tests.unit.reconciler.controllers.volumes.builders import CONTROLLERS, bound_to, claim, user, volume
from tests.unit.reconciler.controllers.world import World

POD, CLAIM = Ref("Pod", "default", "web"), Ref("PersistentVolumeClaim", "default", "web-scratch")


def with_scratch(node: str = "") -> Pod:
    """A pod with a volume of its own."""
    template = PersistentVolumeClaimTemplate(spec=claim().spec, metadata=ObjectMeta(labels={"of": "web"}))
    scratch = Volume(name="scratch", ephemeral=EphemeralVolumeSource(template))
    made = user("web", node=node)
    return structs.replace(made, spec=structs.replace(made.spec, volumes=(scratch,)))


def test_a_pod_gets_a_claim_of_its_own_that_goes_with_it() -> None:
    world = World(CONTROLLERS)
    world.create(volume(), with_scratch("n1"))
    world.settle()
    found = world.get(PersistentVolumeClaim, "default", "web-scratch")
    owner = controller_of(found)
    assert owner is not None
    assert owner.uid == world.get(Pod, "default", "web").metadata.uid
    assert found.metadata.labels == {"of": "web"}
    assert bound_to(world, "web-scratch") == "v"
    world.delete(CLAIM)
    world.settle()
    assert world.cache.find(CLAIM) is not None, "in use"
    world.delete(POD, grace_seconds=0)
    world.settle()
    assert world.cache.find(CLAIM) is None
    assert world.get(PersistentVolume, "", "v").status.phase == "Released"


def test_a_claim_that_is_lost_before_the_pod_runs_is_made_again() -> None:
    world = World(CONTROLLERS)
    world.create(with_scratch())
    world.settle()
    before = world.get(PersistentVolumeClaim, "default", "web-scratch").metadata.uid
    world.delete(CLAIM)
    world.settle()
    assert world.get(PersistentVolumeClaim, "default", "web-scratch").metadata.uid != before


def test_a_claim_of_that_name_that_is_somebody_elses_is_left_alone() -> None:
    world = World(CONTROLLERS)
    world.create(claim("web-scratch"), with_scratch("n1"))
    world.settle()
    assert controller_of(world.get(PersistentVolumeClaim, "default", "web-scratch")) is None
    world.delete(CLAIM)
    world.settle()
    found = world.get(PersistentVolumeClaim, "default", "web-scratch")
    assert controller_of(found) is not None, "it did not protect the other, and has its own now"
