"""Node lifecycle, pod garbage, address ranges, namespaces, owners and Events."""

from datetime import timedelta

import pytest
from msgspec import structs

from reconciler.controllers import eventttl, garbagecollector, namespace, nodelifecycle, podgc
from reconciler.controllers.nodeipam import nodeipam
from reconciler.controllers.nodezones import nodezones
from reconciler.controllers.podstate import ready
from reconciler.store.changes import Delete, Emit, Update, UpdateStatus
from schemas import conditions
from schemas.core.affinity import Toleration
from schemas.core.config import ConfigMap, Namespace
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, Taint
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, OwnerReference, Ref, ref_of
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.controllers.world import START, World, make_ready, remove_terminating

UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"


def set_ready(world: World, value: str) -> None:
    found = world.get(Node, "", "n1")
    reason = "NodeStatusUnknown" if value == "Unknown" else "Kubelet"
    told = (NodeCondition(value, "Ready", last_transition_time=world.now, reason=reason),)
    world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),))
    world.settle()


def taints(world: World) -> list[tuple[str, str]]:
    return [(taint.key, taint.effect) for taint in world.get(Node, "", "n1").spec.taints]


def with_pods(*pods: Pod) -> World:
    world = World((nodelifecycle.CONTROLLER, nodezones(), podgc.CONTROLLER))
    world.create(node("n1"), node("other"), *pods)
    make_ready(world, world.pods())
    world.settle()
    return world


@pytest.mark.parametrize(
    ("value", "key"),
    [pytest.param("Unknown", UNREACHABLE, id="away"), pytest.param("False", NOT_READY, id="not ready")],
)
def test_a_node_that_is_away_is_tainted_at_once_and_cleared_when_it_returns(value: str, key: str) -> None:
    world = with_pods()
    set_ready(world, value)
    assert taints(world) == [(key, "NoSchedule"), (key, "NoExecute")]
    assert world.get(Node, "", "n1").spec.taints[1].time_added == START
    set_ready(world, "True")
    assert taints(world) == []


def test_a_cordoned_node_is_tainted_and_others_taints_stay() -> None:
    own = Taint(effect="NoSchedule", key="mine")
    world = World((nodelifecycle.CONTROLLER,))
    world.create(node("n1", taints=(own,), cordoned=True))
    world.settle()
    assert taints(world) == [("mine", "NoSchedule"), ("node.kubernetes.io/unschedulable", "NoSchedule")]
    found = world.get(Node, "", "n1")
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, unschedulable=False))),))
    world.settle()
    assert taints(world) == [("mine", "NoSchedule")]


def test_pods_of_a_node_that_is_away_are_told_not_ready() -> None:
    world = with_pods(pod("p", node="n1"))
    set_ready(world, "Unknown")
    assert not ready(world.get(Pod, "default", "p"))


def test_a_pod_is_evicted_when_its_toleration_has_run_out() -> None:
    world = with_pods(pod("p", node="n1"))
    set_ready(world, "Unknown")
    world.advance(29)
    assert world.get(Pod, "default", "p").metadata.deletion_timestamp is None
    world.advance(2)
    found = world.get(Pod, "default", "p")
    assert found.metadata.deletion_timestamp is not None
    told = conditions.find(found.status.conditions, "DisruptionTarget")
    assert told is not None
    assert (told.status, told.reason) == ("True", "DeletionByTaintManager")
    assert [one.message for one in world.cache.list(Event) if one.reason == "TaintManagerEviction"] == [
        "Marking for deletion Pod default/p"
    ]


@pytest.mark.parametrize(
    ("tolerations", "gone_after"),
    [
        pytest.param((Toleration(operator="Exists"),), None, id="tolerates everything for good"),
        pytest.param((Toleration("NoExecute", UNREACHABLE, "Exists", 5),), 5, id="for a time of its own"),
        pytest.param((Toleration("NoExecute", UNREACHABLE, "Exists", 0),), 0, id="not at all"),
        pytest.param((Toleration("NoExecute", UNREACHABLE, "Exists"),), None, id="for good"),
    ],
)
def test_a_pods_own_tolerations_count(tolerations: tuple[Toleration, ...], gone_after: int | None) -> None:
    world = with_pods(pod("p", node="n1", tolerations=tolerations))
    set_ready(world, "Unknown")
    if gone_after:
        world.advance(gone_after - 1)
        assert world.get(Pod, "default", "p").metadata.deletion_timestamp is None
    world.advance(1 if gone_after is not None else 10_000)
    ending = world.get(Pod, "default", "p").metadata.deletion_timestamp is not None
    assert ending == (gone_after is not None)


def test_a_node_that_returns_in_time_keeps_its_pods() -> None:
    world = with_pods(pod("p", node="n1"))
    set_ready(world, "Unknown")
    world.advance(20)
    set_ready(world, "True")
    world.advance(1000)
    assert world.get(Pod, "default", "p").metadata.deletion_timestamp is None


def test_a_taint_that_a_person_sets_evicts_at_once() -> None:
    world = with_pods(pod("p", node="n1"))
    found = world.get(Node, "", "n1")
    taint = Taint(effect="NoExecute", key="maintenance")
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, taints=(taint,)))),))
    world.settle()
    assert world.get(Pod, "default", "p").metadata.deletion_timestamp is not None


def test_pods_of_a_node_that_was_deleted_are_removed() -> None:
    world = with_pods(pod("p", node="n1"))
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    world.advance(40)
    assert world.pods() == ()


