"""What a table is made of: columns, cells, and the forms in which Kubernetes prints times and labels.

All of it is pure: an object and the time go in, cells come out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from schemas.meta import LabelSelector, Object

Cell = str | int | bool | None

NONE = "<none>"
UNKNOWN = "<unknown>"


class Column(msgspec.Struct, frozen=True):
    """One column. Those of priority 1 are shown by `-o wide` alone."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


class Layout(msgspec.Struct, frozen=True):
    """The columns of a kind, and how one of its objects fills them."""

    columns: tuple[Column, ...]
    cells: Callable[[Any, datetime], tuple[Cell, ...]]


NAME = Column("Name", format="name", description="Unique within the namespace, or the cluster")
AGE = Column("Age", description="Time since the object was created")
CREATED_AT = Column("Created At", type="date", description="When the object was created")


def wide(name: str, *, format: str = "", description: str = "") -> Column:
    """A column that only `-o wide` shows."""
    return Column(name, format=format, description=description, priority=1)


def human_duration(seconds: float) -> str:
    """A length of time as kubectl prints it: two units while that says more, one beyond.

    A clock may be a second ahead of another; what lies further in the future is `<invalid>`.
    """
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{max(total, 0)}s"
    if minutes < 10:
        return _two_units(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two_units(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two_units(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two_units(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two_units(large: int, unit: str, small: int, subunit: str) -> str:
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


def since(then: datetime | None, now: datetime) -> str:
    """How long ago that was."""
    return UNKNOWN if then is None else human_duration((now - then).total_seconds())


def age(object_: Object, now: datetime) -> str:
    return since(object_.metadata.creation_timestamp, now)


def created_at(object_: Object) -> str | None:
    """The moment itself: kubectl makes an age of it."""
    then = object_.metadata.creation_timestamp
    return None if then is None else then.strftime("%Y-%m-%dT%H:%M:%SZ")


def shortened(words: Sequence[str], most: int) -> str:
    """The first few with commas, and how many more there are."""
    text = ",".join(words[:most])
    return text if len(words) <= most else f"{text} + {len(words) - most} more..."


def joined(words: Iterable[str]) -> str:
    """The words with commas, or `<none>`."""
    return ",".join(words) or NONE


def labels(pairs: Mapping[str, str]) -> str:
    return joined(f"{key}={value}" for key, value in sorted(pairs.items()))


def label_selector(selector: LabelSelector | None) -> str:
    """A selector in the notation of `kubectl -l`."""
    if selector is None:
        return NONE
    terms = [(key, f"{key}={value}") for key, value in selector.match_labels.items()]
    for requirement in selector.match_expressions:
        key, values = requirement.key, ",".join(sorted(requirement.values))
        match requirement.operator:
            case "In":
                terms.append((key, f"{key} in ({values})"))
            case "NotIn":
                terms.append((key, f"{key} notin ({values})"))
            case "Exists":
                terms.append((key, key))
            case _:
                terms.append((key, f"!{key}"))
    return joined(text for _, text in sorted(terms))
