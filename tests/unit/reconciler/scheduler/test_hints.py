"""Which refused pods a change wakes: the table of KEP-4247's hints, and the back-off between two looks."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from reconciler.scheduler.queue import FIRST_BACK_OFF, LONGEST_BACK_OFF, PendingPods
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.view import Event
from schemas.core.affinity import Affinity, PodAffinity, PodAffinityTerm, Toleration
from schemas.core.container import ContainerPort
from schemas.core.node import Node, Taint
from schemas.core.pod import Pod, PodSchedulingGate
from schemas.core.podstatus import ContainerStatus
from schemas.meta import LabelSelector, Object, ref_of
from tests.unit.reconciler.controllers.builders import node, pod

_HOSTNAME = "kubernetes.io/hostname"


def _known(object_: Object) -> Object:
    metadata = structs.replace(object_.metadata, uid=object_.metadata.name)
    return structs.replace(object_, metadata=metadata)


def _node(name: str, cpu: int = 2, **labels: str) -> Node:
    made = node(name)
    status = structs.replace(made.status, allocatable={"cpu": str(cpu), "memory": "8Gi", "pods": "10"})
    labelled = structs.replace(made.metadata, uid=name, labels={_HOSTNAME: name, **labels})
    return structs.replace(made, metadata=labelled, status=status)


def _pod(name: str, **asked: object) -> Pod:
    made = _known(pod(name, labels={"app": name}))
    assert isinstance(made, Pod)
    return structs.replace(made, spec=structs.replace(made.spec, **asked))


def _big(name: str = "p", node_name: str = "") -> Pod:
    made = _known(pod(name, requests={"cpu": "2"}, node=node_name))
    assert isinstance(made, Pod)
    return made


def _near(name: str) -> Affinity:
    term = PodAffinityTerm(topology_key=_HOSTNAME, label_selector=LabelSelector(match_labels={"app": name}))
    return Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=(term,)))


def _on_port(name: str, node_name: str = "") -> Pod:
    made = _pod(name)
    port = ContainerPort(container_port=80, host_port=80)
    container = structs.replace(made.spec.containers[0], ports=(port,))
    return structs.replace(made, spec=structs.replace(made.spec, containers=(container,), node_name=node_name))


def _tainted(one: Node) -> Node:
    return structs.replace(one, spec=structs.replace(one.spec, taints=(Taint(effect="NoSchedule", key="k"),)))


def _cordoned(one: Node) -> Node:
    return structs.replace(one, spec=structs.replace(one.spec, unschedulable=True))


def _bound(one: Pod, node_name: str) -> Pod:
    return structs.replace(one, spec=structs.replace(one.spec, node_name=node_name))


def _gated(one: Pod) -> Pod:
    return structs.replace(one, spec=structs.replace(one.spec, scheduling_gates=(PodSchedulingGate(name="g"),)))


def _ready(one: Pod) -> Pod:
    running = ContainerStatus(image="i", image_id="", name="c", ready=True, restart_count=0)
    return structs.replace(one, status=structs.replace(one.status, phase="Running", container_statuses=(running,)))


def _waiting(asked: Pod, *there: Object) -> PendingPods:
    """A queue in which the pod was looked at in vain."""
    pending = PendingPods(Snapshot())
    pending.take_in([Event(number, None, one) for number, one in enumerate((*there, asked), 1)])
    while (ref := pending.take(0.0)) is not None:
        assert ref == ref_of(asked)
        (decision,) = schedule((asked,), pending.snapshot)
        assert not decision.node
        pending.rest(asked, decision, 0.0)
    return pending


_N1 = _node("n1")
_FULL = _big("full", "n1")
_OTHER = _pod("other")
_SMALL = _bound(_pod("small"), "n1")


@pytest.mark.parametrize(
    ("asked", "there", "old", "new", "wakes"),
    [
        pytest.param(_big(), (_N1, _FULL), _FULL, None, True, id="a pod that goes makes room"),
        pytest.param(_big(), (_N1, _FULL), _FULL, _ready(_FULL), False, id="a pod that runs makes none"),
        pytest.param(_big(), (_N1, _FULL, _SMALL), _SMALL, None, False, id="too little room is made"),
        pytest.param(_big(), (_node("n1", 1),), _node("n1", 1), _node("n1", 4), True, id="a node grows"),
        pytest.param(_big(), (_node("n1", 1),), _node("n1", 1), _node("n1", 1, x="y"), False, id="a label is no room"),
        pytest.param(_pod("p"), (_tainted(_N1),), _tainted(_N1), _N1, True, id="a taint goes"),
        pytest.param(_pod("p"), (_tainted(_N1), _SMALL), _SMALL, None, False, id="room where a taint keeps off"),
        pytest.param(_pod("p"), (_cordoned(_N1),), _cordoned(_N1), _N1, True, id="a node is let in again"),
        pytest.param(
            _pod("p", node_selector={"disk": "ssd"}), (_N1,), _N1, _node("n1", disk="ssd"), True, id="a label comes"
        ),
        pytest.param(
            _pod("p", node_selector={"disk": "ssd"}), (_N1,), _N1, _node("n1", disk="hdd"), False, id="another one"
        ),
        pytest.param(
            _on_port("p"), (_N1, _on_port("q", "n1")), _on_port("q", "n1"), None, True, id="a port of the host is free"
        ),
        pytest.param(
            _pod("p", affinity=_near("other")), (_N1, _OTHER), _OTHER, _bound(_OTHER, "n1"), True, id="company comes"
        ),
        pytest.param(
            _pod("p", affinity=_near("nobody")), (_N1, _OTHER), _OTHER, _bound(_OTHER, "n1"), False, id="not that one"
        ),
        pytest.param(_big(), (_N1, _FULL), None, _node("n2", 1), True, id="a node more is counted"),
        pytest.param(_big(), (_N1, _FULL), _N1, None, True, id="a node less is counted"),
        pytest.param(_gated(_pod("p")), (_N1, _FULL), _FULL, None, False, id="room is no key to a gate"),
        pytest.param(_gated(_pod("p")), (_N1,), _gated(_pod("p")), _pod("p"), True, id="the gate is taken away"),
        pytest.param(
            _pod("p"),
            (_tainted(_N1),),
            _pod("p"),
            _pod("p", tolerations=(Toleration(key="k", operator="Exists"),)),
            True,
            id="the pod itself asks otherwise",
        ),
    ],
)
def test_a_pod_is_woken_by_what_concerns_the_filter_that_refused_it(
    asked: Pod, there: tuple[Object, ...], old: Object | None, new: Object | None, wakes: bool
) -> None:
    others = [one for one in there if one is not _OTHER]
    pending = _waiting(asked, *others)
    pending.take_in([Event(9, old, new)], 0.0)
    assert (pending.take(0.0) == ref_of(asked)) == wakes


def test_a_pod_looked_at_in_vain_again_and_again_waits_ever_longer() -> None:
    asked, roomy, full = _big(), _node("n1", 4), _big("full", "n1")
    pending, now, pauses = _waiting(asked, _N1, full), 0.0, []
    for _ in range(12):
        pending.take_in([Event(1, _N1, roomy)], now)
        due = pending.due
        if due is not None:
            assert pending.take(due - 0.01) is None
        pauses.append((due or now) - now)
        now = due or now
        assert pending.take(now) == ref_of(asked)
        pending.take_in([Event(1, roomy, _N1)], now)
        pending.rest(asked, schedule((asked,), pending.snapshot)[0], now)
    assert pauses[:4] == [0.0, FIRST_BACK_OFF, 2 * FIRST_BACK_OFF, 4 * FIRST_BACK_OFF]
    assert pauses[-1] == LONGEST_BACK_OFF


def test_a_pod_that_is_deleted_while_it_waits_is_forgotten() -> None:
    asked = _big()
    pending = _waiting(asked, _N1, _FULL)
    pending.take_in([Event(1, asked, None), Event(2, _FULL, None)], 0.0)
    assert pending.take() is None
    assert pending.resting == 0


def test_the_end_of_a_more_important_pod_wakes_one_that_could_now_preempt() -> None:
    """Two pods fill the node; the one that waits may make the lesser go, once the greater has gone by itself."""
    asked = structs.replace(_big(), spec=structs.replace(_big().spec, priority=5))
    great = structs.replace(_bound(_pod("great"), "n1"), spec=structs.replace(_big("x", "n1").spec, priority=9))
    less = _big("less", "n1")
    pending = _waiting(asked, _node("n1", 3), _cpu(great, "2"), _cpu(less, "1"))
    pending.take_in([Event(1, _cpu(great, "2"), None)], 0.0)
    assert pending.take(0.0) == ref_of(asked)


def test_a_change_that_helps_nobody_asks_no_other_node() -> None:
    """A pod that every node refuses for itself is still refused by those that have not changed."""
    asked = _big()
    pending = _waiting(asked, _N1, _FULL, _node("n2", 0))
    pending.snapshot.standings.clear()
    pending.take_in([Event(1, _node("n2", 0), _node("n2", 1))], 0.0)
    assert (pending.take(0.0), pending.resting) == (None, 1)
    assert not pending.snapshot.standings
    pending.take_in([Event(2, _node("n2", 1), _node("n2", 8))], 0.0)
    assert pending.take(0.0) == ref_of(asked)


def test_a_pod_that_was_not_bound_after_all_leaves_its_room_to_those_that_wait() -> None:
    asked, small = _big(), _node("n2", 1)
    pending = _waiting(asked, _N1, _FULL, small)
    pending.snapshot.drop(_FULL)
    pending.freed("n1")
    pending.take_in([Event(1, small, small)], 0.0)
    assert pending.take(0.0) == ref_of(asked)


def test_who_is_helped_is_looked_for_in_small_steps() -> None:
    pending = _waiting(_big(), _N1, _FULL)
    for number in range(5):
        other = _big(f"other-{number}")
        pending.take_in([Event(1, None, other)])
        pending.take()
        pending.rest(other, schedule((other,), pending.snapshot)[0])
    assert sum(1 for _ in pending.taking_in([Event(1, _FULL, None)])) == pending.resting + len(pending) == 6


def _cpu(one: Pod, cpu: str) -> Pod:
    container = one.spec.containers[0]
    asking = structs.replace(container, resources=structs.replace(container.resources, requests={"cpu": cpu}))
    dated = structs.replace(one.status, start_time=datetime(2026, 1, 1, tzinfo=UTC))
    return structs.replace(one, spec=structs.replace(one.spec, containers=(asking,)), status=dated)
