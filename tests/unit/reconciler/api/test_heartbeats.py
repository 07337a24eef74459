from datetime import UTC, datetime

from msgspec import structs

from reconciler.api.heartbeats import shown
from reconciler.controllers import garbagecollector, nodelease
from schemas.coordination import Lease
from schemas.core.node import Node, NodeCondition
from schemas.meta import Object, Ref
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.world import START, World

NOW = datetime(2026, 1, 1, 12, 0, 17, 500, tzinfo=UTC)
BEAT = NOW.replace(second=10, microsecond=0)


def with_condition(status: str) -> Node:
    ready = NodeCondition(status, "Ready", last_heartbeat_time=START, last_transition_time=START)
    found = node("n1")
    return structs.replace(found, status=structs.replace(found.status, conditions=(ready,)))


def a_world(status: str) -> World:
    world = World((nodelease.CONTROLLER, garbagecollector.CONTROLLER))
    world.create(with_condition(status))
    world.settle()
    return world


def lease_of(world: World) -> Lease:
    return world.get(Lease, "kube-node-lease", "n1")


def told(world: World, object_: Object) -> object:
    found = shown(object_, world.cache, NOW)
    assert isinstance(found, Lease | Node)
    return found.spec.renew_time if isinstance(found, Lease) else found.status.conditions[0].last_heartbeat_time


def test_a_node_gets_a_lease_that_bears_its_name_and_goes_with_it() -> None:
    world = a_world("True")
    spec = lease_of(world).spec
    assert (spec.holder_identity, spec.lease_duration_seconds, spec.renew_time) == ("n1", 40, START)
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    assert world.cache.list(Lease) == ()


def test_a_lease_that_somebody_deletes_is_made_again_and_nothing_else_writes_it() -> None:
    world = a_world("True")
    world.delete(Ref("Lease", "kube-node-lease", "n1"))
    world.settle()
    lease_of(world)
    commits = world.commits
    world.restart([world.get(Node, "", "n1"), lease_of(world)])
    world.settle()
    assert world.commits == commits


def test_a_node_that_is_heard_of_was_heard_of_just_now() -> None:
    world = a_world("True")
    assert told(world, lease_of(world)) == told(world, world.get(Node, "", "n1")) == BEAT


def test_a_silent_node_was_heard_of_when_that_became_known() -> None:
    world = a_world("Unknown")
    assert told(world, lease_of(world)) == told(world, world.get(Node, "", "n1")) == START


def test_other_leases_are_shown_as_they_are() -> None:
    world = a_world("True")
    other = structs.replace(lease_of(world), metadata=structs.replace(lease_of(world).metadata, namespace="default"))
    assert shown(other, world.cache, NOW) is other
