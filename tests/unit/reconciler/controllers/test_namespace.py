"""How a namespace ends: https://kubernetes.io/docs/tasks/administer-cluster/namespaces/#deleting-a-namespace."""

from msgspec import structs

from reconciler.controllers import namespace
from reconciler.store.changes import Update
from schemas.core.config import ConfigMap, Namespace, Secret
from schemas.meta import Object, ObjectMeta, Ref, ref_of
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.controllers.world import World, remove_terminating

HOLD = "example.com/hold"
REF = Ref("Namespace", "", "default")


def ending(*objects: Object) -> World:
    world = World((namespace.CONTROLLER,))
    world.create(Namespace(metadata=ObjectMeta(name="default")), node("n1"), *objects)
    world.settle()
    world.delete(REF)
    world.settle()
    return world


def held(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", finalizers=(HOLD,)))


def told(world: World) -> dict[str, str]:
    """Messages of the conditions that are true."""
    conditions = world.get(Namespace, "", "default").status.conditions
    assert len(conditions) == 5
    return {one.type: one.message for one in conditions if one.status == "True"}


def test_an_empty_one_goes_at_once() -> None:
    world = ending(ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
    assert world.cache.find(REF) is None


def test_what_is_in_the_way_is_told_until_it_has_gone() -> None:
    world = ending(held("a"), held("b"), Secret(metadata=ObjectMeta(name="s", namespace="default")))
    assert world.cache.list(Secret) == ()
    assert told(world) == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 2 resource instances",
        "NamespaceFinalizersRemaining": f"Some content in the namespace has finalizers remaining: {HOLD} "
        "in 2 resource instances",
    }
    assert namespace.reconcile(REF, world.cache, world.now).changes == ()
    for name in ("a", "b"):
        found = world.get(ConfigMap, "default", name)
        world.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, finalizers=()))),))
    world.settle()
    assert world.cache.find(REF) is None


def test_pods_go_before_all_else() -> None:
    world = ending(pod("p", node="n1"), held("c"))
    assert [one.metadata.deletion_timestamp is not None for one in world.pods()] == [True]
    assert world.get(ConfigMap, "default", "c").metadata.deletion_timestamp is None
    assert told(world) == {}
    remove_terminating(world)
    world.settle()
    assert world.get(ConfigMap, "default", "c").metadata.deletion_timestamp is not None
    assert set(told(world)) == {"NamespaceContentRemaining", "NamespaceFinalizersRemaining"}


def test_more_than_one_commit_takes_goes_in_several() -> None:
    world = ending(*(ConfigMap(metadata=ObjectMeta(name=f"c{number}", namespace="default")) for number in range(1_100)))
    assert world.cache.find(REF) is None
    assert world.cache.list(ConfigMap) == ()


def test_another_ones_finalizer_is_waited_for() -> None:
    world = World((namespace.CONTROLLER,))
    world.create(Namespace(metadata=ObjectMeta(name="default", finalizers=(HOLD,))))
    world.delete(REF)
    world.settle()
    left = world.get(Namespace, "", "default")
    assert left.spec.finalizers == ()
    assert namespace.reconcile(ref_of(left), world.cache, world.now).changes == ()
