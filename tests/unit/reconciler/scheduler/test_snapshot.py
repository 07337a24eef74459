"""The snapshot kept up to date, the queue, and decisions that follow."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.scheduler.decision import Decision
from reconciler.scheduler.explain import explain
from reconciler.scheduler.queue import PendingPods
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.cache import Cache
from reconciler.store.view import Event
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Object, ref_of
from tests.unit.reconciler.controllers.builders import node, pod


def known(object_: Object, uid: str = "") -> Object:
    return structs.replace(object_, metadata=structs.replace(object_.metadata, uid=uid or object_.metadata.name))


def small(name: str, cpu: int) -> Node:
    found = node(name)
    status = structs.replace(found.status, allocatable={"cpu": str(cpu), "memory": "8Gi", "pods": "110"})
    return structs.replace(found, status=status)


def figures(snapshot: Snapshot) -> object:
    return {
        name: (
            (info.allocatable, info.free_cpu, info.free_memory, info.free_pods, info.scored_cpu, info.scored_memory),
            ({key: amount for key, amount in info.requested.items() if amount}, info.ports, info.priorities),
            set(info.pods),
        )
        for name, info in snapshot.nodes.items()
    }


NODES, PODS = st.sampled_from(["n1", "n2", "n3"]), st.sampled_from([f"p{number}" for number in range(5)])
EDITS = st.one_of(
    st.tuples(st.just("node"), NODES, st.integers(1, 4)),
    st.tuples(st.just("drop node"), NODES, st.just(0)),
    st.tuples(st.just("pod"), PODS, st.integers(0, 11)),
    st.tuples(st.just("drop pod"), PODS, st.just(0)),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(EDITS, max_size=30))
def test_a_snapshot_kept_up_to_date_equals_one_made_anew(edits: list[tuple[str, str, int]]) -> None:
    cache, pending = Cache(1), PendingPods(Snapshot())
    cache.subscribe(pending.take_in)
    for revision, (what, name, number) in enumerate(edits, 2):
        made: Object = known(small(name, number)) if "node" in what else known(_pod(name, number))
        cache.push(revision, [(ref_of(made), None if "drop" in what else made)], 1, 0)
    anew = Snapshot([*cache.list(Node), *cache.list(Pod)])
    assert figures(pending.snapshot) == figures(anew)


def _pod(name: str, number: int) -> Pod:
    found = pod(name, node=["", "n1", "n2", "n3"][number % 4], requests={"cpu": f"{number * 100}m"})
    return structs.replace(found, status=structs.replace(found.status, phase="Failed" if number > 9 else "Running"))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=0, max_size=4),
    asked=st.lists(st.integers(1, 3000), max_size=12),
)
def test_no_node_is_over_committed_and_no_pod_is_refused_that_fits(sizes: list[int], asked: list[int]) -> None:
    snapshot = Snapshot(known(small(f"n{index}", size)) for index, size in enumerate(sizes))
    pods = [known(pod(f"p{index}", requests={"cpu": f"{cpu}m"})) for index, cpu in enumerate(asked)]
    for one in pods:
        assert isinstance(one, Pod)
        fits = any(verdict.feasible for verdict in explain(one, snapshot).nodes.values())
        (outcome,) = schedule((one,), snapshot)
        assert bool(outcome.node) == fits
    for info in snapshot.nodes.values():
        assert info.free_cpu >= 0


def test_equal_nodes_are_taken_by_name_and_pods_spread() -> None:
    snapshot = Snapshot(known(node(name)) for name in ("b", "a", "c"))
    pods = [known(pod(f"p{number}")) for number in range(3)]
    outcomes = schedule([one for one in pods if isinstance(one, Pod)], snapshot)
    assert outcomes == [Decision("a"), Decision("b"), Decision("c")]


def test_where_there_are_no_nodes_the_pod_is_told_so() -> None:
    assert schedule((pod("p"),), Snapshot()) == [
        Decision(reason="Unschedulable", message="no nodes available to schedule pods")
    ]


def test_a_pod_that_rests_is_woken_only_by_what_would_help() -> None:
    pending = PendingPods(Snapshot())
    big, full = known(pod("big", requests={"cpu": "3"})), known(small("n1", 2))
    assert isinstance(big, Pod)
    pending.take_in([Event(1, None, full), Event(2, None, big)])
    assert pending.take() == ref_of(big)
    pending.rest(big)

    reported = structs.replace(big, status=structs.replace(big.status, message="no matter"))
    pending.take_in([Event(3, big, reported), Event(4, full, known(small("n1", 1)))])
    assert pending.take() is None
    pending.take_in([Event(5, full, known(small("n1", 4)))])
    assert pending.take() == ref_of(big)


def test_pods_come_by_priority_and_then_by_age() -> None:
    pending = PendingPods(Snapshot())
    for name, priority in (("low", 1), ("high", 10), ("plain", None)):
        pending.take_in([Event(1, None, known(pod(name, priority=priority)))])
    order = [taken.name for taken in iter(pending.take, None)]
    assert order == ["high", "low", "plain"]
