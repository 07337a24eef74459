"""Workloads of the group `apps`: Deployment, ReplicaSet, StatefulSet, DaemonSet, and the history of the last two."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import field

from schemas.core.persistence import PersistentVolumeClaim
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


class StatefulSetOrdinals(Record, frozen=True):
    start: int = 0


class StatefulSetPersistentVolumeClaimRetentionPolicy(Record, frozen=True):
    when_deleted: str = ""
    when_scaled: str = ""


class RollingUpdateStatefulSetStrategy(Record, frozen=True):
    max_unavailable: int | str | None = None
    partition: int | None = None


class StatefulSetUpdateStrategy(Record, frozen=True):
    rolling_update: RollingUpdateStatefulSetStrategy | None = None
    type: str = ""


class StatefulSetSpec(Record, frozen=True):
    selector: LabelSelector
    template: PodTemplateSpec
    min_ready_seconds: int = 0
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    replicas: int | None = None
    revision_history_limit: int | None = None
    service_name: str = ""
    update_strategy: StatefulSetUpdateStrategy = field(default_factory=StatefulSetUpdateStrategy)
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = ()


class StatefulSetCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class StatefulSetStatus(Record, frozen=True):
    available_replicas: int = field(default_factory=int)
    collision_count: int | None = None
    conditions: Annotated[tuple[StatefulSetCondition, ...], merged_by("type")] = ()
    current_replicas: int = 0
    current_revision: str = ""
    observed_generation: int = 0
    ready_replicas: int = 0
    replicas: int = field(default_factory=int)
    update_revision: str = ""
    updated_replicas: int = 0


class StatefulSet(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "apps/v1")
    kind: str = field(default_factory=lambda: "StatefulSet")
    spec: StatefulSetSpec
    status: StatefulSetStatus = field(default_factory=StatefulSetStatus)


class RollingUpdateDaemonSet(Record, frozen=True):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class DaemonSetUpdateStrategy(Record, frozen=True):
    rolling_update: RollingUpdateDaemonSet | None = None
    type: str = ""


class DaemonSetSpec(Record, frozen=True):
    selector: LabelSelector
    template: PodTemplateSpec
    min_ready_seconds: int = 0
    revision_history_limit: int | None = None
    update_strategy: DaemonSetUpdateStrategy = field(default_factory=DaemonSetUpdateStrategy)


class DaemonSetCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class DaemonSetStatus(Record, frozen=True):
    collision_count: int | None = None
    conditions: Annotated[tuple[DaemonSetCondition, ...], merged_by("type")] = ()
    current_number_scheduled: int = field(default_factory=int)
    desired_number_scheduled: int = field(default_factory=int)
    number_available: int = 0
    number_misscheduled: int = field(default_factory=int)
    number_ready: int = field(default_factory=int)
    number_unavailable: int = 0
    observed_generation: int = 0
    updated_number_scheduled: int = 0


class DaemonSet(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "apps/v1")
    kind: str = field(default_factory=lambda: "DaemonSet")
    spec: DaemonSetSpec
    status: DaemonSetStatus = field(default_factory=DaemonSetStatus)


class ControllerRevision(Object, frozen=True, kw_only=True):
    """An earlier state of a StatefulSet or DaemonSet, never changed but for its number."""

    api_version: str = field(default_factory=lambda: "apps/v1")
    kind: str = field(default_factory=lambda: "ControllerRevision")
    revision: int
    data: dict[str, Any] | None = None
    """A patch that brings the state back, as its controller has written it."""
