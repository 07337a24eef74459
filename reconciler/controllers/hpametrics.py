"""How many replicas a metric asks for, from what the pods use. Numbers in, numbers out.

Pods whose usage says nothing yet are guessed about, and the guess is always against the direction of the change:
those that are not ready use nothing when it goes up; those of which nothing is known use nothing when it goes up, and
all that they ask for when it goes down. Follows
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from schemas import conditions
from schemas.core.pod import Pod

CPU_INITIALISATION = timedelta(minutes=5)
READINESS_DELAY = timedelta(seconds=30)
"""A pod that was last unready so soon after its start has never been ready."""


class Unmeasurable(Exception):
    """Why a metric says nothing. The text is Kubernetes'."""


class Sample(msgspec.Struct, frozen=True):
    """What one pod uses of a resource: thousandths of it."""

    milli: int
    taken_at: datetime
    window: timedelta


class Tolerance(msgspec.Struct, frozen=True):
    """By how much usage may be off the target, as shares of it, before anything is changed."""

    down: float = 0.1
    up: float = 0.1

    def allows(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Aim(msgspec.Struct, frozen=True):
    """What is aimed at: a percentage of what pods request, or an amount (thousandths) of each pod."""

    utilization: int | None = None
    milli: int | None = None


class Proposal(msgspec.Struct, frozen=True):
    """Replicas asked for, and what was measured: percent of the requests (if that is the aim), and of each pod."""

    replicas: int
    utilization: int | None
    average_milli: int


class _Pods(msgspec.Struct, frozen=True):
    ready: tuple[str, ...]
    unready: tuple[str, ...]
    missing: tuple[str, ...]


def propose(
    resource: str,
    aim: Aim,
    current: int,
    pods: Sequence[Pod],
    samples: Mapping[str, Sample],
    requests: Mapping[str, int],
    tolerance: Tolerance,
    now: datetime,
) -> Proposal:
    """`samples` and `requests` (thousandths) are by the pod's name. Raises `Unmeasurable`."""
    if not samples:
        raise Unmeasurable(
            f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )
    if not pods:
        raise Unmeasurable("no pods returned by selector while calculating replica count")
    grouped = _grouped(resource, pods, samples, now)
    used = {name: samples[name].milli for name in grouped.ready}
    if not used:
        raise Unmeasurable("did not receive metrics for targeted pods (pods might be unready)")
    ratio, utilization = _ratio(used, requests, aim)
    measured = Proposal(current, utilization, sum(used.values()) // len(used))
    rising_unready = bool(grouped.unready) and ratio > 1.0
    if not rising_unready and not grouped.missing:
        if tolerance.allows(ratio):
            return measured
        return msgspec.structs.replace(measured, replicas=math.ceil(ratio * len(used)))
    guessed = used | _guesses(grouped, requests, aim, ratio)
    cautious, _ = _ratio(guessed, requests, aim)
    if tolerance.allows(cautious) or (ratio < 1.0 < cautious) or (cautious < 1.0 < ratio):
        return measured
    replicas = math.ceil(cautious * len(guessed))
    if (cautious < 1.0 and replicas > current) or (cautious > 1.0 and replicas < current):
        return measured
    return msgspec.structs.replace(measured, replicas=replicas)


def _grouped(resource: str, pods: Sequence[Pod], samples: Mapping[str, Sample], now: datetime) -> _Pods:
    ready, unready, missing = list[str](), list[str](), list[str]()
    for pod in pods:
        name = pod.metadata.name
        if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Failed":
            continue
        if pod.status.phase in ("Pending", ""):
            unready.append(name)
        elif name not in samples:
            missing.append(name)
        elif resource == "cpu" and _is_warming_up(pod, samples[name], now):
            unready.append(name)
        else:
            ready.append(name)
    return _Pods(tuple(ready), tuple(unready), tuple(missing))


def _is_warming_up(pod: Pod, sample: Sample, now: datetime) -> bool:
    """Whether its CPU tells of its start rather than of its load."""
    condition, started = conditions.find(pod.status.conditions, "Ready"), pod.status.start_time
    if condition is None or started is None:
        return True
    changed = condition.last_transition_time or started
    if started + CPU_INITIALISATION > now:
        return condition.status == "False" or sample.taken_at < changed + sample.window
    return condition.status == "False" and started + READINESS_DELAY > changed


def _guesses(grouped: _Pods, requests: Mapping[str, int], aim: Aim, ratio: float) -> dict[str, int]:
    found = dict.fromkeys(grouped.unready, 0) if grouped.unready and ratio > 1.0 else {}
    for name in grouped.missing:
        if ratio < 1.0 and aim.utilization is not None:
            found[name] = requests.get(name, 0) * max(100, aim.utilization) // 100
        elif ratio < 1.0:
            found[name] = aim.milli or 0
        elif ratio > 1.0:
            found[name] = 0
    return found


def _ratio(used: Mapping[str, int], requests: Mapping[str, int], aim: Aim) -> tuple[float, int | None]:
    """What is used by what is aimed at, and the percentage of the requests where that is the aim."""
    if aim.utilization is None:
        return sum(used.values()) / len(used) / (aim.milli or 1), None
    requested = sum(requests.get(name, 0) for name in used)
    if not requested:
        raise Unmeasurable("no metrics returned matched known pods")
    utilization = sum(used.values()) * 100 // requested
    return utilization / aim.utilization, utilization
