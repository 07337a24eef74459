"""The part of the agent's configuration that says when pods have to go; its names are the kubelet's."""

from collections.abc import Iterator

import msgspec
from msgspec import field

from nodeagent.machine import thresholds
from nodeagent.machine.durations import seconds
from nodeagent.machine.thresholds import Threshold
from schemas.configuration import Section


class Reserved(Section, frozen=True, kw_only=True):
    """What the machine keeps for itself: capacity less this, and less the hard eviction thresholds, is allocatable."""

    cpu: str = "100m"
    memory: str = "128Mi"
    ephemeral_storage: str = field(default="0", name="ephemeral-storage")
    pid: int = 0
    """Process ids that pods together leave to the machine."""


class PriorityGrace(Section, frozen=True, kw_only=True):
    """How long pods of this priority and above (up to the next) may take to end."""

    priority: int
    shutdown_grace_period_seconds: float


class Eviction(msgspec.Struct, frozen=True, kw_only=True):
    """Read. Times in seconds."""

    thresholds: tuple[Threshold, ...]
    transition: float
    soft_grace: float


class Shutdown(msgspec.Struct, frozen=True, kw_only=True):
    """`graces`: seconds, by the lowest priority that they are for."""

    graces: tuple[tuple[int, float], ...] = ()

    @property
    def total(self) -> float:
        return sum(grace for _, grace in self.graces)


class Keeping(Section, frozen=True, kw_only=True):
    """Base of the configuration file: under pressure, and when the machine goes down."""

    reserved: Reserved = Reserved()
    eviction_hard: dict[str, str] = field(default_factory=dict)
    """What is left out has Kubernetes' default; `0` turns a signal off."""
    eviction_soft: dict[str, str] = field(default_factory=dict)
    eviction_soft_grace_period: dict[str, str] = field(default_factory=dict)
    eviction_minimum_reclaim: dict[str, str] = field(default_factory=dict)
    eviction_pressure_transition_period: str = "5m"
    eviction_max_pod_grace_period: float = 30
    """Seconds that a pod has for its end under a soft threshold, at most."""
    shutdown_grace_period: str = "0"
    """How long the machine's shutdown is held up for pods; 0: not at all."""
    shutdown_grace_period_critical_pods: str = "0"
    """The part of it that is kept for critical pods."""
    shutdown_grace_period_by_pod_priority: tuple[PriorityGrace, ...] = ()
    """In place of the two."""

    def eviction(self) -> Eviction:
        """Raises `ValueError` naming the field."""
        found = thresholds.parse(
            self.eviction_hard, self.eviction_soft, self.eviction_soft_grace_period, self.eviction_minimum_reclaim
        )
        transition = _seconds("evictionPressureTransitionPeriod", self.eviction_pressure_transition_period)
        return Eviction(thresholds=found, transition=transition, soft_grace=self.eviction_max_pod_grace_period)

    def shutdown(self) -> Shutdown:
        """Raises `ValueError` naming the field."""
        whole = _seconds("shutdownGracePeriod", self.shutdown_grace_period)
        critical = _seconds("shutdownGracePeriodCriticalPods", self.shutdown_grace_period_critical_pods)
        if critical > whole:
            raise ValueError("shutdownGracePeriodCriticalPods: is part of shutdownGracePeriod, so no longer than that")
        return Shutdown(graces=tuple(sorted(self._graces(whole, critical))))

    def _graces(self, whole: float, critical: float) -> Iterator[tuple[int, float]]:
        if self.shutdown_grace_period_by_pod_priority:
            if whole:
                raise ValueError("shutdownGracePeriodByPodPriority: takes the place of shutdownGracePeriod; name one")
            for one in self.shutdown_grace_period_by_pod_priority:
                yield one.priority, one.shutdown_grace_period_seconds
        elif whole:
            from nodeagent.machine.ranking import CRITICAL_PRIORITY  # which knows pods; the configuration need not

            yield -(2**31), whole - critical
            yield CRITICAL_PRIORITY, critical


def _seconds(name: str, text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
