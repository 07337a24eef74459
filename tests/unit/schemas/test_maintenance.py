"""Windows and when they are open. In Europe/Berlin clocks change on 29 March and 25 October 2026."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.maintenance import Span, open_or_next, parse


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "start", "end"),
    [
        pytest.param("Sat 02:00-04:00", "2026-01-01T00:00", "2026-01-03T02:00", "2026-01-03T04:00", id="next"),
        pytest.param("Sat 02:00-04:00", "2026-01-03T03:00", "2026-01-03T02:00", "2026-01-03T04:00", id="open"),
        pytest.param("Sat 02:00-04:00", "2026-01-03T04:00", "2026-01-10T02:00", "2026-01-10T04:00", id="over"),
        pytest.param("sat 02:00-04:00 UTC", "2026-01-03T03:00", "2026-01-03T02:00", "2026-01-03T04:00", id="any case"),
        pytest.param(
            "Sat 02:00-04:00 Europe/Berlin", "2026-01-01T00:00", "2026-01-03T01:00", "2026-01-03T03:00", id="zone"
        ),
        pytest.param(
            "Sat 02:00-04:00 Europe/Berlin", "2026-07-01T00:00", "2026-07-04T00:00", "2026-07-04T02:00", id="summer"
        ),
        pytest.param("Mon-Fri 22:30-01:00", "2026-01-03T00:30", "2026-01-02T22:30", "2026-01-03T01:00", id="overnight"),
        pytest.param("Mon-Fri 22:30-01:00", "2026-01-03T02:00", "2026-01-05T22:30", "2026-01-06T01:00", id="weekend"),
        pytest.param(
            "Sat-Mon 01:00-02:00", "2026-01-04T12:00", "2026-01-05T01:00", "2026-01-05T02:00", id="week turns"
        ),
        pytest.param("03:00-04:00", "2026-01-01T12:00", "2026-01-02T03:00", "2026-01-02T04:00", id="every day"),
        pytest.param(
            "Sun 01:00-02:00; Sat 01:00-02:00", "2026-01-01T12:00", "2026-01-03T01:00", "2026-01-03T02:00", id="several"
        ),
        pytest.param(
            "Sat 01:00-03:00;Sat 02:00-05:00", "2026-01-01T12:00", "2026-01-03T01:00", "2026-01-03T05:00", id="overlap"
        ),
        pytest.param(
            "Sun 02:00-04:00 Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T02:00", id="hour lost"
        ),
        pytest.param(
            "Sun 02:00-03:00 Europe/Berlin", "2026-03-28T12:00", "2026-04-05T00:00", "2026-04-05T01:00", id="all lost"
        ),
        pytest.param(
            "Sun 02:00-03:00 Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:00", "2026-10-25T02:00", id="hour twice"
        ),
        pytest.param(
            "2026-12-01T02:00:00+01:00/2026-12-01T04:00:00Z",
            "2026-01-01T00:00",
            "2026-12-01T01:00",
            "2026-12-01T04:00",
            id="once",
        ),
    ],
)
def test_the_window_that_is_open_or_comes_next(text: str, now: str, start: str, end: str) -> None:
    assert open_or_next(parse(text), utc(now)) == Span(utc(start), utc(end))


@pytest.mark.parametrize("text", ["", " ; ", "2026-01-01T02:00:00Z/2026-01-01T04:00:00Z"])
def test_there_may_be_no_window_or_none_any_more(text: str) -> None:
    assert open_or_next(parse(text), utc("2026-06-01")) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("always", "expected DAYS HH:MM-HH:MM ZONE", id="no window"),
        pytest.param("Sat 2:00-4:00", "expected DAYS HH:MM-HH:MM ZONE", id="hours"),
        pytest.param("Caturday 02:00-04:00", "expected days such as Mon", id="days"),
        pytest.param("Sat, 02:00-04:00", "expected days such as Mon", id="nothing after a comma"),
        pytest.param("Sat 02:00-24:00", "from 00:00 to 23:59", id="midnight"),
        pytest.param("Sat 02:00-04:00 Europe/Berlim", "unknown time zone 'Europe/Berlim'", id="zone"),
        pytest.param("Sat 02:00-04:00 ../passwd", "expected DAYS", id="no zone at all"),
        pytest.param("2026-12-01T02:00:00/2026-12-01T04:00:00Z", "such as 2026-12-01T02:00:00+01:00", id="no offset"),
        pytest.param("2026-12-01T02:00:00Z/2026-12-01T01:00:00Z", "must be after the first", id="backwards"),
        pytest.param("Sat 02:00-04:00;" * 100, "must not be longer", id="too long"),
    ],
)
def test_what_is_no_window_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("+", r"\+")):
        parse(text)


TIMES = st.times().map(lambda one: f"{one:%H:%M}")
DAYS = st.lists(st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]), min_size=1).map(",".join)
ZONES = st.sampled_from(["", " Europe/Berlin", " America/St_Johns", " Pacific/Apia", " UTC"])


@given(days=DAYS, begins=TIMES, ends=TIMES, zone=ZONES, seconds=st.integers(0, 10 * 365 * 86400))
def test_a_window_is_never_over_and_nothing_is_left_out_on_the_way(
    days: str, begins: str, ends: str, zone: str, seconds: int
) -> None:
    windows = parse(f"{days} {begins}-{ends}{zone}")
    at = utc("2020-01-01") + timedelta(seconds=seconds)
    span = open_or_next(windows, at)
    assert span is not None
    assert span.start < span.end > at
    assert span.start <= at + timedelta(days=9)
    if span.start > at:
        assert open_or_next(windows, at + (span.start - at) / 2) == span
