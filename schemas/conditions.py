"""Conditions of an object's status: a list with at most one entry of each type."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import structs


class AnyCondition(Protocol):
    """What the condition types of all kinds have in common."""

    @property
    def type(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def last_transition_time(self) -> datetime | None: ...


C = TypeVar("C", bound=AnyCondition)


def find(conditions: Iterable[C], type_: str) -> C | None:
    """The condition of this type, if the object has one."""
    return next((condition for condition in conditions if condition.type == type_), None)


def updated(conditions: Iterable[C], new: C) -> tuple[C, ...]:
    """The conditions, with `new` in the place of the one of its type (or last, where there was none).

    `last_transition_time` tells when the status last changed: while it is the same, the old time is kept.
    """
    before = tuple(conditions)
    old = find(before, new.type)
    if old is None:
        return (*before, new)
    if old.status == new.status and old.last_transition_time is not None:
        new = structs.replace(new, last_transition_time=old.last_transition_time)  # type: ignore[type-var]
    return tuple(new if condition.type == new.type else condition for condition in before)
