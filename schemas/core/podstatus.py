"""What a node reports of a pod."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.core.container import ResourceRequirements
from schemas.meta import MERGED_SET, Quantity, Record, merged_by


class PodCondition(Record, frozen=True):
    status: str
    type: str
    last_probe_time: datetime | None = None
    last_transition_time: datetime | None = None
    message: str = ""
    observed_generation: int = 0
    reason: str = ""


class ResourceHealth(Record, frozen=True):
    resource_id: str = field(name="resourceID")
    health: str = ""
    message: str = ""


class ResourceStatus(Record, frozen=True):
    name: str
    resources: Annotated[tuple[ResourceHealth, ...], merged_by("resourceID", patch=None)] = ()


class ContainerStateRunning(Record, frozen=True):
    started_at: datetime | None = None


class ContainerStateTerminated(Record, frozen=True):
    exit_code: int
    container_id: str = field(default="", name="containerID")
    finished_at: datetime | None = None
    message: str = ""
    reason: str = ""
    signal: int = 0
    started_at: datetime | None = None


class ContainerStateWaiting(Record, frozen=True):
    message: str = ""
    reason: str = ""


class ContainerState(Record, frozen=True):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class LinuxContainerUser(Record, frozen=True):
    gid: int
    uid: int
    supplemental_groups: tuple[int, ...] = ()


class ContainerUser(Record, frozen=True):
    linux: LinuxContainerUser | None = None


class ImageVolumeStatus(Record, frozen=True):
    image_ref: str


class VolumeStatus(Record, frozen=True):
    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Record, frozen=True):
    mount_path: str
    name: str
    read_only: bool = False
    recursive_read_only: str = ""
    volume_status: VolumeStatus | None = None


class ContainerStatus(Record, frozen=True):
    image: str
    image_id: str = field(name="imageID")
    name: str
    ready: bool
    restart_count: int
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    allocated_resources_status: Annotated[tuple[ResourceStatus, ...], merged_by("name")] = ()
    container_id: str = field(default="", name="containerID")
    last_state: ContainerState | None = None
    resources: ResourceRequirements | None = None
    started: bool | None = None
    state: ContainerState | None = None
    stop_signal: str = ""
    user: ContainerUser | None = None
    volume_mounts: Annotated[tuple[VolumeMountStatus, ...], merged_by("mountPath")] = ()


class ContainerExtendedResourceRequest(Record, frozen=True):
    container_name: str
    request_name: str
    resource_name: str


class PodExtendedResourceClaimStatus(Record, frozen=True):
    request_mappings: tuple[ContainerExtendedResourceRequest, ...]
    resource_claim_name: str


class HostIP(Record, frozen=True):
    ip: str


class NodeAllocatableResourceClaimStatus(Record, frozen=True):
    resource_claim_name: str
    resources: dict[str, Quantity]
    containers: Annotated[tuple[str, ...], MERGED_SET] = ()


class PodIP(Record, frozen=True):
    ip: str


class PodResourceClaimStatus(Record, frozen=True):
    name: str
    resource_claim_name: str = ""


class PodStatus(Record, frozen=True):
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    conditions: Annotated[tuple[PodCondition, ...], merged_by("type")] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = field(default="", name="hostIP")
    host_ips: Annotated[tuple[HostIP, ...], merged_by(patch="ip")] = field(default=(), name="hostIPs")
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    message: str = ""
    node_allocatable_resource_claim_statuses: tuple[NodeAllocatableResourceClaimStatus, ...] = ()
    nominated_node_name: str = ""
    observed_generation: int = 0
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    pod_ips: Annotated[tuple[PodIP, ...], merged_by("ip")] = field(default=(), name="podIPs")
    qos_class: str = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: Annotated[tuple[PodResourceClaimStatus, ...], merged_by("name")] = ()
    resources: ResourceRequirements | None = None
    start_time: datetime | None = None
