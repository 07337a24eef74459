"""Workloads of the group `apps`."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.pod import PodTemplateSpec
from schemas.meta import LabelSelector, Object, Record, merged_by


class RollingUpdateDeployment(Record, frozen=True):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class DeploymentStrategy(Record, frozen=True):
    rolling_update: RollingUpdateDeployment | None = None
    type: str = ""


class DeploymentSpec(Record, frozen=True):
    selector: LabelSelector
    template: PodTemplateSpec
    min_ready_seconds: int = 0
    paused: bool = False
    progress_deadline_seconds: int | None = None
    replicas: int | None = None
    revision_history_limit: int | None = None
    strategy: DeploymentStrategy = field(default_factory=DeploymentStrategy)


class DeploymentCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    last_update_time: datetime | None = None
    message: str = ""
    reason: str = ""


class DeploymentStatus(Record, frozen=True):
    available_replicas: int = 0
    collision_count: int | None = None
    conditions: Annotated[tuple[DeploymentCondition, ...], merged_by("type")] = ()
    observed_generation: int = 0
    ready_replicas: int = 0
    replicas: int = 0
    terminating_replicas: int | None = None
    unavailable_replicas: int = 0
    updated_replicas: int = 0


class Deployment(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "apps/v1")
    kind: str = field(default_factory=lambda: "Deployment")
    spec: DeploymentSpec
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


class ReplicaSetSpec(Record, frozen=True):
    selector: LabelSelector
    min_ready_seconds: int = 0
    replicas: int | None = None
    template: PodTemplateSpec | None = None


class ReplicaSetCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class ReplicaSetStatus(Record, frozen=True):
    available_replicas: int = 0
    conditions: Annotated[tuple[ReplicaSetCondition, ...], merged_by("type")] = ()
    fully_labeled_replicas: int = 0
    observed_generation: int = 0
    ready_replicas: int = 0
    replicas: int = field(default_factory=int)
    terminating_replicas: int | None = None


class ReplicaSet(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "apps/v1")
    kind: str = field(default_factory=lambda: "ReplicaSet")
    spec: ReplicaSetSpec
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)
