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
    return Due(_last(schedule, where, first, now, apart), missed)


def _last(schedule: Schedule, where: tzinfo, first: datetime, now: datetime, apart: int) -> datetime:
    """The last start that is not after `now`. Found by halving: whole years may have been missed, minute by minute."""
    if not isinstance(schedule, Calendar):
        return first + int((now - first).total_seconds()) // apart * apart * _SECOND
    found, low, high = first, 0, int((now - first).total_seconds()) // 60
    while low < high:
        middle = (low + high + 1) // 2
        later = schedule.after(first + timedelta(minutes=middle - 1), where)
        if later is None or later > now:
            high = middle - 1
        else:
            low, found = middle, later
    return found


def next_after(schedule: Schedule, where: tzinfo, since: datetime, now: datetime) -> datetime | None:
    """When a Job is to be started next; `since` is the last start, from which fixed distances count."""
    try:
        last = due(schedule, where, since, now)
    except NeverDue:
        return None
    return schedule.after(last.at or since, where)
