"""DaemonSets: which nodes, what pods, and how an update goes over them."""

import pytest
from msgspec import structs

from reconciler.controllers import daemonset, garbagecollector, nodelifecycle, podgc
from reconciler.controllers.daemonpods import FAILURES, node_of
from reconciler.controllers.podstate import ready
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.changes import Delete, Update, UpdateStatus
from schemas.apps import ControllerRevision, DaemonSet
from schemas.core.affinity import Toleration
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, Taint
from schemas.core.pod import Pod
from schemas.meta import ref_of
from tests.unit.reconciler.controllers.builders import node, template
from tests.unit.reconciler.controllers.setbuilders import (
    LABELS,
    assert_at_rest,
    converge,
    daemon_set,
    edit,
    image_of,
    serve,
    unready,
)
from tests.unit.reconciler.controllers.world import World, remove_terminating, with_phase


def with_set(made: DaemonSet, *nodes: Node, at_rest: bool = True) -> World:
    world = World((daemonset.CONTROLLER, garbagecollector.CONTROLLER, podgc.CONTROLLER))
    world.create(*nodes, made)
    converge(world) if at_rest else world.settle()
    return world


def placed(world: World) -> dict[str, str]:
    return {node_of(pod): image_of(pod) for pod in world.pods() if pod.metadata.deletion_timestamp is None}


def counts(world: World) -> tuple[int, int, int, int]:
    """Desired, current, ready, misscheduled."""
    status = world.get(DaemonSet, "default", "db").status
    return (
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.number_misscheduled,
    )


def change(world: World, name: str, *, taints: tuple[Taint, ...] = (), labels: dict[str, str] | None = None) -> None:
    found = world.get(Node, "", name)
    metadata = structs.replace(found.metadata, labels=found.metadata.labels | (labels or {}))
    world.apply((Update(structs.replace(found, metadata=metadata, spec=structs.replace(found.spec, taints=taints))),))
    world.settle()


def test_each_node_gets_a_pod_when_it_joins_and_loses_it_when_it_leaves() -> None:
    world = with_set(daemon_set(), node("n1"), node("n2"))
    assert placed(world) == {"n1": "db:1", "n2": "db:1"}
    world.create(node("n3"))
    converge(world)
    assert placed(world).keys() == {"n1", "n2", "n3"}
    world.delete(ref_of(world.get(Node, "", "n1")))
    converge(world)
    assert placed(world).keys() == {"n2", "n3"}
    assert counts(world) == (2, 2, 2, 0)
    assert_at_rest(world)


def test_a_daemon_pod_is_for_the_scheduler_to_bind_to_one_node() -> None:
    world = with_set(daemon_set(), node("n1"), node("n2"), node("n3", cordoned=True), at_rest=False)
    snapshot = Snapshot(world.cache.list(Node))
    for pod in world.pods():
        assert not pod.spec.node_name
        (decision,) = schedule((pod,), snapshot)
        assert decision.node == node_of(pod), "a cordoned node takes daemons as well"


DEDICATED = Taint(effect="NoSchedule", key="dedicated", value="x")
EVICTING = Taint(effect="NoExecute", key="dedicated", value="x")


@pytest.mark.parametrize(
    ("taint", "tolerated", "stays"),
    [
        pytest.param(DEDICATED, False, True, id="not for new ones"),
        pytest.param(EVICTING, False, False, id="for none"),
        pytest.param(EVICTING, True, True, id="tolerated"),
        pytest.param(Taint(effect="PreferNoSchedule", key="dedicated"), False, True, id="rather not"),
    ],
)
def test_taints_decide_who_comes_and_who_stays(taint: Taint, tolerated: bool, stays: bool) -> None:
    made = daemon_set()
    if tolerated:
        pattern = template("db:1", LABELS)
        assert pattern.spec is not None
        tolerant = structs.replace(pattern.spec, tolerations=(Toleration(key="dedicated", operator="Exists"),))
        made = structs.replace(made, spec=structs.replace(made.spec, template=structs.replace(pattern, spec=tolerant)))
    world = with_set(made, node("n1"), node("n2"))
    change(world, "n1", taints=(taint,))
    remove_terminating(world)
    converge(world)
    assert ("n1" in placed(world)) == stays
    comes = tolerated or taint.effect == "PreferNoSchedule"
    assert counts(world) == ((2, 2, 2, 0) if comes else (1, 1, 1, int(stays)))


def test_labels_decide_too() -> None:
    pattern = template("db:1", LABELS)
    assert pattern.spec is not None
    picky = structs.replace(pattern, spec=structs.replace(pattern.spec, node_selector={"disk": "ssd"}))
    made = daemon_set()
    world = with_set(structs.replace(made, spec=structs.replace(made.spec, template=picky)), node("n1"), node("n2"))
    assert placed(world) == {}
    change(world, "n2", labels={"disk": "ssd"})
    converge(world)
    assert placed(world) == {"n2": "db:1"}
    change(world, "n2", labels={"disk": "hdd"})
    converge(world)
    assert placed(world) == {}
    assert_at_rest(world)