def test_a_pod_bound_by_hand_waits_for_a_node_that_is_not_there_yet() -> None:
    world = World((podgc.CONTROLLER,))
    world.create(pod("early", node="n9"), pod("never", node="n8"))
    world.settle()
    world.create(node("n9"))
    world.advance(39)
    assert len(world.pods()) == 2
    world.advance(1)
    assert [one.metadata.name for one in world.pods()] == ["early"]


def test_each_node_gets_a_range_of_its_own_and_keeps_it() -> None:
    world = World((nodeipam("10.1.0.0/22"),))
    world.create(*(node(f"n{number}") for number in range(5)))
    world.settle()
    ranges = [one.spec.pod_cidr for one in world.cache.list(Node)]
    assert ranges == ["10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24", ""]
    assert [one.reason for one in world.cache.list(Event)] == ["CIDRNotAvailable"]
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    assert [one.spec.pod_cidr for one in world.cache.list(Node)] == [*ranges[:1], *ranges[2:4], "10.1.1.0/24"]


def test_a_node_gets_a_range_of_each_family() -> None:
    world = World((nodeipam("10.1.0.0/16,fd00:1::/48"),))
    world.create(node("n0"), node("n1"))
    world.settle()
    assert [one.spec.pod_cidrs for one in world.cache.list(Node)] == [
        ("10.1.0.0/24", "fd00:1::/64"),
        ("10.1.1.0/24", "fd00:1:0:1::/64"),
    ]


@pytest.mark.parametrize("written", ["10.1.0.0/16,10.2.0.0/16", "10.1.0.0/28", "the barn"])
def test_a_range_for_all_that_makes_no_sense_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        nodeipam(written)


def test_a_namespace_goes_after_all_that_is_in_it() -> None:
    world = World((namespace.CONTROLLER, podgc.CONTROLLER))
    world.create(Namespace(metadata=ObjectMeta(name="default")), node("n1"), pod("p", node="n1"))
    world.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
    world.settle()
    world.delete(Ref("Namespace", "", "default"))
    world.settle()
    left = world.get(Namespace, "", "default")
    assert left.status.phase == "Terminating"
    assert len(world.cache.list(ConfigMap)) == 1  # What the pod may need stays as long as it runs.
    remove_terminating(world)
    world.settle()
    assert world.cache.list(Namespace) == ()


def test_what_has_lost_its_owner_is_deleted_and_a_namesake_is_no_owner() -> None:
    world = World((garbagecollector.CONTROLLER,))
    owner = ConfigMap(metadata=ObjectMeta(name="owner", namespace="default"))
    world.create(owner)
    stored = world.get(ConfigMap, "default", "owner")
    reference = OwnerReference("v1", "ConfigMap", "owner", stored.metadata.uid)
    world.create(pod("dependent", owner=reference))
    world.settle()
    assert len(world.pods()) == 1
    world.apply((Delete(ref_of(stored)),))
    world.create(owner)
    world.settle()
    assert world.pods() == ()


def test_a_dependent_with_another_owner_stays() -> None:
    world = World((garbagecollector.CONTROLLER,))
    for name in ("one", "other"):
        world.create(ConfigMap(metadata=ObjectMeta(name=name, namespace="default")))
    owners = tuple(
        OwnerReference("v1", "ConfigMap", one.metadata.name, one.metadata.uid) for one in world.cache.list(ConfigMap)
    )
    both = pod("dependent")
    world.create(structs.replace(both, metadata=structs.replace(both.metadata, owner_references=owners)))
    world.delete(Ref("ConfigMap", "default", "one"))
    world.settle()
    (left,) = world.pods()
    assert [one.name for one in left.metadata.owner_references] == ["other"]


def test_an_event_is_forgotten_an_hour_after_it_was_last_seen() -> None:
    world = World((eventttl.CONTROLLER,))
    world.create(node("n1"))
    said = Emit(world.get(Node, "", "n1"), "Normal", "Test", "something happened", "test")
    world.apply((said,))
    world.settle()
    world.advance(timedelta(minutes=50).total_seconds())
    world.apply((said,))
    world.advance(timedelta(minutes=50).total_seconds())
    assert len(world.cache.list(Event)) == 1
    world.advance(timedelta(minutes=20).total_seconds())
    assert world.cache.list(Event) == ()


def test_of_too_many_events_the_oldest_go_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventttl, "MOST", 20)
    monkeypatch.setattr(eventttl, "SURPLUS", 10)
    world = World((eventttl.CONTROLLER,))
    world.create(node("n1"))
    for number in range(64):
        world.apply((Emit(world.get(Node, "", "n1"), "Normal", "Test", f"number {number}", "test"),))
        world.now += timedelta(seconds=1)
    before = world.commits
    world.settle()
    world.advance(1)
    left = {event.message for event in world.cache.list(Event)}
    assert left == {f"number {number}" for number in range(64 - len(left), 64)}
    assert 20 <= len(left) < 30
    assert world.commits - before == (64 - len(left)) // 10


@pytest.mark.parametrize(
    ("condition", "taint"),
    [
        ("DiskPressure", "node.kubernetes.io/disk-pressure"),
        ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
        ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
        ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ],
)
def test_a_node_under_pressure_is_tainted_for_new_pods_until_it_is_not(condition: str, taint: str) -> None:
    under = structs.replace(node("n1").status, conditions=(NodeCondition("True", condition),))
    tainted = nodelifecycle.taints_of(structs.replace(node("n1"), status=under), START)
    assert [(one.key, one.effect) for one in tainted] == [(taint, "NoSchedule")]
    relieved = structs.replace(node("n1"), spec=structs.replace(node("n1").spec, taints=tainted))
    assert nodelifecycle.taints_of(relieved, START) == ()
