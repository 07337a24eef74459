from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cron import Calendar, Interval, parse

BERLIN = ZoneInfo("Europe/Berlin")
THURSDAY = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        pytest.param("* * * * *", ["2026-01-01 12:31", "2026-01-01 12:32"], id="each minute"),
        pytest.param("30 12 * * *", ["2026-01-02 12:30", "2026-01-03 12:30"], id="a time of day that has begun"),
        pytest.param("*/20 * * * *", ["2026-01-01 12:40", "2026-01-01 13:00"], id="a step"),
        pytest.param("50/5 * * * *", ["2026-01-01 12:50", "2026-01-01 12:55"], id="a step from a number on"),
        pytest.param("0 8-10/2,20 * * *", ["2026-01-01 20:00", "2026-01-02 08:00"], id="a range and a number"),
        pytest.param("0 0 * * MON-wed", ["2026-01-05 00:00", "2026-01-06 00:00"], id="days by name"),
        pytest.param("0 0 ? FEB 0", ["2026-02-01 00:00", "2026-02-08 00:00"], id="Sundays in February"),
        pytest.param("0 0 31 * *", ["2026-01-31 00:00", "2026-03-31 00:00"], id="months that have such a day"),
        pytest.param("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"], id="leap years"),
        pytest.param("0 0 13 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"], id="either day"),
        pytest.param("0 0 */10 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-11 00:00"], id="a stepped day"),
        pytest.param("@hourly", ["2026-01-01 13:00", "2026-01-01 14:00"], id="hourly"),
        pytest.param("@midnight", ["2026-01-02 00:00", "2026-01-03 00:00"], id="midnight"),
        pytest.param("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00"], id="weekly"),
        pytest.param("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"], id="yearly"),
    ],
)
def test_a_schedule_is_due_when_it_says(schedule: str, runs: list[str]) -> None:
    found, moment = [], THURSDAY
    for _ in runs:
        due = parse(schedule).after(moment)
        assert due is not None
        moment = due
        found.append(f"{moment:%Y-%m-%d %H:%M}")
    assert found == runs


def test_an_interval_counts_from_the_run_before() -> None:
    assert parse("@every 1h30m") == Interval(5400)
    assert parse("@every 100ms") == parse("@every -5s") == parse("@every 0") == Interval(1)
    assert parse("@every 1.5m").after(THURSDAY) == THURSDAY + timedelta(seconds=90)


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", ", * * * *", "* , * * *", "* * , * ,"])
def test_what_never_comes_is_not_looked_for_for_ever(schedule: str) -> None:
    assert parse(schedule).after(THURSDAY, BERLIN) is None


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        pytest.param("", "expected exactly 5 fields, found 0: []", id="nothing"),
        pytest.param("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]", id="seconds"),
        pytest.param("60 * * * *", "end of range (60) above maximum (59): 60", id="minute"),
        pytest.param("* 24 * * *", "end of range (24) above maximum (23): 24", id="hour"),
        pytest.param("* * 0 * *", "beginning of range (0) below minimum (1): 0", id="day"),
        pytest.param("* * * * 7", "end of range (7) above maximum (6): 7", id="Sunday is 0"),
        pytest.param("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1", id="backwards"),
        pytest.param("1-2-3 * * * *", "too many hyphens: 1-2-3", id="hyphens"),
        pytest.param("*/2/3 * * * *", "too many slashes: */2/3", id="slashes"),
        pytest.param("*/0 * * * *", "step of range should be a positive number: */0", id="no step"),
        pytest.param("*/-1 * * * *", "negative number (-1) not allowed: -1", id="negative"),
        pytest.param(
            "L * * * *", 'failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax', id="no number"
        ),
        pytest.param(
            "9" * 30 + " * * * *",
            f'failed to parse int from {"9" * 30}: strconv.Atoi: parsing "{"9" * 30}": value out of range',
            id="a number without end",
        ),
        pytest.param("@reboot", "unrecognized descriptor: @reboot", id="descriptor"),
        pytest.param("@every day", 'failed to parse duration @every day: time: invalid duration "day"', id="duration"),
        pytest.param("* " * 300, "must be no more than 512 characters", id="length"),
    ],
)
def test_what_is_no_schedule_is_told_in_the_words_of_kubernetes(schedule: str, complaint: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse(schedule)
    assert str(error.value) == complaint


@pytest.mark.parametrize(
    ("schedule", "moment", "runs"),
    [
        pytest.param("30 2 * * *", "2026-03-28T12:00", ["2026-03-30T00:30"], id="left out where the clocks go forward"),
        pytest.param(
            "30 2 * * *",
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"],
            id="twice where they go back",
        ),
        pytest.param("0 0 * * *", "2026-07-01T12:00", ["2026-07-01T22:00"], id="midnight of the zone"),
    ],
)
def test_a_schedule_goes_by_the_clocks_of_its_zone(schedule: str, moment: str, runs: list[str]) -> None:
    due = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    for run in runs:
        found = parse(schedule).after(due, BERLIN)
        assert found == datetime.fromisoformat(run).replace(tzinfo=UTC)
        due = found


def brute(calendar: Calendar, moment: datetime, zone: tzinfo) -> datetime:
    """Minute by minute."""
    instant = moment.replace(second=0, microsecond=0)
    while True:
        instant += timedelta(minutes=1)
        local = instant.astimezone(zone)
        day, weekday = local.day in calendar.days, local.isoweekday() % 7 in calendar.weekdays
        on_day = day or weekday if calendar.either_day else day and weekday
        in_hour = local.month in calendar.months and local.hour in calendar.hours
        if on_day and in_hour and local.minute in calendar.minutes:
            return instant


CHANGES = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2018-11-04")
ZONES = ("Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


@settings(max_examples=25, deadline=None)
@given(
    fields=st.tuples(
        st.sampled_from(("*", "0", "30", "*/7", "59")),
        st.sampled_from(("*", "0", "1,2", "3", "23", "*/5")),
        st.sampled_from(("*", "*/2", "1-7", "4,5,25,29")),
        st.just("*"),
        st.sampled_from(("*", "0", "mon-fri")),
    ),
    day=st.sampled_from(CHANGES),
    minutes=st.integers(-1500, 1500),
    zone=st.sampled_from(ZONES),
)
def test_no_minute_is_missed_or_made_up_around_a_change_of_clocks(
    fields: tuple[str, ...], day: str, minutes: int, zone: str
) -> None:
    calendar = parse(" ".join(fields))
    assert isinstance(calendar, Calendar)
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes)
    assert calendar.after(moment, ZoneInfo(zone)) == brute(calendar, moment, ZoneInfo(zone))
