"""ReplicationControllers: what ReplicaSets do, under their own name."""

from msgspec import structs

from reconciler.controllers import garbagecollector, replicaset, replicationcontroller
from reconciler.store.changes import Create, Update
from schemas.core.event import Event
from schemas.core.pod import Pod
from schemas.core.quota import ResourceQuota, ResourceQuotaSpec
from schemas.core.replication import ReplicationController, ReplicationControllerSpec
from schemas.meta import ObjectMeta, Ref, controller_of, ref_of
from tests.unit.reconciler.controllers.builders import LABELS, pod, template
from tests.unit.reconciler.controllers.setbuilders import assert_at_rest, converge
from tests.unit.reconciler.controllers.world import World


def controller(replicas: int) -> ReplicationController:
    spec = ReplicationControllerSpec(replicas=replicas, selector=LABELS, template=template())
    return ReplicationController(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)


def web(world: World) -> ReplicationController:
    return world.get(ReplicationController, "default", "web")


def made() -> World:
    return World((replicationcontroller.CONTROLLER, replicaset.CONTROLLER, garbagecollector.CONTROLLER))


def test_it_keeps_its_number_of_pods() -> None:
    world = made()
    world.create(controller(2), pod("mine", labels=LABELS))
    converge(world)
    assert len(world.pods()) == 2
    owner = controller_of(world.get(Pod, "default", "mine"))
    assert owner is not None
    assert (owner.api_version, owner.kind, owner.name) == ("v1", "ReplicationController", "web")
    assert (web(world).status.replicas, web(world).status.available_replicas) == (2, 2)
    assert web(world).status.observed_generation == 1
    world.apply((Update(structs.replace(web(world), spec=structs.replace(web(world).spec, replicas=1))),))
    converge(world)
    assert len(world.pods()) == 1
    assert {one.source.component for one in world.cache.list(Event) if one.source} == {"replication-controller"}
    assert_at_rest(world)


def test_its_pods_go_with_it() -> None:
    world = made()
    world.create(controller(2))
    converge(world)
    world.delete(Ref("ReplicationController", "default", "web"))
    converge(world)
    assert world.pods() == ()


def test_it_tells_that_pods_were_refused_and_asks_again_when_the_quota_goes() -> None:
    world = made()
    metadata = ObjectMeta(name="q", namespace="default")
    quota = ResourceQuota(metadata=metadata, spec=ResourceQuotaSpec(hard={"pods": "1"}))
    world.create(quota)
    world.apply((Create(controller(2)),))
    world.settle()
    assert [(one.type, one.reason) for one in web(world).status.conditions] == [("ReplicaFailure", "FailedCreate")]
    world.delete(ref_of(quota))
    converge(world)
    assert len(world.pods()) == 2
    assert web(world).status.conditions == ()
