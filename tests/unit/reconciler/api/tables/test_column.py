from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api.tables.column import human_duration, label_selector, labels, since
from schemas.meta import LabelSelector, LabelSelectorRequirement
from tests.unit.reconciler.api.builders import NOW

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE + 5, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (7 * HOUR + 59 * MINUTE, "7h59m"),
        (8 * HOUR + 59 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (7 * DAY + 23 * HOUR, "7d23h"),
        (8 * DAY + HOUR, "8d"),
        (729 * DAY, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + 40 * DAY, "2y40d"),
        (9 * YEAR + 40 * DAY, "9y"),
    ],
)
def test_a_duration_prints_as_kubectl_prints_it(seconds: float, printed: str) -> None:
    assert human_duration(seconds) == printed


@given(st.integers(0, 20 * YEAR))
def test_a_duration_is_never_wider_than_its_column(seconds: int) -> None:
    assert len(human_duration(seconds)) <= 6


def test_what_never_happened_has_no_age() -> None:
    assert since(None, NOW) == "<unknown>"
    assert since(NOW - timedelta(seconds=5), NOW) == "5s"


def test_labels_are_sorted_and_none_is_said() -> None:
    assert labels({"b": "2", "a": "1"}) == "a=1,b=2"
    assert labels({}) == "<none>"


def test_a_selector_prints_in_the_notation_of_kubectl() -> None:
    selector = LabelSelector(
        match_labels={"b": "2"},
        match_expressions=(
            LabelSelectorRequirement("a", "In", ("y", "x")),
            LabelSelectorRequirement("c", "NotIn", ("z",)),
            LabelSelectorRequirement("d", "Exists"),
            LabelSelectorRequirement("e", "DoesNotExist"),
        ),
    )
    assert label_selector(selector) == "a in (x,y),b=2,c notin (z),d,!e"
    assert label_selector(None) == label_selector(LabelSelector()) == "<none>"
