"""How fast an autoscaler may follow what its metrics ask for: stabilisation windows and policies.

Pure: what it has recommended and done before comes in with the question. Follows
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from schemas.autoscaling import HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules

DOWNSCALE_WINDOW = 300
"""Seconds, where nothing is said."""
LONGEST = timedelta(hours=1)
"""The longest window that may be asked for."""

IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_READY = ("ReadyForNewScale", "recommended size matches current size")
_DOWN_STABLE = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_UP_STABLE = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)


class At(msgspec.Struct, frozen=True):
    """A number of replicas recommended, or by which it was changed (negative: down), at a time."""

    when: datetime
    replicas: int


class History(msgspec.Struct, frozen=True):
    """What is remembered of an autoscaler, and forgotten when the reconciler starts anew."""

    recommendations: tuple[At, ...] = ()
    changes: tuple[At, ...] = ()


class Bounded(msgspec.Struct, frozen=True):
    """Replicas that may be gone to, with reason and message of `AbleToScale` and of `ScalingLimited`."""

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str]

    @property
    def is_limited(self) -> bool:
        return self.limited != IN_RANGE


def bounded(
    behaviour: HorizontalPodAutoscalerBehavior | None,
    current: int,
    recommended: int,
    least: int,
    most: int,
    history: History,
    now: datetime,
) -> Bounded:
    """`history` does not hold the present recommendation yet."""
    up = behaviour.scale_up if behaviour is not None else None
    down = behaviour.scale_down if behaviour is not None else None
    if behaviour is None or up is None or down is None:
        stable, able = _held_up(recommended, history, now)
        replicas, limited = _doubled(current, stable, least, most)
    else:
        stable, able = _stabilised(up, down, current, recommended, history, now)
        replicas, limited = _by_rate(up, down, current, stable, least, most, history, now)
    return Bounded(replicas, able, limited)


def remembered(history: History, recommended: int, now: datetime) -> History:
    """With the present recommendation, and without what no window reaches back to."""

    def recent(found: Iterable[At]) -> tuple[At, ...]:
        return tuple(one for one in found if one.when > now - LONGEST)

    return History((*recent(history.recommendations), At(now, recommended)), recent(history.changes))


def _held_up(recommended: int, history: History, now: datetime) -> tuple[int, tuple[str, str]]:
    """Down only to the highest of the last minutes."""
    stable = _extreme(history, recommended, DOWNSCALE_WINDOW, now, highest=True)
    return stable, _READY if stable == recommended else _DOWN_STABLE


def _extreme(history: History, recommended: int, seconds: int, now: datetime, *, highest: bool) -> int:
    since = now - timedelta(seconds=seconds)
    found = [recommended, *(one.replicas for one in history.recommendations if one.when > since)]
    return max(found) if highest else min(found)


def _doubled(current: int, desired: int, least: int, most: int) -> tuple[int, tuple[str, str]]:
    """At most twice as many, or four."""
    limit = max(2 * current, 4)
    if desired < least:
        return least, _TOO_FEW
    if desired > min(most, limit):
        return (limit, _UP_LIMIT) if limit < most else (most, _TOO_MANY)
    return desired, IN_RANGE


def _stabilised(
    up: HPAScalingRules, down: HPAScalingRules, current: int, recommended: int, history: History, now: datetime
) -> tuple[int, tuple[str, str]]:
    down_window = DOWNSCALE_WINDOW if down.stabilization_window_seconds is None else down.stabilization_window_seconds
    lowest = _extreme(history, recommended, up.stabilization_window_seconds or 0, now, highest=False)
    highest = _extreme(history, recommended, down_window, now, highest=True)
    stable = min(max(current, lowest), highest)
    if stable == recommended:
        return stable, _READY
    return stable, _UP_STABLE if recommended >= current else _DOWN_STABLE


def _by_rate(
    up: HPAScalingRules,
    down: HPAScalingRules,
    current: int,
    desired: int,
    least: int,
    most: int,
    history: History,
    now: datetime,
) -> tuple[int, tuple[str, str]]:
    if desired > current:
        limit = max(current, _up_limit(up, current, history, now))
        allowed, reason = (limit, _UP_LIMIT) if most > limit else (most, _TOO_MANY)
        return (allowed, reason) if desired > allowed else (desired, IN_RANGE)
    if desired < current:
        limit = min(current, _down_limit(down, current, history, now))
        allowed, reason = (limit, _DOWN_LIMIT) if least < limit else (least, _TOO_FEW)
        return (allowed, reason) if desired < allowed else (desired, IN_RANGE)
    return desired, IN_RANGE


def _up_limit(rules: HPAScalingRules, current: int, history: History, now: datetime) -> int:
    if rules.select_policy == "Disabled":
        return current
    limits = [_raised(policy, _at_start(policy, current, history, now)) for policy in rules.policies or ()]
    return min(limits) if rules.select_policy == "Min" else max(limits, default=current)


def _down_limit(rules: HPAScalingRules, current: int, history: History, now: datetime) -> int:
    """Of several policies `Min` is the one that changes least."""
    if rules.select_policy == "Disabled":
        return current
    limits = [_lowered(policy, _at_start(policy, current, history, now)) for policy in rules.policies or ()]
    return max(limits) if rules.select_policy == "Min" else min(limits, default=current)


def _at_start(policy: HPAScalingPolicy, current: int, history: History, now: datetime) -> int:
    """Replicas when the policy's period began."""
    since = now - timedelta(seconds=policy.period_seconds)
    return current - sum(one.replicas for one in history.changes if one.when > since)


def _raised(policy: HPAScalingPolicy, start: int) -> int:
    return start + policy.value if policy.type == "Pods" else math.ceil(start * (100 + policy.value) / 100)


def _lowered(policy: HPAScalingPolicy, start: int) -> int:
    return start - policy.value if policy.type == "Pods" else start * (100 - policy.value) // 100
