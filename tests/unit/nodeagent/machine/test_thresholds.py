"""When a node is short of something, and when it acts on it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.machine.thresholds import (
    CONDITIONS,
    MEMORY,
    NODEFS,
    PIDS,
    Amount,
    Observation,
    Standing,
    Threshold,
    assess,
    due,
    hard_amount,
    is_met,
    parse,
)

MIB = 1024**2
HARD = Threshold(MEMORY, Amount(fixed=100 * MIB))
SOFT = Threshold(MEMORY, Amount(fixed=300 * MIB), grace=90.0)


def memory(available: int) -> dict[str, Observation]:
    return {MEMORY: Observation(available * MIB, 1000 * MIB)}


def test_the_defaults_are_those_of_kubernetes() -> None:
    found = {one.signal: one for one in parse({}, {}, {}, {})}
    assert set(found) == set(CONDITIONS)
    assert found[MEMORY].amount == Amount(fixed=100 * MIB)
    assert found[NODEFS].amount == Amount(share=0.1)


def test_a_threshold_of_nothing_is_none() -> None:
    assert all(one.signal != PIDS for one in parse({PIDS: "0"}, {}, {}, {}))
    assert all(one.signal != NODEFS for one in parse({NODEFS: "0%"}, {}, {}, {}))


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        pytest.param(({"memory": "1Gi"}, {}, {}), "evictionHard: unknown signal 'memory'", id="no such signal"),
        pytest.param(({MEMORY: "much"}, {}, {}), "evictionHard.memory.available: expected a quantity", id="no amount"),
        pytest.param(({MEMORY: "100%"}, {}, {}), "evictionHard.memory.available: expected", id="all of it"),
        pytest.param(({}, {MEMORY: "1Gi"}, {}), "evictionSoft.memory.available: name its grace", id="soft, no grace"),
        pytest.param(
            ({}, {MEMORY: "1Gi"}, {MEMORY: "long"}),
            "evictionSoftGracePeriod.memory.available: expected a duration",
            id="no duration",
        ),
    ],
)
def test_what_cannot_be_a_threshold_is_told_by_its_field(
    given_: tuple[dict[str, str], dict[str, str], dict[str, str]], complaint: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
        parse(*given_, {})


def test_a_hard_threshold_is_acted_on_at_once_and_a_soft_one_after_its_grace() -> None:
    standing = assess((HARD, SOFT), memory(200), Standing(), 1000.0, 300.0)
    assert standing.conditions == {"MemoryPressure"}
    assert due(standing, 1000.0) is None
    later = assess((HARD, SOFT), memory(200), standing, 1090.0, 300.0)
    assert due(later, 1090.0) == SOFT
    worse = assess((HARD, SOFT), memory(50), later, 1091.0, 300.0)
    assert due(worse, 1091.0) == HARD


def test_a_soft_threshold_that_was_not_met_for_a_moment_begins_anew() -> None:
    standing = assess((SOFT,), memory(200), Standing(), 0.0, 300.0)
    standing = assess((SOFT,), memory(400), standing, 80.0, 300.0)
    standing = assess((SOFT,), memory(200), standing, 85.0, 300.0)
    assert due(standing, 95.0) is None
    assert due(standing, 175.0) == SOFT


def test_a_condition_outlasts_its_threshold_by_the_transition_period() -> None:
    standing = assess((HARD,), memory(50), Standing(), 0.0, 300.0)
    standing = assess((HARD,), memory(500), standing, 299.0, 300.0)
    assert standing.conditions == {"MemoryPressure"}
    assert due(standing, 299.0) is None
    assert assess((HARD,), memory(500), standing, 300.0, 300.0).conditions == frozenset()


def test_what_is_to_be_reclaimed_counts_once_the_threshold_was_met() -> None:
    threshold = Threshold(MEMORY, Amount(fixed=100 * MIB), None, Amount(fixed=50 * MIB))
    assert due(assess((threshold,), memory(120), Standing(), 0.0, 300.0), 0.0) is None
    met = assess((threshold,), memory(90), Standing(), 0.0, 300.0)
    assert due(assess((threshold,), memory(120), met, 10.0, 300.0), 10.0) == threshold
    assert due(assess((threshold,), memory(150), met, 10.0, 300.0), 10.0) is None


def test_memory_is_seen_to_before_disk() -> None:
    disk = Threshold(NODEFS, Amount(share=0.1))
    both = {**memory(50), NODEFS: Observation(1, 100)}
    assert due(assess((disk, HARD), both, Standing(), 0.0, 300.0), 0.0) == HARD


def test_what_cannot_be_observed_is_never_short() -> None:
    assert not is_met(HARD, {})


def test_the_largest_hard_amount_is_never_allocatable() -> None:
    assert hard_amount((HARD, SOFT), MEMORY, 1000 * MIB) == 100 * MIB
    assert hard_amount((Threshold(NODEFS, Amount(share=0.1)),), NODEFS, 1000) == 100
    assert hard_amount((), NODEFS, 1000) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_whatever_happens_a_hard_threshold_is_due_exactly_while_it_is_met(looks: list[int]) -> None:
    standing = Standing()
    for number, available in enumerate(looks):
        now = number * 10.0
        standing = assess((HARD,), memory(available), standing, now, 300.0)
        assert (due(standing, now) is not None) == (available < 100)
        assert not (available < 100 and not standing.conditions)
