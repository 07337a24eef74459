"""Node: a machine that runs pods."""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.meta import MERGED_SET, Object, Quantity, Record, merged_by


class ConfigMapNodeConfigSource(Record, frozen=True):
    kubelet_config_key: str
    name: str
    namespace: str
    resource_version: str = ""
    uid: str = ""


class NodeConfigSource(Record, frozen=True):
    config_map: ConfigMapNodeConfigSource | None = None


class Taint(Record, frozen=True):
    effect: str
    key: str
    time_added: datetime | None = None
    value: str = ""


class NodeSpec(Record, frozen=True):
    config_source: NodeConfigSource | None = None
    external_id: str = field(default="", name="externalID")
    pod_cidr: str = field(default="", name="podCIDR")
    pod_cidrs: Annotated[tuple[str, ...], MERGED_SET] = field(default=(), name="podCIDRs")
    provider_id: str = field(default="", name="providerID")
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class NodeAddress(Record, frozen=True):
    address: str
    type: str


class NodeCondition(Record, frozen=True):
    status: str
    type: str
    last_heartbeat_time: datetime | None = None
    last_transition_time: datetime | None = None
    message: str = ""
    reason: str = ""


class NodeConfigStatus(Record, frozen=True):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class DaemonEndpoint(Record, frozen=True):
    port: int = field(name="Port")


class NodeDaemonEndpoints(Record, frozen=True):
    kubelet_endpoint: DaemonEndpoint | None = None


class NodeFeatures(Record, frozen=True):
    supplemental_groups_policy: bool | None = None


class ContainerImage(Record, frozen=True):
    names: tuple[str, ...] = ()
    size_bytes: int | None = None


class NodeSwapStatus(Record, frozen=True):
    capacity: int = 0


class NodeSystemInfo(Record, frozen=True):
    architecture: str
    boot_id: str = field(name="bootID")
    container_runtime_version: str
    kernel_version: str
    kube_proxy_version: str
    kubelet_version: str
    machine_id: str = field(name="machineID")
    operating_system: str
    os_image: str
    system_uuid: str = field(name="systemUUID")
    swap: NodeSwapStatus | None = None


class NodeRuntimeHandlerFeatures(Record, frozen=True):
    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Record, frozen=True):
    features: NodeRuntimeHandlerFeatures | None = None
    name: str = ""


class AttachedVolume(Record, frozen=True):
    device_path: str
    name: str


class NodeStatus(Record, frozen=True):
    addresses: Annotated[tuple[NodeAddress, ...], merged_by("type")] = ()
    allocatable: dict[str, Quantity] = field(default_factory=dict)
    capacity: dict[str, Quantity] = field(default_factory=dict)
    conditions: Annotated[tuple[NodeCondition, ...], merged_by("type")] = ()
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints | None = None
    declared_features: tuple[str, ...] = ()
    features: NodeFeatures | None = None
    images: tuple[ContainerImage, ...] = ()
    node_info: NodeSystemInfo | None = None
    phase: str = ""
    runtime_handlers: tuple[NodeRuntimeHandler, ...] = ()
    volumes_attached: tuple[AttachedVolume, ...] = ()
    volumes_in_use: tuple[str, ...] = ()


class Node(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Node")
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)
