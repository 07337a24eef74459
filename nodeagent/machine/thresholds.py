"""What a node counts as being short of, and when something is to be done about it. Pure.

The signals, their defaults and their timing are the kubelet's
(https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/): a hard threshold is acted on at
once, a soft one when it has been met for its grace period; a condition outlasts its threshold by the transition
period, so that it does not swing; and once met, a threshold is met until its minimum reclaim is free as well.
"""

from collections.abc import Mapping

import msgspec
from msgspec import field

from nodeagent.machine.durations import seconds
from schemas.quantity import value

MEMORY, PIDS = "memory.available", "pid.available"
NODEFS, NODEFS_INODES = "nodefs.available", "nodefs.inodesFree"
IMAGEFS, IMAGEFS_INODES = "imagefs.available", "imagefs.inodesFree"
CONDITIONS = {
    MEMORY: "MemoryPressure",
    NODEFS: "DiskPressure",
    NODEFS_INODES: "DiskPressure",
    IMAGEFS: "DiskPressure",
    IMAGEFS_INODES: "DiskPressure",
    PIDS: "PIDPressure",
}
"""Every signal, the one to be acted on first coming first, and the condition of the node that it makes."""
DEFAULT_HARD = {
    MEMORY: "100Mi",
    NODEFS: "10%",
    NODEFS_INODES: "5%",
    IMAGEFS: "15%",
    IMAGEFS_INODES: "5%",
    PIDS: "5%",
}


class Amount(msgspec.Struct, frozen=True):
    """So much, or this share of the capacity."""

    fixed: int = 0
    share: float = 0.0

    def of(self, capacity: int) -> int:
        return self.fixed + int(capacity * self.share)


class Threshold(msgspec.Struct, frozen=True):
    """`grace`: seconds; None of a hard one."""

    signal: str
    amount: Amount
    grace: float | None = None
    reclaim: Amount = Amount()


class Observation(msgspec.Struct, frozen=True):
    """Of one signal: bytes, inodes or process ids."""

    available: int
    capacity: int


Observations = Mapping[str, Observation]
"""By signal. A file system without inodes to run out of is not observed, nor is an `imagefs` that is the `nodefs`."""


class Standing(msgspec.Struct, frozen=True):
    """What is remembered from one look to the next; times are monotonic, in seconds.

    `since`: when each threshold that is met was first met. `last`: when each condition last held.
    """

    since: Mapping[Threshold, float] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)

    @property
    def conditions(self) -> frozenset[str]:
        return frozenset(self.last)


def parse_amount(where: str, text: str) -> Amount:
    """`10%` or a quantity. Raises `ValueError`."""
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if not 0 <= share < 1:
                raise ValueError(text)
            return Amount(share=share)
        return Amount(fixed=value(text))
    except ValueError:
        raise ValueError(
            f"{where}: expected a quantity such as 100Mi, or a share such as 10%, found {text!r}"
        ) from None


def parse(
    hard: Mapping[str, str], soft: Mapping[str, str], graces: Mapping[str, str], reclaims: Mapping[str, str]
) -> tuple[Threshold, ...]:
    """The thresholds of a configuration. What `hard` leaves out has its default; `0` turns a signal off.

    Raises `ValueError` naming the field, what was expected and what to do.
    """
    for name, given in (
        ("evictionHard", hard),
        ("evictionSoft", soft),
        ("evictionSoftGracePeriod", graces),
        ("evictionMinimumReclaim", reclaims),
    ):
        for signal in given:
            if signal not in CONDITIONS:
                raise ValueError(f"{name}: unknown signal {signal!r}; there are {', '.join(CONDITIONS)}")
    reclaimed = {signal: parse_amount(f"evictionMinimumReclaim.{signal}", text) for signal, text in reclaims.items()}
    found = [
        Threshold(signal, parse_amount(f"evictionHard.{signal}", text), None, reclaimed.get(signal, Amount()))
        for signal, text in {**DEFAULT_HARD, **hard}.items()
    ]
    for signal, text in soft.items():
        if signal not in graces:
            raise ValueError(f"evictionSoft.{signal}: name its grace period in evictionSoftGracePeriod")
        try:
            grace = seconds(graces[signal])
        except ValueError as error:
            raise ValueError(f"evictionSoftGracePeriod.{signal}: {error}") from None
        amount = parse_amount(f"evictionSoft.{signal}", text)
        found.append(Threshold(signal, amount, grace, reclaimed.get(signal, Amount())))
    return tuple(one for one in found if one.amount != Amount())


def hard_amount(thresholds: tuple[Threshold, ...], signal: str, capacity: int) -> int:
    """What is never allocatable, as pods would be evicted before they could have it."""
    return max((one.amount.of(capacity) for one in thresholds if one.signal == signal and one.grace is None), default=0)


def is_met(threshold: Threshold, observed: Observations, *, with_reclaim: bool = False) -> bool:
    """`with_reclaim`: the minimum that is to be reclaimed counts, too."""
    found = observed.get(threshold.signal)
    if found is None:
        return False
    wanted = threshold.amount.of(found.capacity)
    return found.available < wanted + (threshold.reclaim.of(found.capacity) if with_reclaim else 0)


def assess(
    thresholds: tuple[Threshold, ...], observed: Observations, before: Standing, now: float, transition: float
) -> Standing:
    """How the node stands after a look."""
    since = {
        threshold: before.since.get(threshold, now)
        for threshold in thresholds
        if is_met(threshold, observed, with_reclaim=threshold in before.since)
    }
    held = {CONDITIONS[threshold.signal]: now for threshold in since}
    lasting = {name: at for name, at in before.last.items() if now - at < transition}
    return Standing(since, {**lasting, **held})


def due(standing: Standing, now: float) -> Threshold | None:
    """The threshold that is to be acted on now: of memory before disk before process ids, a hard one before a soft."""
    ripe = [one for one, since in standing.since.items() if one.grace is None or now - since >= one.grace]
    order = list(CONDITIONS)
    return min(ripe, key=lambda one: (order.index(one.signal), one.grace is not None), default=None)
