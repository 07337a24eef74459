"""When a CronJob was last due, and when it is due next.

The rules, and the estimate of how many starts were missed, are those of the Kubernetes CronJob controller
(https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#starting-deadline-seconds).
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from schemas.cron import Calendar, Schedule

MANY_MISSED = 100
_SECOND = timedelta(seconds=1)


class NeverDue(ValueError):
    """The schedule names no day that there is."""

    def __init__(self) -> None:
        super().__init__("time difference between two schedules is less than 1 second")


class Due(msgspec.Struct, frozen=True):
    """What is due at a moment. `at`: the last time that a Job should have been started for, None if there is none."""

    at: datetime | None
    missed: int
    """Starts since the last one, that of `at` among them; an estimate where they are not evenly spread."""


def zone(name: str | None) -> tzinfo:
    """UTC where none is named. Raises `KeyError` or `ValueError` for a zone that nobody knows here."""
    return ZoneInfo(name) if name else UTC


def due(schedule: Schedule, where: tzinfo, since: datetime, now: datetime) -> Due:
    """Of the starts after `since`. Raises `NeverDue`."""
    first = schedule.after(since, where)
    if first is None:
        raise NeverDue
    if now < first:
        return Due(None, 0)
    second = schedule.after(first, where)
    if second is None or now < second:
        return Due(first, 1)
    apart = max(1, round((second - first).total_seconds()))
    missed = int((now - first).total_seconds()) // apart + 1
    # As many as fit evenly, less one: from there on the calendar says which one was the last.
    from_here = first + (missed - 2) * apart * _SECOND
    return Due(_last(schedule, where, from_here, now, apart), missed)


def _last(schedule: Schedule, where: tzinfo, start: datetime, now: datetime, apart: int) -> datetime | None:
    """The last start after `start` and not after `now`."""
    if not isinstance(schedule, Calendar):
        return start + int((now - start).total_seconds()) // apart * apart * _SECOND
    low, high = 0, int((now - start).total_seconds()) // 60
    found = _until(schedule, where, start, now)
    while found is not None and low < high:
        middle = (low + high + 1) // 2
        later = _until(schedule, where, start + timedelta(minutes=middle), now)
        if later is None:
            high = middle - 1
        else:
            low, found = middle, later
    return found


def _until(schedule: Calendar, where: tzinfo, start: datetime, now: datetime) -> datetime | None:
    found = schedule.after(start, where)
    return found if found is not None and found <= now else None


def next_after(schedule: Schedule, where: tzinfo, since: datetime, now: datetime) -> datetime | None:
    """When a Job is to be started next; `since` is the last start, from which fixed distances count."""
    try:
        last = due(schedule, where, since, now)
    except NeverDue:
        return None
    base = last.at or (now if last.missed else since)
    return schedule.after(base, where)
