"""https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.controllers.jobindexes import Indexes, parse

INDEXES = st.frozensets(st.integers(0, 60))


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        pytest.param((), "", id="none"),
        pytest.param((4,), "4", id="one"),
        pytest.param((0, 1), "0,1", id="two in a row are not compressed"),
        pytest.param((1, 3, 4, 5, 7), "1,3-5,7", id="three in a row are"),
    ],
)
def test_sets_of_indexes_are_written_as_kubernetes_does(indexes: tuple[int, ...], text: str) -> None:
    assert str(Indexes().with_(indexes)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1,3-9", "1,3-5", id="cut off by fewer completions"),
        pytest.param("a,2,-", "2", id="what is no index is left out"),
        pytest.param("5,1", "1,5", id="in any order"),
    ],
)
def test_a_text_is_read_as_far_as_it_makes_sense(text: str, expected: str) -> None:
    assert str(parse(text, 6)) == expected


@given(INDEXES, INDEXES)
def test_they_behave_as_sets(one: frozenset[int], other: frozenset[int]) -> None:
    mine, others = Indexes().with_(one), Indexes().with_(other)
    assert {index for index in range(70) if index in mine} == one
    assert len(mine) == len(one)
    assert parse(str(mine), 70) == mine
    assert (mine | others) == Indexes().with_(one | other)
    assert (mine & others) == Indexes().with_(one & other)
    assert set(mine.missing(61)) == set(range(61)) - one
