"""What lost nodes do to pods: zones, rates, tolerations and `wherry.dev/on-node-loss`.

Sources: https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction and
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions.
"""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import daemonset, statefulset
from reconciler.controllers.nodelifecycle import nodelifecycle
from reconciler.controllers.nodezones import is_broken, nodezones
from reconciler.controllers.podgc import podgc
from reconciler.controllers.silence import Silence
from reconciler.store.changes import Conflict, Update, UpdateStatus
from schemas.core.affinity import Toleration
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition, Taint
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of
from tests.unit.reconciler.controllers.builders import node, pod
from tests.unit.reconciler.controllers.setbuilders import converge, daemon_set
from tests.unit.reconciler.controllers.world import START, World, make_ready

ZONE = "topology.kubernetes.io/zone"


def a_world(zones: Sequence[str], *, every: float = 10.0, silence: Silence | None = None) -> World:
    """Nodes `n0`, `n1`, … of these zones, with a pod on each."""
    silences = None if silence is None else (lambda _: silence)
    world = World((nodelifecycle(silences), nodezones(every), podgc(silences)))
    for number, zone in enumerate(zones):
        one = node(f"n{number}")
        labels = one.metadata.labels | ({ZONE: zone} if zone else {})
        world.create(structs.replace(one, metadata=structs.replace(one.metadata, labels=labels)))
        world.create(pod(f"p{number}", node=f"n{number}"))
    make_ready(world, world.pods())
    world.settle()
    return world


def lose(world: World, *numbers: int, value: str = "Unknown") -> None:
    """All at once."""
    changes = []
    for number in numbers:
        found = world.get(Node, "", f"n{number}")
        told = (NodeCondition(value, "Ready", last_transition_time=world.now),)
        changes.append(UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))))
    world.apply(changes)
    world.settle()


def evicting(world: World) -> set[int]:
    """Nodes whose pods are on their way out."""
    return {
        int(one.metadata.name[1:])
        for one in world.cache.list(Node)
        if any(taint.effect == "NoExecute" for taint in one.spec.taints)
    }


def going(world: World) -> list[str]:
    return [one.metadata.name for one in world.pods() if one.metadata.deletion_timestamp is not None]


@pytest.mark.parametrize(
    ("ready", "lost", "broken"),
    [
        pytest.param(1, 1, False, id="half of two"),
        pytest.param(1, 2, False, id="two of three are no more than two"),
        pytest.param(0, 2, False, id="all of two"),
        pytest.param(0, 3, True, id="all of three"),
        pytest.param(3, 3, False, id="half of six"),
        pytest.param(9, 11, True, id="55 of 100"),
        pytest.param(10, 12, False, id="a little less"),
    ],
)
def test_a_zone_is_broken_when_most_of_it_is_lost(ready: int, lost: int, broken: bool) -> None:
    members = [node(f"r{number}") for number in range(ready)]
    members += [node(f"l{number}", ready="Unknown") for number in range(lost)]
    assert is_broken(members) == broken


def test_the_nodes_of_a_zone_evict_one_after_the_other_those_lost_longest_first() -> None:
    world = a_world(["a"] * 6)
    lose(world, 3)
    world.advance(1)
    lose(world, 1, 2)
    assert evicting(world) == {3}
    world.advance(8)
    assert evicting(world) == {3}
    world.advance(1)
    assert evicting(world) == {1, 3}
    world.advance(10)
    assert evicting(world) == {1, 2, 3}


def test_zones_do_not_wait_for_each_other() -> None:
    world = a_world(["a", "a", "b", "b", ""])
    lose(world, 0, 2)
    assert evicting(world) == {0, 2}


def test_a_broken_zone_moves_no_pod_and_what_had_begun_is_called_off() -> None:
    world = a_world(["a"] * 4 + ["b"])
    lose(world, 0)
    assert evicting(world) == {0}
    world.advance(5)
    lose(world, 1, 2, 3)
    assert evicting(world) == set()
    world.advance(3600)
    assert going(world) == []
    assert "EvictionsHalted" in {one.reason for one in world.cache.list(Event)}


