"""A container of a pod: what runs, with which environment, limits, probes and rights."""

from typing import Annotated

from msgspec import field

from schemas.core.security import SecurityContext
from schemas.meta import MERGED_SET, Quantity, Record, merged_by


class ConfigMapKeySelector(Record, frozen=True):
    key: str
    name: str = ""
    optional: bool | None = None


class ObjectFieldSelector(Record, frozen=True):
    field_path: str
    api_version: str = ""


class FileKeySelector(Record, frozen=True):
    key: str
    path: str
    volume_name: str
    optional: bool | None = None


class ResourceFieldSelector(Record, frozen=True):
    resource: str
    container_name: str = ""
    divisor: Quantity | None = None


class SecretKeySelector(Record, frozen=True):
    key: str
    name: str = ""
    optional: bool | None = None


class EnvVarSource(Record, frozen=True):
    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Record, frozen=True):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(Record, frozen=True):
    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Record, frozen=True):
    name: str = ""
    optional: bool | None = None


class EnvFromSource(Record, frozen=True):
    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class ExecAction(Record, frozen=True):
    command: tuple[str, ...] = ()


class HTTPHeader(Record, frozen=True):
    name: str
    value: str


class HTTPGetAction(Record, frozen=True):
    port: int | str
    host: str = ""
    http_headers: tuple[HTTPHeader, ...] = ()
    path: str = ""
    scheme: str = ""


class SleepAction(Record, frozen=True):
    seconds: int


class TCPSocketAction(Record, frozen=True):
    port: int | str
    host: str = ""


class LifecycleHandler(Record, frozen=True):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Record, frozen=True):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class GRPCAction(Record, frozen=True):
    port: int
    service: str = field(default_factory=str)  # written also where it is empty, as in Kubernetes


class Probe(Record, frozen=True):
    exec: ExecAction | None = None
    failure_threshold: int = 0
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 0
    success_threshold: int = 0
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: int | None = None
    timeout_seconds: int = 0


class ContainerPort(Record, frozen=True):
    container_port: int
    host_ip: str = field(default="", name="hostIP")
    host_port: int = 0
    name: str = ""
    protocol: str = ""


class ContainerResizePolicy(Record, frozen=True):
    resource_name: str
    restart_policy: str


class ResourceClaim(Record, frozen=True):
    name: str
    request: str = ""


class ResourceRequirements(Record, frozen=True):
    claims: Annotated[tuple[ResourceClaim, ...], merged_by("name", patch=None)] = ()
    limits: dict[str, Quantity] = field(default_factory=dict)
    requests: dict[str, Quantity] = field(default_factory=dict)


class ContainerRestartRuleOnExitCodes(Record, frozen=True):
    operator: str
    values: Annotated[tuple[int, ...], MERGED_SET] = ()


class ContainerRestartRule(Record, frozen=True):
    action: str
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class VolumeDevice(Record, frozen=True):
    device_path: str
    name: str


class VolumeMount(Record, frozen=True):
    mount_path: str
    name: str
    mount_propagation: str = ""
    read_only: bool = False
    recursive_read_only: str = ""
    sub_path: str = ""
    sub_path_expr: str = ""


class Container(Record, frozen=True):
    name: str
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Annotated[tuple[EnvVar, ...], merged_by("name")] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[tuple[ContainerPort, ...], merged_by("containerPort", "protocol")] = ()
    readiness_probe: Probe | None = None
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[tuple[VolumeDevice, ...], merged_by("devicePath")] = ()
    volume_mounts: Annotated[tuple[VolumeMount, ...], merged_by("mountPath")] = ()
    working_dir: str = ""


class EphemeralContainer(Record, frozen=True):
    name: str
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Annotated[tuple[EnvVar, ...], merged_by("name")] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[tuple[ContainerPort, ...], merged_by("containerPort", "protocol")] = ()
    readiness_probe: Probe | None = None
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[tuple[VolumeDevice, ...], merged_by("devicePath")] = ()
    volume_mounts: Annotated[tuple[VolumeMount, ...], merged_by("mountPath")] = ()
    working_dir: str = ""
