from msgspec import structs

from reconciler.admission import AdmissionSettings, completion
from reconciler.controllers import nodelifecycle
from schemas.core.node import Node, Taint
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.world import World

MINE = Taint(effect="NoExecute", key="mine", value="x")
COMPLETE = completion(AdmissionSettings())


def away() -> World:
    """A node that is lost, with a taint of a person."""
    world = World((nodelifecycle.CONTROLLER,))
    world.create(node("n1", ready="Unknown", taints=(MINE,)))
    world.settle()
    return world


def declared(*taints: Taint) -> Node:
    return node("n1", taints=taints)


def test_a_folder_that_declares_taints_takes_none_of_the_clusters_away_and_no_time() -> None:
    world = away()
    live = world.get(Node, "", "n1").spec.taints
    assert [(taint.key, taint.time_added is not None) for taint in live] == [
        ("mine", True),
        ("node.kubernetes.io/unreachable", True),
    ]
    completed = COMPLETE(declared(MINE), world.cache)
    assert isinstance(completed, Node)
    assert completed.spec.taints == live


def test_a_taint_of_another_value_is_new_and_one_that_is_declared_no_more_goes() -> None:
    world = away()
    other = structs.replace(MINE, value="y")
    completed = COMPLETE(declared(other), world.cache)
    assert isinstance(completed, Node)
    assert [(taint.key, taint.value) for taint in completed.spec.taints] == [
        ("mine", "y"),
        ("node.kubernetes.io/unreachable", ""),
    ]
    assert completed.spec.taints[0].time_added is None


def test_a_node_that_is_not_there_is_as_declared() -> None:
    completed = COMPLETE(declared(MINE), World().cache)
    assert isinstance(completed, Node)
    assert completed.spec.taints == (MINE,)
