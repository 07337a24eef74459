"""Pods that move when a node comes, as the scheduler would place them; the scheduler and the agents are played."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import disruption, rebalance, replicaset, statefulset
from reconciler.controllers.wouldplace import Placement
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import COUNTED, Snapshot
from reconciler.store.changes import Update, UpdateStatus
from schemas.apps import ReplicaSet
from schemas.core.container import Container, ResourceRequirements
from schemas.core.node import Node, NodeCondition
from schemas.core.pod import Pod, PodSpec
from schemas.meta import LabelSelector, Object, ObjectMeta
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.unit.reconciler.controllers.builders import node, replica_set
from tests.unit.reconciler.controllers.world import World, make_ready, remove_terminating

ZONE = "topology.kubernetes.io/zone"


def a_world(*objects: Object) -> World:
    world = World((replicaset.CONTROLLER, statefulset.CONTROLLER, disruption.CONTROLLER, rebalance.CONTROLLER))
    world.create(*objects)
    return world


def zoned(name: str, zone: str) -> Node:
    one = node(name)
    return structs.replace(one, metadata=structs.replace(one.metadata, labels=one.metadata.labels | {ZONE: zone}))


def web(replicas: int, name: str = "web", *, on: str = "true", cpu: str = "100m") -> ReplicaSet:
    made = replica_set(name, replicas)
    template = made.spec.template
    assert template is not None
    container = Container(name="c", image="app:1", resources=ResourceRequirements(requests={"cpu": cpu}))
    labels = {"app": name}
    template = structs.replace(template, metadata=ObjectMeta(labels=labels), spec=PodSpec((container,)))
    spec = structs.replace(made.spec, template=template, selector=LabelSelector(match_labels=labels))
    annotations = {"wherry.dev/rebalance": on} if on else {}
    metadata = structs.replace(made.metadata, annotations=annotations, uid="")
    return structs.replace(made, metadata=metadata, spec=spec)


def serve(world: World) -> bool:
    """Plays scheduler and agents once. Whether there was anything to do."""
    commits = world.commits
    remove_terminating(world)
    world.settle()
    waiting = [one for one in world.pods() if not one.spec.node_name]
    if waiting:
        decisions = schedule(waiting, Snapshot(found for type_ in COUNTED for found in world.cache.list(type_)))
        for pod, decision in zip(waiting, decisions, strict=True):
            if decision.node:
                spec = structs.replace(pod.spec, node_name=decision.node)
                world.apply((Update(structs.replace(pod, spec=spec)),))
    unready = [one for one in world.pods() if one.spec.node_name and one.status.phase != "Running"]
    make_ready(world, unready)
    world.settle()
    return world.commits > commits


def settle(world: World, seconds: float = 0.0) -> int:
    """Until nothing moves any more; how many pods were made on the way."""
    before = {one.metadata.uid for one in world.pods()}
    seen = set(before)
    world.settle()
    world.advance(seconds)
    for _ in range(200):
        if not serve(world):
            return len(seen - before)
        seen |= {one.metadata.uid for one in world.pods()}
    raise AssertionError("pods move for ever")


def spread(world: World, app: str = "web") -> list[int]:
    on = Counter(one.spec.node_name for one in world.pods() if one.metadata.labels.get("app") == app)
    return sorted(on.values(), reverse=True)


def test_pods_move_to_a_node_that_joins_one_after_the_other() -> None:
    world = a_world(node("n1"), web(4))
    settle(world)
    assert spread(world) == [4]
    world.create(node("n2"))
    assert settle(world, 60) == 2
    assert spread(world) == [2, 2]


def test_no_pod_moves_without_being_asked_to() -> None:
    world = a_world(node("n1"), web(4, on=""))
    settle(world)
    world.create(node("n2"))
    assert settle(world, 60) == 0


def test_a_node_that_has_only_just_come_draws_no_pods() -> None:
    world = a_world(node("n1"), web(4))
    settle(world)
    fresh = node("n2")
    ready = NodeCondition("True", "Ready", last_transition_time=world.now)
    world.create(structs.replace(fresh, status=structs.replace(fresh.status, conditions=(ready,))))
    assert settle(world, 29) == 0
    assert settle(world, 2) == 2


def test_an_annotation_that_is_set_later_counts_from_then() -> None:
    world = a_world(node("n1"), web(4, on=""))
    settle(world)
    world.create(node("n2"))
    settle(world, 60)
    found = world.get(ReplicaSet, "default", "web")
    metadata = structs.replace(found.metadata, annotations={"wherry.dev/rebalance": "true"})
    world.apply((Update(structs.replace(found, metadata=metadata)),))
    assert settle(world, 60) == 2


def test_a_workload_that_is_not_well_is_left_alone() -> None:
    world = a_world(node("n1"), web(4))
    settle(world)
    sick = world.pods()[0]
    status = structs.replace(sick.status, conditions=())
    world.apply((UpdateStatus(structs.replace(sick, status=status)),))
    world.create(node("n2"))
    assert settle(world, 60) == 0


@pytest.mark.parametrize(("least", "moved"), [pytest.param(4, 0, id="none may go"), pytest.param(3, 2, id="one may")])
def test_budgets_hold(least: int, moved: int) -> None:
    world = a_world(node("n1"), web(4))
    spec = PodDisruptionBudgetSpec(selector=LabelSelector(match_labels={"app": "web"}), min_available=least)
    world.create(PodDisruptionBudget(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
    settle(world)
    world.create(node("n2"))
    assert settle(world, 60) == moved


def test_zones_are_evened_out_before_nodes() -> None:
    world = a_world(zoned("n1", "a"), zoned("n2", "a"), web(2))
    settle(world)
    assert spread(world) == [1, 1]
    world.create(zoned("n3", "b"))
    assert settle(world, 60) == 1
    assert "n3" in {one.spec.node_name for one in world.pods()}


def test_full_nodes_give_to_empty_ones_where_that_spreads_a_workload_no_less() -> None:
    world = a_world(node("n1"), *(web(1, f"w{number}", cpu="900m") for number in range(4)))
    settle(world)
    world.create(node("n2"))
    settle(world, 60)
    on = Counter(one.spec.node_name for one in world.pods())
    assert on == {"n1": 2, "n2": 2}


def test_nothing_moves_for_a_little_more_room() -> None:
    world = a_world(node("n1"), web(1, cpu="100m"))
    settle(world)
    world.create(node("n2"))
    assert settle(world, 60) == 0


def test_a_pod_that_the_scheduler_would_keep_stays() -> None:
    world = a_world(node("n1"), web(4))
    settle(world)
    small = node("n2")
    world.create(structs.replace(small, status=structs.replace(small.status, allocatable={"cpu": "0", "pods": "9"})))
    assert settle(world, 60) == 0


NODES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "4"])), min_size=1, max_size=5)


def built(shape: Sequence[tuple[str, str]]) -> list[Node]:
    made = []
    for number, (zone, cpu) in enumerate(shape):
        one = zoned(f"n{number}", zone)
        made.append(structs.replace(one, status=structs.replace(one.status, allocatable={"cpu": cpu, "pods": "9"})))
    return made


@settings(max_examples=30, deadline=None)
@given(shape=NODES, sets=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["100m", "500m"])), max_size=3))
def test_moves_come_to_an_end_and_a_second_pass_changes_nothing(
    shape: list[tuple[str, str]], sets: list[tuple[int, str]]
) -> None:
    nodes = built(shape)
    world = a_world(nodes[0], *(web(number, f"w{index}", cpu=cpu) for index, (number, cpu) in enumerate(sets)))
    settle(world)
    for one in nodes[1:]:
        world.create(one)
        settle(world, 60)
    for found in world.cache.list(ReplicaSet):
        pods = [one for one in world.pods() if one.metadata.labels == found.spec.template.metadata.labels]  # type: ignore[union-attr]
        assert len(pods) == found.spec.replicas
    commits = world.commits
    world.restart([*world.cache.list(Node), *world.cache.list(ReplicaSet), *world.cache.list(Pod)])
    settle(world, 60)
    assert world.commits == commits


def test_whoever_asks_where_pods_would_go_changes_nothing_for_who_asks_next() -> None:
    world = a_world(node("n1"), node("n2"), web(5, cpu="900m"))
    world.settle()
    while serve(world):
        pass
    world.create(node("n3"), web(1, "large", on="", cpu="4"))
    world.settle()
    pods = world.pods()
    together = Placement(world.cache)
    assert [together.target(pod) for pod in (*pods, *pods)] == [Placement(world.cache).target(pod) for pod in pods] * 2