def test_a_pod_on_a_node_that_is_away_stays_although_no_new_one_would_come() -> None:
    world = World((daemonset.CONTROLLER, nodelifecycle.CONTROLLER, podgc.CONTROLLER, garbagecollector.CONTROLLER))
    world.create(node("n1"), daemon_set())
    converge(world)
    (before,) = world.pods()
    for value, expected in (("Unknown", (0, 0, 0, 1)), ("True", (1, 1, 1, 0))):
        found = world.get(Node, "", "n1")
        told = (NodeCondition(value, "Ready", last_transition_time=world.now, reason="NodeStatusUnknown"),)
        world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),))
        world.settle()
        world.advance(3600)
        serve(world, unready(world) if value == "True" else ())
        world.settle()
        assert [pod.metadata.uid for pod in world.pods()] == [before.metadata.uid]
        assert world.pods()[0].metadata.deletion_timestamp is None
        assert counts(world) == expected


def test_an_update_replaces_as_many_at_a_time_as_may_be_unavailable() -> None:
    world = with_set(daemon_set(unavailable="50%"), *(node(f"n{number}") for number in range(4)))
    edit(world, DaemonSet, image="db:2")
    world.settle()
    assert sum(pod.metadata.deletion_timestamp is not None for pod in world.pods()) == 2
    converge(world)
    assert set(placed(world).values()) == {"db:2"}
    assert world.get(DaemonSet, "default", "db").status.updated_number_scheduled == 4
    assert_at_rest(world)


def test_with_surge_the_new_pod_is_there_before_the_old_one_goes() -> None:
    world = with_set(daemon_set(surge=1, unavailable=0), node("n1"), node("n2"))
    edit(world, DaemonSet, image="db:2")
    world.settle()
    assert sorted(image_of(pod) for pod in world.pods()) == ["db:1", "db:1", "db:2"]
    serve(world, unready(world))
    world.settle()
    (going,) = [pod for pod in world.pods() if pod.metadata.deletion_timestamp is not None]
    assert image_of(going) == "db:1"
    converge(world)
    assert placed(world) == {"n1": "db:2", "n2": "db:2"}
    assert len(world.pods()) == 2
    assert_at_rest(world)


def test_a_broken_update_is_repaired_at_once() -> None:
    """What is not available anyway is no loss."""
    world = with_set(daemon_set(unavailable=1), node("n1"), node("n2"))
    edit(world, DaemonSet, image="db:2")
    world.settle()
    remove_terminating(world)
    world.settle()
    edit(world, DaemonSet, image="db:3")
    world.settle()
    assert sorted(placed(world).values()) == ["db:1", "db:3"]


def test_with_on_delete_only_what_is_deleted_is_updated() -> None:
    world = with_set(daemon_set(on_delete=True), node("n1"), node("n2"))
    edit(world, DaemonSet, image="db:2")
    converge(world)
    assert set(placed(world).values()) == {"db:1"}
    world.apply((Delete(ref_of(next(pod for pod in world.pods() if node_of(pod) == "n1"))),))
    converge(world)
    assert placed(world) == {"n1": "db:2", "n2": "db:1"}


def test_a_pod_that_keeps_failing_is_replaced_later_and_later() -> None:
    world = with_set(daemon_set(), node("n1"))
    waited = []
    for _ in range(5):
        (pod,) = world.pods()
        world.apply((UpdateStatus(with_phase(pod, "Failed", world.now)),))
        world.settle()
        since = world.now
        while world.pods()[0].metadata.uid == pod.metadata.uid:
            world.advance(1)
        waited.append((world.now - since).total_seconds())
    assert waited == [0, 1, 2, 4, 8]
    assert world.pods()[0].metadata.annotations[FAILURES] == "5"
    converge(world)
    world.advance(3600)
    (pod,) = world.pods()
    assert ready(pod)
    world.apply((UpdateStatus(with_phase(pod, "Failed", world.now)),))
    world.settle()
    assert world.pods()[0].metadata.annotations[FAILURES] == "1", "one that has lived for long begins a new row"
    told = {one.reason for one in world.cache.list(Event)}
    assert {"SuccessfulCreate", "SuccessfulDelete", "FailedDaemonPod"} <= told


def test_history_is_kept_within_its_limit() -> None:
    world = with_set(daemon_set(revision_history_limit=1), node("n1"))
    for image in ("db:2", "db:3", "db:2"):
        edit(world, DaemonSet, image=image)
        converge(world)
    assert sorted(one.revision for one in world.cache.list(ControllerRevision)) == [3, 4]
    newest = max(world.cache.list(ControllerRevision), key=lambda one: one.revision)
    assert world.get(Pod, "default", world.pods()[0].metadata.name).metadata.labels["controller-revision-hash"] in (
        newest.metadata.labels["controller-revision-hash"],
    )


def test_heartbeats_of_nodes_concern_nobody() -> None:
    world = with_set(daemon_set(), node("n1"))
    found = world.get(Node, "", "n1")
    told = (NodeCondition("True", "Ready", last_heartbeat_time=world.now, reason="KubeletReady"),)
    world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),))
    assert world.queued == ()
