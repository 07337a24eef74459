"""Owners and dependents: https://kubernetes.io/docs/concepts/architecture/garbage-collection/."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import garbagecollector
from reconciler.store.changes import Delete, Update
from reconciler.store.deletion import FOREGROUND, ORPHAN
from schemas.core.config import ConfigMap, Namespace
from schemas.core.node import Node
from schemas.meta import Object, ObjectMeta, OwnerReference, Ref, ref_of
from schemas.networking import IngressClass
from tests.unit.reconciler.controllers.world import World

HOLD = "example.com/hold"


def world(*objects: Object) -> World:
    made = World((garbagecollector.CONTROLLER,))
    made.create(*objects)
    made.settle()
    return made


def config(name: str, *owners: OwnerReference, finalizers: tuple[str, ...] = ()) -> ConfigMap:
    metadata = ObjectMeta(name=name, namespace="default", owner_references=owners, finalizers=finalizers)
    return ConfigMap(metadata=metadata)


def owned_by(world: World, name: str, *, block: bool = False) -> OwnerReference:
    uid = world.get(ConfigMap, "default", name).metadata.uid
    return OwnerReference("v1", "ConfigMap", name, uid, block_owner_deletion=block or None)


def chain(*, block: bool = False, finalizers: tuple[str, ...] = ()) -> World:
    """c is b's, b is a's."""
    made = world(config("a"))
    made.create(config("b", owned_by(made, "a", block=block)))
    made.create(config("c", owned_by(made, "b", block=block), finalizers=finalizers))
    made.settle()
    return made


def left(world: World) -> list[str]:
    return [one.metadata.name for one in world.cache.list(ConfigMap)]


def ref(name: str) -> Ref:
    return Ref("ConfigMap", "default", name)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param(Delete(ref("a")), [], id="background"),
        pytest.param(Delete(ref("a"), foreground=True), [], id="foreground"),
        pytest.param(Delete(ref("a"), orphan=True), ["b", "c"], id="orphan"),
    ],
)
@pytest.mark.parametrize("block", [False, True])
def test_what_stays_of_a_chain(how: Delete, block: bool, expected: list[str]) -> None:
    made = chain(block=block)
    made.apply((how,))
    made.settle()
    assert left(made) == expected


def test_in_the_foreground_owners_wait_for_those_that_block_them() -> None:
    made = chain(block=True, finalizers=(HOLD,))
    made.apply((Delete(ref("a"), foreground=True),))
    made.settle()
    assert left(made) == ["a", "b", "c"]
    assert [one.metadata.finalizers for one in made.cache.list(ConfigMap)] == [(FOREGROUND,), (FOREGROUND,), (HOLD,)]
    held = made.get(ConfigMap, "default", "c")
    made.apply((Update(structs.replace(held, metadata=structs.replace(held.metadata, finalizers=()))),))
    made.settle()
    assert left(made) == []


def test_an_owner_does_not_wait_for_what_does_not_block_it() -> None:
    made = world(config("a"))
    made.create(config("b", owned_by(made, "a"), finalizers=(HOLD,)))
    made.apply((Delete(ref("a"), foreground=True),))
    made.settle()
    assert left(made) == ["b"]


def test_one_of_several_owners_is_enough_and_the_others_are_forgotten() -> None:
    made = world(config("a"), config("b"))
    made.create(config("c", owned_by(made, "a"), owned_by(made, "b")))
    made.apply((Delete(ref("a"), foreground=True),))
    made.settle()
    assert left(made) == ["b", "c"]
    assert [one.name for one in made.get(ConfigMap, "default", "c").metadata.owner_references] == ["b"]


def test_a_later_delete_says_anew_how_it_ends() -> None:
    made = chain(block=True, finalizers=(HOLD,))
    made.apply((Delete(ref("a"), foreground=True),))
    made.settle()
    made.apply((Delete(ref("b"), orphan=True),))
    made.settle()
    assert left(made) == ["c"]
    assert made.get(ConfigMap, "default", "c").metadata.owner_references == ()


def test_the_orphan_finalizer_sets_dependents_free() -> None:
    made = world(config("a", finalizers=(ORPHAN,)))
    made.create(config("b", owned_by(made, "a")))
    made.apply((Delete(ref("a")),))
    made.settle()
    assert left(made) == ["b"]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        pytest.param(OwnerReference("v1", "ConfigMap", "gone", "uid-x"), [], id="absent"),
        pytest.param(
            OwnerReference("example.com/v1", "Widget", "w", "uid-x"), ["d"], id="of a kind that is not served"
        ),
        pytest.param(OwnerReference("example.com/v1", "ConfigMap", "w", "uid-x"), ["d"], id="of a group not served"),
        pytest.param(OwnerReference("v1", "Node", "n", "NODE"), ["d"], id="cluster-scoped"),
        pytest.param(OwnerReference("v1", "Node", "m", "NODE"), [], id="the uid of another"),
        pytest.param(OwnerReference("v1", "ConfigMap", "o", "OTHER"), [], id="in another namespace"),
    ],
)
def test_which_owners_are_there(owner: OwnerReference, expected: list[str]) -> None:
    made = world(Node(metadata=ObjectMeta(name="n")), ConfigMap(metadata=ObjectMeta(name="o", namespace="other")))
    uids = {
        "NODE": made.get(Node, "", "n").metadata.uid,
        "OTHER": made.get(ConfigMap, "other", "o").metadata.uid,
    }
    made.create(config("d", structs.replace(owner, uid=uids.get(owner.uid, owner.uid))))
    made.settle()
    assert [one.metadata.name for one in made.cache.list(ConfigMap, "default")] == expected


def test_what_is_cluster_scoped_with_a_namespaced_owner_is_never_collected() -> None:
    owner = OwnerReference("v1", "ConfigMap", "gone", "uid-x")
    made = world(IngressClass(metadata=ObjectMeta(name="i", owner_references=(owner,))))
    assert made.cache.list(IngressClass)


@settings(max_examples=60, deadline=None)
@given(
    edges=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12),
    blocking=st.booleans(),
    doomed=st.integers(0, 5),
    foreground=st.booleans(),
)
def test_any_web_of_owners_comes_to_an_end(
    edges: set[tuple[int, int]], blocking: bool, doomed: int, foreground: bool
) -> None:
    """Rings, and owners of themselves, among them."""
    made = World((garbagecollector.CONTROLLER,))
    made.create(Namespace(metadata=ObjectMeta(name="default")), *(config(f"c{number}") for number in range(6)))
    for number in range(6):
        found = made.get(ConfigMap, "default", f"c{number}")
        owners = tuple(owned_by(made, f"c{owner}", block=blocking) for owner, owned in sorted(edges) if owned == number)
        made.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, owner_references=owners))),))
    made.settle()
    made.apply((Delete(ref(f"c{doomed}"), foreground=foreground),))
    made.settle()
    assert f"c{doomed}" not in left(made)
    for one in made.cache.list(ConfigMap):
        assert one.metadata.deletion_timestamp is None
        assert all(made.cache.by_uid(owner.uid) is not None for owner in one.metadata.owner_references)
        assert garbagecollector.reconcile(ref_of(one), made.cache, made.now).changes == ()
