"""What every node bears for tools, and when it counts as registered."""

from reconciler.controllers import nodelease, nodelifecycle, nodettl
from schemas.coordination import Lease
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, NodeSpec, NodeStatus, Taint
from schemas.meta import ObjectMeta
from tests.unit.reconciler.controllers.world import World

CONTROLLERS = (nodelease.CONTROLLER, nodelifecycle.CONTROLLER, nodettl.CONTROLLER)
NOT_READY = Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule")
READY = NodeCondition(type="Ready", status="True")


def test_one_that_only_a_client_knows_of_is_not_registered_and_stays_tainted() -> None:
    world = World(CONTROLLERS)
    world.create(Node(metadata=ObjectMeta(name="ghost"), spec=NodeSpec(taints=(NOT_READY,))))
    world.settle()
    node = world.get(Node, "", "ghost")
    assert node.metadata.annotations == {"node.alpha.kubernetes.io/ttl": "0"}
    assert node.spec.taints == (NOT_READY,)
    assert (world.cache.list(Event), world.cache.list(Lease)) == ((), ())


def test_one_that_its_agent_has_told_of_is_registered_once() -> None:
    world = World(CONTROLLERS)
    world.create(Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(conditions=(READY,))))
    world.settle()
    before = world.commits
    world.advance(600)
    assert world.commits == before
    (told,) = world.cache.list(Event)
    assert (told.reason, told.message) == ("RegisteredNode", "Node n1 event: Registered Node n1 in Controller")
    assert [one.metadata.name for one in world.cache.list(Lease)] == ["n1"]
