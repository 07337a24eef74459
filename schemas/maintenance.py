"""Maintenance windows of a node, as its annotation `wherry.dev/maintenance` writes them, and when they are open.

    Sat 02:00-04:00 Europe/Berlin
    Mon-Fri 22:30-01:00
    2026-12-01T02:00:00+01:00/2026-12-01T04:00:00+01:00

Days (a list, with ranges; none: every day), hours of the wall clock, and a time zone (none: UTC); or an interval of two
RFC 3339 times. Several windows are separated by semicolons. A window that ends before it begins ends on the day after.
Hours that a change of the clocks leaves out are no part of it, hours that it doubles are part of it twice. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

ANNOTATION = "wherry.dev/maintenance"
_LONGEST = 1024
"""Characters, more than any sensible set of windows has."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(r"(?:([A-Za-z,-]+) +)?([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})(?: +([A-Za-z0-9_+/-]+))?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-", re.ASCII)
_DAY = timedelta(days=1)
_WEEK = 7


class Span(msgspec.Struct, frozen=True, order=True):
    """From `start` up to, but not at, `end`."""

    start: datetime
    end: datetime


class Weekly(msgspec.Struct, frozen=True):
    """`days`: 0 is Monday."""

    days: frozenset[int]
    begins: time
    ends: time
    zone: str

    def spans(self, now: datetime) -> Iterator[Span]:
        """Those that have not ended, of the next week or so, in their order."""
        where: tzinfo = ZoneInfo(self.zone) if self.zone else UTC
        today = now.astimezone(where).date()
        for ahead in range(-1, _WEEK + 2):
            day = today + ahead * _DAY
            if day.weekday() in self.days:
                ends_on = day if self.ends > self.begins else day + _DAY
                span = Span(_moment(day, self.begins, where), _last_moment(ends_on, self.ends, where))
                if span.start < span.end and span.end > now:
                    yield span


class Once(msgspec.Struct, frozen=True):
    span: Span

    def spans(self, now: datetime) -> Iterator[Span]:
        if self.span.end > now:
            yield self.span


Window = Weekly | Once


def parse(text: str) -> tuple[Window, ...]:
    """The windows. Raises `ValueError` with what was expected."""
    if len(text) > _LONGEST:
        raise ValueError(f"must not be longer than {_LONGEST} characters")
    return tuple(_window(part.strip()) for part in text.split(";") if part.strip())


def open_or_next(windows: Sequence[Window], now: datetime) -> Span | None:
    """The window that is open, else the next one; windows that overlap or adjoin are one. None: there is no more."""
    spans = sorted(span for window in windows for span in window.spans(now))
    if not spans:
        return None
    first = spans[0]
    for span in spans[1:]:
        if span.start <= first.end:
            first = Span(first.start, max(first.end, span.end))
    return first


def _window(text: str) -> Window:
    if text.count("/") == 1 and _DATE.match(text):
        return _once(text)
    found = _WEEKLY.fullmatch(text)
    if found is None:
        raise ValueError(
            f"expected DAYS HH:MM-HH:MM ZONE, such as Sat 02:00-04:00 Europe/Berlin, or two RFC 3339 times with a "
            f"slash between them, found {text!r}"
        )
    days, begins, ends, zone = found.groups()
    if zone:
        _check_zone(zone)
    return Weekly(_days(days or "Mon-Sun"), _time(begins), _time(ends), zone or "")


def _once(text: str) -> Once:
    start, end = (_rfc3339(part) for part in text.split("/"))
    if start >= end:
        raise ValueError(f"the second time must be after the first, found {text!r}")
    return Once(Span(start, end))


def _rfc3339(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"expected a time such as 2026-12-01T02:00:00+01:00, found {text!r}")
    return found.astimezone(UTC)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {zone!r}") from None


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"expected days such as Mon, Sat,Sun or Mon-Fri, found {text!r}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % _WEEK for day in range(begin, end + 1 + (_WEEK if end < begin else 0))}
    return frozenset(found)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a time of day from 00:00 to 23:59, found {text!r}") from None


def _moment(day: date, at: time, where: tzinfo) -> datetime:
    """The first time that clocks show this; where they leave it out, as long after the change."""
    return datetime.combine(day, at, where).astimezone(UTC)


def _last_moment(day: date, at: time, where: tzinfo) -> datetime:
    """The last time that clocks show this."""
    local = datetime.combine(day, at, where)
    return max(local.astimezone(UTC), local.replace(fold=1).astimezone(UTC))
