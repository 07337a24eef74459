"""What becomes of a pod's readiness when its node goes away and comes back."""

import pytest
from msgspec import structs

from reconciler.controllers import nodelifecycle
from reconciler.controllers.podstate import ready
from reconciler.store.changes import UpdateStatus
from schemas import conditions
from schemas.core.node import Node, NodeCondition
from schemas.core.pod import Pod, PodReadinessGate
from schemas.core.podstatus import PodCondition
from schemas.meta import Ref
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.controllers.world import World


def report(world: World, name: str = "p", **told: str) -> None:
    """As the pod's agent does, once: it does not say again what has not changed."""
    found = world.get(Pod, "default", name)
    said = tuple(PodCondition(value, type_, last_transition_time=world.now) for type_, value in told.items())
    status = structs.replace(found.status, phase="Running", conditions=said)
    world.apply((UpdateStatus(structs.replace(found, status=status)),))
    world.settle()


def set_node(world: World, value: str) -> None:
    found = world.get(Node, "", "n1")
    told = (NodeCondition(value, "Ready", last_transition_time=world.now, reason="Test"),)
    world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),))
    world.settle()


def a_node_with(*pods: Pod) -> World:
    world = World((nodelifecycle.CONTROLLER,))
    world.create(node("n1"), *pods)
    world.settle()
    return world


def is_ready(world: World, name: str = "p") -> bool:
    return ready(world.get(Pod, "default", name))


def test_pods_of_a_node_that_says_itself_that_it_is_not_ready_are_as_it_tells_them() -> None:
    world = a_node_with(pod("p", node="n1"))
    report(world, ContainersReady="True", Ready="True")
    set_node(world, "False")
    assert is_ready(world)


def test_a_pod_told_not_ready_for_its_node_alone_is_ready_again_when_the_node_is() -> None:
    world = a_node_with(pod("p", node="n1"))
    report(world, ContainersReady="True", Ready="True")
    set_node(world, "Unknown")
    assert not is_ready(world)
    world.advance(5)
    set_node(world, "True")
    assert is_ready(world)
    told = conditions.find(world.get(Pod, "default", "p").status.conditions, "Ready")
    assert told is not None
    assert told.last_transition_time == world.now


@pytest.mark.parametrize(
    "containers",
    [pytest.param({"ContainersReady": "False"}, id="its containers are not"), pytest.param({}, id="nobody has said")],
)
def test_a_pod_not_ready_by_its_own_containers_stays_so(containers: dict[str, str]) -> None:
    world = a_node_with(pod("p", node="n1"))
    report(world, **containers, Ready="False")
    set_node(world, "Unknown")
    set_node(world, "True")
    assert not is_ready(world)


def test_a_pod_whose_containers_failed_while_the_node_was_away_stays_not_ready() -> None:
    world = a_node_with(pod("p", node="n1"))
    report(world, ContainersReady="True", Ready="True")
    set_node(world, "Unknown")
    report(world, ContainersReady="False", Ready="False")
    set_node(world, "True")
    assert not is_ready(world)


@pytest.mark.parametrize(("gate", "after"), [pytest.param("True", True, id="open"), pytest.param("False", False)])
def test_a_readiness_gate_counts_as_the_containers_do(gate: str, after: bool) -> None:
    gated = pod("p", node="n1")
    gated = structs.replace(gated, spec=structs.replace(gated.spec, readiness_gates=(PodReadinessGate("gate"),)))
    world = a_node_with(gated)
    report(world, ContainersReady="True", gate=gate, Ready="False")
    set_node(world, "Unknown")
    set_node(world, "True")
    assert is_ready(world) == after


def test_a_report_that_comes_after_the_nodes_return_is_put_right_too() -> None:
    """The link may bring the node's condition and its pods' old words in any order."""
    world = a_node_with(pod("p", node="n1"))
    set_node(world, "True")
    report(world, ContainersReady="True", Ready="False")
    assert is_ready(world)


def test_what_is_right_is_left_alone() -> None:
    world = a_node_with(pod("p", node="n1"), pod("q", node="n1"))
    report(world, "p", ContainersReady="True", Ready="True")
    report(world, "q", ContainersReady="False", Ready="False")
    commits = world.commits
    assert nodelifecycle.reconcile(Ref("Node", "", "n1"), world.cache, world.now).changes == ()
    world.settle()
    assert world.commits == commits
