"""PodTemplate and ReplicationController: the oldest forms of what a ReplicaSet does."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.pod import PodTemplateSpec
from schemas.meta import Object, Record, merged_by


class PodTemplate(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "PodTemplate")
    template: PodTemplateSpec | None = None


class ReplicationControllerSpec(Record, frozen=True):
    min_ready_seconds: int = 0
    replicas: int | None = None
    selector: dict[str, str] = field(default_factory=dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class ReplicationControllerStatus(Record, frozen=True):
    available_replicas: int = 0
    conditions: Annotated[tuple[ReplicationControllerCondition, ...], merged_by("type")] = ()
    fully_labeled_replicas: int = 0
    observed_generation: int = 0
    ready_replicas: int = 0
    replicas: int = field(default_factory=int)


class ReplicationController(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "ReplicationController")
    spec: ReplicationControllerSpec = field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = field(default_factory=ReplicationControllerStatus)
