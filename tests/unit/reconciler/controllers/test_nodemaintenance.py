"""Cordon, drain within budgets, uncordon; the rules of `kubectl drain`
(https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import disruption, nodemaintenance
from reconciler.controllers.nodelifecycle import nodelifecycle
from reconciler.store.changes import Update
from schemas.core.event import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, ObjectMeta, OwnerReference, Ref
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.unit.reconciler.controllers.builders import node, pod, replica_set
from tests.unit.reconciler.controllers.world import World, make_ready, remove_terminating

OPENS = 3600.0
"""Seconds after the beginning of the tests, 1 January 2026 at midnight, a Thursday."""
WINDOW = "Thu 01:00-02:00"
OWNER = OwnerReference("apps/v1", "ReplicaSet", "web", "uid-web", controller=True)
DAEMON = OwnerReference("apps/v1", "DaemonSet", "log", "uid-log", controller=True)


def a_world(*pods: Pod, window: str = WINDOW, least: int | None = None) -> World:
    world = World((nodemaintenance.CONTROLLER, nodelifecycle(), disruption.CONTROLLER))
    one = node("n1")
    annotations = {"wherry.dev/maintenance": window}
    world.create(structs.replace(one, metadata=structs.replace(one.metadata, annotations=annotations)), node("n2"))
    if least is not None:
        selector = LabelSelector(match_labels={"app": "web"})
        spec = PodDisruptionBudgetSpec(selector=selector, min_available=least)
        world.create(PodDisruptionBudget(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
    world.create(replica_set(replicas=len(pods)), *pods)
    make_ready(world, world.pods())
    world.settle()
    return world


def web(name: str, owner: OwnerReference | None = OWNER) -> Pod:
    return pod(name, node="n1", labels={"app": "web"}, owner=owner)


def the_node(world: World) -> Node:
    return world.get(Node, "", "n1")


def cordon(world: World, cordoned: bool) -> None:
    found = the_node(world)
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, unschedulable=cordoned))),))
    world.settle()


def ending(world: World) -> list[str]:
    return [one.metadata.name for one in world.pods() if one.metadata.deletion_timestamp is not None]


def test_a_node_is_cordoned_and_drained_when_its_window_opens_and_uncordoned_when_it_closes() -> None:
    world = a_world(web("a"), web("b"))
    world.advance(OPENS - 1)
    assert not the_node(world).spec.unschedulable
    world.advance(1)
    assert the_node(world).spec.unschedulable
    assert ending(world) == ["a", "b"]
    remove_terminating(world)
    world.advance(3599)
    assert the_node(world).spec.unschedulable
    world.advance(1)
    assert not the_node(world).spec.unschedulable
    assert "wherry.dev/maintenance-since" not in the_node(world).metadata.annotations
    assert {one.reason for one in world.cache.list(Event)} >= {"MaintenanceStarted", "MaintenanceEnded"}


@pytest.mark.parametrize(
    "owner", [pytest.param(DAEMON, id="of a DaemonSet"), pytest.param(None, id="that nobody would replace")]
)
def test_a_pod_stays(owner: OwnerReference | None) -> None:
    world = a_world(web("a", owner))
    world.advance(OPENS + 60)
    assert the_node(world).spec.unschedulable
    assert ending(world) == []


def test_pods_go_no_faster_than_their_budget_allows() -> None:
    world = a_world(web("a"), web("b"), web("c"), least=2)
    world.advance(OPENS)
    assert ending(world) == ["a"]
    world.advance(60)
    assert ending(world) == ["a"]
    world.delete(Ref("Pod", "default", "a"), grace_seconds=0)
    world.create(pod("d", node="n2", labels={"app": "web"}, owner=OWNER))
    make_ready(world, [world.get(Pod, "default", "d")])
    world.advance(6)
    assert ending(world) == ["b"]


def test_what_the_budget_never_allows_stays_and_the_node_comes_back() -> None:
    world = a_world(web("a"), least=1)
    world.advance(OPENS + 3600)
    assert ending(world) == []
    assert not the_node(world).spec.unschedulable


def test_a_node_that_a_person_has_cordoned_before_is_drained_and_stays_cordoned() -> None:
    world = a_world(web("a"))
    cordon(world, True)
    world.advance(OPENS)
    assert ending(world) == ["a"]
    world.advance(3700)
    assert the_node(world).spec.unschedulable


def test_a_node_that_a_person_uncordons_within_the_window_is_left_alone() -> None:
    world = a_world()
    world.advance(OPENS + 10)
    cordon(world, False)
    world.create(web("late"))
    world.settle()
    assert not the_node(world).spec.unschedulable
    assert ending(world) == []
    world.advance(3600)
    assert "wherry.dev/maintenance-since" not in the_node(world).metadata.annotations


def test_a_window_that_is_taken_back_ends_the_maintenance() -> None:
    world = a_world()
    world.advance(OPENS + 10)
    found = the_node(world)
    annotations = {key: text for key, text in found.metadata.annotations.items() if key != "wherry.dev/maintenance"}
    world.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, annotations=annotations))),))
    world.settle()
    assert not the_node(world).spec.unschedulable


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["wait", "restart", "end", "pod"]), st.integers(1, 40)), max_size=12))
def test_any_history_ends_with_the_node_as_it_was_and_never_breaks_a_budget(history: list[tuple[str, int]]) -> None:
    world = a_world(web("a"), web("b"), web("c"), least=2, window="Thu 01:00-01:05")
    for action, number in history:
        if action == "wait":
            world.advance(number * 180)
        elif action == "restart":
            world.restart([the_node(world), *world.pods(), *world.cache.list(PodDisruptionBudget)])
        elif action == "end":
            remove_terminating(world)
        elif len(world.pods()) < 6:
            name = f"p{world.commits}"
            where = "n1" if not the_node(world).spec.unschedulable else "n2"
            world.create(pod(name, node=where, labels={"app": "web"}, owner=OWNER))
            make_ready(world, [world.get(Pod, "default", name)])
        world.settle()
        healthy = [one for one in world.pods() if one.metadata.deletion_timestamp is None]
        assert len(healthy) >= 2
    world.advance(timedelta(days=7).total_seconds())
    for _ in range(3):
        world.settle()
        world.advance(7200)
    assert not the_node(world).spec.unschedulable
    commits = world.commits
    world.restart([the_node(world), *world.pods()])
    world.settle()
    assert world.commits == commits
