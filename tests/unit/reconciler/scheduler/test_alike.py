"""What is asked of nodes that are alike once is what each of them would have answered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.scheduler import localchecks
from reconciler.scheduler.profile import PLAIN
from reconciler.scheduler.snapshot import Snapshot
from tests.oracles.scheduler.chance import KINDS, Chance
from tests.unit.reconciler.scheduler.plugins.asking import asking, node, pod


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 80))
def test_all_at_once_are_answered_as_one_by_one(seed: int, nodes: int, pods: int) -> None:
    chance = Chance(seed, frozenset(KINDS))
    snapshot = Snapshot([*chance.surroundings(), *(chance.node(number) for number in range(nodes))])
    templates = [chance.template() for _ in range(4)]
    for number in range(pods):
        placed = chance.pod(chance.choice(templates), f"p{number}", f"n{number % nodes:02}")
        snapshot.put(placed)
    infos = snapshot.ordered()
    alike = dict(zip(snapshot.states.of(infos), infos, strict=True))
    for template in templates:
        asked = snapshot.class_of(chance.pod(template, "probe"))
        filters = localchecks.filters(asked, snapshot, PLAIN)
        if filters.everywhere is None:
            fit = [info for info in infos if filters.refusal(info) is None]
            assert filters.select(infos, list(alike.values())) == filters.select(infos, infos) == fit
        for one in localchecks.scores(asked, snapshot, PLAIN).plugins:
            each = [one.score(info) for info in infos]
            assert one.column is None or one.column(infos) == each
            assert not one.by_state or each == [one.score(alike[info.state]) for info in infos]


def test_nodes_are_alike_for_as_long_as_as_much_is_taken_on_each() -> None:
    snapshot = Snapshot([node("n1"), node("n2"), node("n3", cpu="8")])
    small = [asking(cpu="1")]

    def states() -> list[int]:
        return snapshot.states.of(snapshot.ordered())

    first = states()
    assert first[0] == first[1] != first[2]
    snapshot.put(pod("a", on="n1", containers=small))
    assert states()[0] not in first
    snapshot.put(pod("b", on="n2", containers=small))
    assert states()[0] == states()[1]
    snapshot.drop(pod("a", on="n1", containers=small))
    snapshot.drop(pod("b", on="n2", containers=small))
    assert states() == first
    snapshot.put(node("n2", taints=[{"key": "dedicated", "effect": "NoSchedule"}]))
    assert states()[0] == first[0] != states()[1]


def test_no_more_states_are_remembered_than_there_could_be_use_for() -> None:
    snapshot = Snapshot([node("n1")])
    seen = set()
    for number in range(3000):
        snapshot.put(node("n1", cpu=str(number + 1)))
        seen.update(snapshot.states.of(snapshot.ordered()))
    assert len(seen) == 3000
    assert snapshot.states.known < 1100
