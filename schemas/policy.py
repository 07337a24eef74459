"""PodDisruptionBudget: how many pods have to stay."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.meta import Condition, LabelSelector, Object, Record, merged_by


class PodDisruptionBudgetSpec(Record, frozen=True):
    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""


class PodDisruptionBudgetStatus(Record, frozen=True):
    conditions: Annotated[tuple[Condition, ...], merged_by("type")] = ()
    current_healthy: int = field(default_factory=int)
    desired_healthy: int = field(default_factory=int)
    disrupted_pods: dict[str, datetime] = field(default_factory=dict)
    disruptions_allowed: int = field(default_factory=int)
    expected_pods: int = field(default_factory=int)
    observed_generation: int = 0


class PodDisruptionBudget(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "policy/v1")
    kind: str = field(default_factory=lambda: "PodDisruptionBudget")
    spec: PodDisruptionBudgetSpec = field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = field(default_factory=PodDisruptionBudgetStatus)