def test_what_is_still_lost_when_a_zone_comes_back_is_evicted_then() -> None:
    world = a_world(["a"] * 6)
    lose(world, 0, 1, 2, 3)
    world.advance(3600)
    lose(world, 1, 2, 3, value="True")
    assert evicting(world) == {0}
    world.advance(31)
    assert going(world) == ["p0"]


def test_a_fleet_that_is_lost_as_a_whole_moves_no_pod() -> None:
    world = a_world(["a", "b"])
    lose(world, 0, 1)
    world.advance(3600)
    assert (evicting(world), going(world)) == (set(), [])


def test_nodes_that_are_not_ready_count_as_lost() -> None:
    world = a_world(["a"] * 4 + ["b"])
    lose(world, 0, 1, value="False")
    lose(world, 2, 3)
    assert evicting(world) == set()


@settings(max_examples=40, deadline=None)
@given(
    zones=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=7),
    history=st.lists(st.tuples(st.sampled_from(["Unknown", "False", "True", "wait", "restart"]), st.integers(0, 6))),
)
def test_any_history_ends_with_the_taints_that_the_state_asks_for(
    zones: list[str], history: list[tuple[str, int]]
) -> None:
    world = a_world(zones)
    for action, number in history:
        if action == "wait":
            world.advance(number * 4)
        elif action == "restart":
            world.restart(world.cache.list(Node))
            world.settle()
        else:
            lose(world, number % len(zones), value=action)
    world.advance(3600)
    nodes = world.cache.list(Node)
    is_dark = not any(one.status.conditions[0].status == "True" for one in nodes)
    for one in nodes:
        zone = [other for other in nodes if other.metadata.labels.get(ZONE) == one.metadata.labels.get(ZONE)]
        lost = one.status.conditions[0].status != "True"
        executing = [taint for taint in one.spec.taints if taint.effect == "NoExecute"]
        assert len(executing) == (lost and not is_dark and not is_broken(zone)), one.metadata.name
    commits = world.commits
    world.restart([*nodes, *world.pods()])
    world.settle()
    assert world.commits == commits


@pytest.mark.parametrize("effect", ["NoSchedule", "PreferNoSchedule"])
def test_only_taints_that_evict_are_given_a_time(effect: str) -> None:
    world = a_world([""])
    taint(world, Taint(effect=effect, key="mine"))
    assert world.get(Node, "", "n0").spec.taints[0].time_added is None


def taint(world: World, *taints: Taint) -> None:
    found = world.get(Node, "", "n0")
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, taints=taints))),))
    world.settle()


def tolerating(seconds: int | None, key: str = "mine") -> World:
    world = a_world([])
    world.create(node("n0"), node("n1"))
    world.create(pod("p0", node="n0", tolerations=(Toleration("NoExecute", key, "Exists", seconds),)))
    world.settle()
    return world


@pytest.mark.parametrize(
    ("seconds", "gone_after"),
    [
        pytest.param(60, 60, id="for a while"),
        pytest.param(0, 0, id="not at all"),
        pytest.param(None, None, id="for good"),
    ],
)
def test_the_time_of_a_taint_that_a_person_sets_is_when_it_was_set(seconds: int | None, gone_after: int | None) -> None:
    world = tolerating(seconds)
    world.advance(1000)
    taint(world, Taint(effect="NoExecute", key="mine"))
    assert world.get(Node, "", "n0").spec.taints[0].time_added == START + timedelta(seconds=1000)
    if gone_after:
        world.advance(gone_after - 1)
        world.restart([world.get(Node, "", "n0")])
        world.settle()
        assert going(world) == []
    world.advance(1 if gone_after is not None else 10_000)
    assert (going(world) == ["p0"]) == (gone_after is not None)


def test_a_time_that_somebody_gives_counts() -> None:
    world = tolerating(60)
    taint(world, Taint(effect="NoExecute", key="mine", time_added=START - timedelta(seconds=50)))
    world.advance(9)
    assert going(world) == []
    world.advance(1)
    assert going(world) == ["p0"]


