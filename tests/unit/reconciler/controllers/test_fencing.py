"""A fenced StatefulSet on nodes that are cut off: whatever happens, no ordinal ever runs twice, all run in the end."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.core.node import Node
from schemas.meta import ref_of
from tests.unit.reconciler.controllers.fencedfleet import NODES, Fleet, a_fleet, fleet_runs

NODE = st.sampled_from(NODES)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["cut", "heal", "lost", "back", "ask", "ask in vain", "tell", "start agent"]), NODE),
    st.tuples(st.sampled_from(["deliver", "deliver twice"]), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 3.0, 10.0, 20.0])),
    st.sampled_from(
        [("disconnect",), ("will",), ("connect",), ("restart",), ("work",), ("work",), ("delete",), ("lively",)]
    ),
)


def play(fleet: Fleet, step: tuple[object, ...]) -> None:
    match step:
        case ("cut", str(name)):
            fleet.cut(name)
        case ("heal", str(name)):
            fleet.heal(name)
        case ("lost", str(name)) if not fleet.agents[name].connected:
            fleet.judge(name, "Unknown")
        case ("back", str(name)) if fleet.agents[name].connected:
            fleet.judge(name, "True")
        case ("ask" | "ask in vain" as how, str(name)):
            fleet.ask(name, arrives=how == "ask")
        case ("tell", str(name)):
            fleet.tell(name)
        case ("start agent", str(name)):
            fleet.agents[name].start()
        case ("deliver" | "deliver twice" as how, int(number)):
            fleet.deliver(number, again=how == "deliver twice")
        case ("wait", float(seconds)):
            fleet.pass_time(seconds)
        case ("disconnect",):
            fleet.disconnect()
        case ("will",):
            fleet.notice_disconnected()
        case ("connect",) if not fleet.connected:
            fleet.connect()
        case ("restart",):
            fleet.restart()
        case ("work",):
            fleet.work()
        case ("lively",):
            fleet.is_lively = not fleet.is_lively
        case ("delete",) if fleet.world.pods():
            fleet.world.delete(ref_of(fleet.world.pods()[0]))


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(STEPS, max_size=25), drift=st.sampled_from([0.0, 0.01]))
def test_no_ordinal_ever_runs_twice_and_all_run_in_the_end(steps: list[tuple[object, ...]], drift: float) -> None:
    with a_fleet(drift) as fleet:
        for step in steps:
            play(fleet, step)
            fleet.check()
        fleet.recover()
        assert fleet_runs(fleet) == ["db-0", "db-1"]
        assert not any(pod.metadata.deletion_timestamp for pod in fleet.world.pods())


VICTIM = st.one_of(
    st.sampled_from(["cut", "heal", "lost", "back", "tell", "ask", "ask", "ask in vain"]),
    st.tuples(st.just("deliver"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2.0, 10.0])),
    st.sampled_from([("disconnect",), ("will",), ("connect",)]),
)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(VICTIM, max_size=14))
def test_a_node_that_is_heard_by_halves_never_runs_what_was_replaced(steps: list[str | tuple[object, ...]]) -> None:
    """The other nodes do their duty, so that what is lost is replaced at once."""
    with a_fleet() as fleet:
        fleet.slow = home(fleet)
        for step in steps:
            play(fleet, (step, fleet.slow) if isinstance(step, str) else step)
            fleet.pass_time(0.5)
        fleet.recover()
        assert fleet_runs(fleet) == ["db-0", "db-1"]


def home(fleet: Fleet, name: str = "db-0") -> str:
    return next(pod.spec.node_name for pod in fleet.world.pods() if pod.metadata.name == name)


def test_a_pod_whose_node_is_cut_off_runs_elsewhere_a_lease_and_a_grace_and_a_margin_later() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        fleet.cut(before)
        fleet.judge(before, "Unknown")
        stopped = moved = 0.0
        for seconds in range(1, 60):
            fleet.work()
            fleet.pass_time(1)
            if not fleet.agents[before].alive:
                stopped = stopped or seconds
            if home(fleet) not in ("", before):
                moved = moved or seconds
        assert 4 <= stopped <= 8
        assert 4 + 2 + 5 <= moved <= 4 + 2 + 5 + 3
        assert fleet_runs(fleet) == ["db-0", "db-1"]


def test_a_node_that_is_back_in_time_keeps_its_pod() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        uid = next(pod.metadata.uid for pod in fleet.world.pods() if pod.metadata.name == "db-0")
        fleet.cut(before)
        fleet.judge(before, "Unknown")
        fleet.pass_time(2)
        fleet.heal(before)
        for _ in range(10):
            fleet.work()
            fleet.pass_time(1)
        assert uid in fleet.agents[before].alive


def test_pods_run_on_while_there_is_no_reconciler() -> None:
    with a_fleet() as fleet:
        fleet.disconnect()
        fleet.notice_disconnected()
        for _ in range(60):
            for name in NODES:
                fleet.ask(name)
            fleet.pass_time(1)
            assert fleet_runs(fleet) == ["db-0", "db-1"]


def test_without_a_broker_they_stop() -> None:
    with a_fleet() as fleet:
        for name in NODES:
            fleet.cut(name)
        fleet.pass_time(8)
        assert fleet_runs(fleet) == []


def test_a_pod_of_a_node_that_is_deleted_waits_for_its_lease_too() -> None:
    with a_fleet() as fleet:
        before = home(fleet)
        fleet.cut(before)
        fleet.world.delete(ref_of(fleet.world.get(Node, "", before)))
        fleet.pass_time(8)
        assert home(fleet) == before
        fleet.pass_time(8)
        assert home(fleet) != before


def replaced() -> Iterator[tuple[Fleet, str]]:
    """A fleet where `db-0` runs elsewhere: its first node, which is given, was cut off with an answer under way."""
    with a_fleet() as fleet:
        fleet.slow = home(fleet)
        fleet.ask(fleet.slow)
        fleet.arrive(fleet.asked, fleet.asked[-1])
        fleet.cut(fleet.slow)
        fleet.judge(fleet.slow, "Unknown")
        fleet.pass_time(25)
        assert home(fleet) not in ("", fleet.slow)
        assert fleet_runs(fleet) == ["db-0", "db-1"]
        yield fleet, fleet.slow


def test_a_node_that_is_back_starts_nothing_before_it_has_heard_what_was_replaced() -> None:
    for fleet, name in replaced():
        fleet.heal(name)
        fleet.judge(name, "True")
        fleet.ask(name)
        while fleet.asked or fleet.granted:
            fleet.deliver(0)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive
        fleet.tell(name)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive


def test_word_that_was_asked_for_before_the_cut_and_comes_late_is_no_lease() -> None:
    for fleet, name in replaced():
        fleet.judge(name, "True")
        while fleet.asked or fleet.granted:
            fleet.deliver(0)
        fleet.pass_time(3)
        assert not fleet.agents[name].alive
