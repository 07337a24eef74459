"""Cron schedules as the Kubernetes API takes them, and when they are due.

Pure. Five fields (minute, hour, day of month, month, day of week) of numbers, names, ranges, lists and steps; `?` means
`*`; or `@yearly` … `@hourly`; or `@every 1h30m`. Sunday is 0 alone. Where both days are restricted, either is enough.
The language and the complaints are those of the parser that CronJobs are read with there, since a library for the
Vixie dialect takes schedules that Kubernetes refuses (`7`, `L`, `#`) and refuses some that it takes (`@every`).
See https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax.
"""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

import msgspec

_LONGEST = 512
"""Characters of a schedule, more than any sensible one has."""

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SEARCHED = timedelta(days=366 * 5)
"""How far ahead a day is looked for: 29 February comes this often, but for once in a century."""

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DURATION = re.compile(r"([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)", re.ASCII)
_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_LARGEST_DURATION = 2**63 / 1e9


class _Field(NamedTuple):
    """What one of the five fields may say."""

    least: int
    most: int
    names: dict[str, int]


_FIELDS = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field(0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


class Interval(msgspec.Struct, frozen=True):
    """`@every`: at a fixed distance, counted from the run before."""

    seconds: int

    def after(self, moment: datetime, zone: tzinfo = UTC) -> datetime:
        """The next run after `moment`, in UTC; the zone makes no difference."""
        return moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=self.seconds)


class Calendar(msgspec.Struct, frozen=True):
    """The minutes, hours and days on which a schedule is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Both days are restricted, and one of them is enough."""

    def after(self, moment: datetime, zone: tzinfo = UTC) -> datetime | None:
        """The first minute after `moment` that is due by the clocks of `zone`, in UTC; None if there is none for years.

        Where the clocks go forward, what lies in the gap is left out; where they go back, what lies in the hour that
        comes twice is due twice.
        """
        instant = moment.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        limit = instant + _SEARCHED
        if not (self.minutes and self.hours):
            return None
        while instant < limit:
            local = instant.astimezone(zone)
            if not self._is_day(local):
                # An hour that comes twice around midnight would lead back, hence at least a minute on.
                midnight = datetime.combine(local.date() + _DAY, time(), zone).astimezone(UTC)
                instant = max(midnight, instant + _MINUTE)
            elif local.hour not in self.hours:
                instant += (60 - local.minute) * _MINUTE
            elif local.minute not in self.minutes:
                instant += _MINUTE
            else:
                return instant
        return None

    def _is_day(self, local: datetime) -> bool:
        if local.month not in self.months:
            return False
        day, weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return day or weekday if self.either_day else day and weekday


Schedule = Interval | Calendar


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """The schedule that the text means. Raises `ValueError`."""
    if len(text) > _LONGEST:
        raise ValueError(f"must be no more than {_LONGEST} characters")
    if text.startswith("@"):
        if text.startswith(_EVERY):
            return Interval(_duration(text, text[len(_EVERY) :]))
        if text not in _DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = map(_values, fields, _FIELDS)
    return Calendar(minutes, hours, days, months, weekdays, either_day=not (any_day or any_weekday))


def _values(text: str, field: _Field) -> tuple[frozenset[int], bool]:
    """The numbers that a list of ranges names, and whether one of them is a plain `*`."""
    numbers: set[int] = set()
    unrestricted = False
    for expression in filter(None, text.split(",")):
        named, step, starred = _range(expression, field)
        numbers.update(named)
        unrestricted |= starred and step == 1
    return frozenset(numbers), unrestricted


def _range(expression: str, field: _Field) -> tuple[range, int, bool]:
    """`*`, `5`, `1-5`, `mon-fri`, each also with `/step`; a single number with a step goes on to the end."""
    bounds, *steps = expression.split("/")
    first, *rest = bounds.split("-")
    starred = first in ("*", "?")
    if starred:
        start, end = field.least, field.most
    elif len(rest) > 1:
        raise ValueError(f"too many hyphens: {expression}")
    else:
        start = _number(first, field.names)
        end = _number(rest[0], field.names) if rest else start
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {expression}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not rest:
        end = field.most
    if start < field.least:
        raise ValueError(f"beginning of range ({start}) below minimum ({field.least}): {expression}")
    if end > field.most:
        raise ValueError(f"end of range ({end}) above maximum ({field.most}): {expression}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {expression}")
    return range(start, end + 1, step), step, starred


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    quoted = f'failed to parse int from {text}: strconv.Atoi: parsing "{text}"'
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{quoted}: invalid syntax")
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{quoted}: value out of range")
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number


def _duration(schedule: str, text: str) -> int:
    """Whole seconds, at least one, of a duration such as `1h30m`."""
    found = _DURATION.fullmatch(text)
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text)) if found else 0
    if found is None or seconds >= _LARGEST_DURATION:
        raise ValueError(f'failed to parse duration {schedule}: time: invalid duration "{text}"')
    return max(1, int(-seconds if found[1] == "-" else seconds))
