"""Waiting for a condition, with a limit: the only way in which tests wait."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 4.0
"""Limits are for a quiet machine; one that others share may be this many times slower."""


def eventually(condition: Callable[[], T], limit: float = 30.0, what: str = "") -> T:
    """The first truthy answer of the condition.

    Fails with its last answer or error when the limit, in seconds on a quiet machine, is over.
    """
    end = time.monotonic() + limit * PATIENCE
    last: object = None
    while (asked := time.monotonic()) < end:
        try:
            answer = condition()
            if answer:
                return answer
            last = answer
        except (AssertionError, LookupError, OSError, ValueError) as error:
            last = error
        # A question that costs much must not keep the machine from what is waited for.
        time.sleep(min(max(0.05, time.monotonic() - asked), 1))
    raise AssertionError(f"not within {limit} s: {what or getattr(condition, '__name__', 'condition')}; last: {last!r}")


def holds(condition: Callable[[], bool], duration: float, what: str = "") -> None:
    """Fails as soon as the condition does not hold during this time."""
    end = time.monotonic() + duration
    while time.monotonic() < end:
        assert condition(), what or "it did not hold"
        time.sleep(0.05)