def on_loss(what: str) -> Pod:
    made = pod("p0", node="n0")
    annotations = {"wherry.dev/on-node-loss": what, "wherry.dev/lease-seconds": "10"}
    return structs.replace(made, metadata=structs.replace(made.metadata, annotations=annotations))


def lost_with(what: str, silence: Silence | None = None) -> World:
    world = a_world([], silence=silence)
    world.create(node("n0"), node("n1"), on_loss(what))
    make_ready(world, world.pods())
    world.settle()
    lose(world, 0)
    world.advance(60)
    return world


def test_a_pod_that_stays_waits_for_its_node_and_goes_for_other_taints() -> None:
    world = lost_with("stay")
    world.advance(86_400)
    assert going(world) == []
    taint(world, *world.get(Node, "", "n0").spec.taints, Taint(effect="NoExecute", key="mine"))
    assert going(world) == ["p0"]


def test_a_pod_that_moves_is_evicted_and_stays_until_its_node_confirms_that_it_has_ended() -> None:
    world = lost_with("move", Silence(9999, 9999))
    world.advance(86_400)
    assert going(world) == ["p0"]


@pytest.mark.parametrize(
    ("silence", "is_there"),
    [
        pytest.param(None, True, id="nobody knows"),
        pytest.param(Silence(44, 44), True, id="lease, grace and margin are not over"),
        pytest.param(Silence(46, 30), True, id="over by the clock, and not proven"),
        pytest.param(Silence(46, 45), False, id="proven"),
    ],
)
def test_a_fenced_pod_goes_when_its_node_has_been_silent_for_long_enough(
    silence: Silence | None, is_there: bool
) -> None:
    """A lease of 10 s, the usual grace of 30 s, and the margin of 5 s."""
    assert bool(lost_with("fence", silence).pods()) == is_there


def test_a_fenced_pod_on_a_node_that_speaks_is_evicted_like_any_other() -> None:
    world = a_world([], silence=Silence(9999, 9999))
    world.create(node("n0"), node("n1"), on_loss("fence"))
    lose(world, 0, value="False")
    world.advance(60)
    assert going(world) == ["p0"]


def test_a_fenced_pod_that_was_to_end_anyway_needs_no_toleration_to_run_out() -> None:
    world = a_world([], silence=Silence(9999, 9999))
    world.create(node("n0"), node("n1"), on_loss("fence"))
    world.delete(Ref("Pod", "default", "p0"))
    lose(world, 0)
    assert world.pods() == ()


def test_what_was_decided_of_a_silent_node_is_not_done_once_it_speaks() -> None:
    world = a_world([])
    world.create(node("n0"), node("n1"), on_loss("fence"))
    taken = Toleration("NoExecute", "node.kubernetes.io/unreachable", "Exists", 0)
    found = world.get(Pod, "default", "p0")
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, tolerations=(taken,)))),))
    lose(world, 0)
    late = nodelifecycle(lambda _: Silence(9999, 9999)).reconcile(Ref("Node", "", "n0"), world.cache, world.now)
    assert late.changes
    lose(world, 0, value="True")
    with pytest.raises(Conflict):
        world.apply(late.changes)
    assert len(world.pods()) == 1


def test_a_machine_that_is_said_to_be_off_frees_its_pods() -> None:
    """https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown"""
    world = lost_with("move")
    assert going(world) == ["p0"]
    off = Taint(effect="NoExecute", key="node.kubernetes.io/out-of-service", value="nodeshutdown")
    taint(world, *world.get(Node, "", "n0").spec.taints, off)
    assert world.pods() == ()


def test_pods_of_a_daemon_set_stay_whatever_becomes_of_the_node() -> None:
    world = World((daemonset.CONTROLLER, statefulset.CONTROLLER, nodelifecycle(), nodezones(), podgc()))
    world.create(node("n0"), node("n1"), daemon_set())
    converge(world)
    lose(world, 0)
    world.advance(86_400)
    assert going(world) == []
    world.delete(ref_of(world.get(Node, "", "n0")))
    world.settle()
    assert len(world.pods()) == 1
