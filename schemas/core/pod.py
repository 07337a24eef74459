"""Pod: the unit that is scheduled to a node."""

from typing import Annotated

from msgspec import field

from schemas.core.affinity import Affinity, Toleration, TopologySpreadConstraint
from schemas.core.container import Container, EphemeralContainer, ResourceRequirements
from schemas.core.podstatus import PodStatus
from schemas.core.reference import LocalObjectReference
from schemas.core.security import PodSecurityContext
from schemas.core.volume import Volume
from schemas.meta import Object, ObjectMeta, Quantity, Record, merged_by


class PodDNSConfigOption(Record, frozen=True):
    name: str = ""
    value: str = ""


class PodDNSConfig(Record, frozen=True):
    nameservers: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()
    searches: tuple[str, ...] = ()


class HostAlias(Record, frozen=True):
    ip: str
    hostnames: tuple[str, ...] = ()


class PodOS(Record, frozen=True):
    name: str


class PodReadinessGate(Record, frozen=True):
    condition_type: str


class PodResourceClaim(Record, frozen=True):
    name: str
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSchedulingGate(Record, frozen=True):
    name: str


class PodSchedulingGroup(Record, frozen=True):
    pod_group_name: str = ""


class PodSpec(Record, frozen=True):
    containers: Annotated[tuple[Container, ...], merged_by("name")]
    active_deadline_seconds: int | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    dns_config: PodDNSConfig | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: Annotated[tuple[EphemeralContainer, ...], merged_by("name")] = ()
    host_aliases: Annotated[tuple[HostAlias, ...], merged_by("ip")] = ()
    host_ipc: bool = field(default=False, name="hostIPC")
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str = ""
    image_pull_secrets: Annotated[tuple[LocalObjectReference, ...], merged_by("name")] = ()
    init_containers: Annotated[tuple[Container, ...], merged_by("name")] = ()
    node_name: str = ""
    node_selector: dict[str, str] = field(default_factory=dict)
    os: PodOS | None = None
    overhead: dict[str, Quantity] = field(default_factory=dict)
    preemption_policy: str = ""
    priority: int | None = None
    priority_class_name: str = ""
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    resource_claims: Annotated[tuple[PodResourceClaim, ...], merged_by("name")] = ()
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    runtime_class_name: str = ""
    scheduler_name: str = ""
    scheduling_gates: Annotated[tuple[PodSchedulingGate, ...], merged_by("name")] = ()
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: int | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: Annotated[
        tuple[TopologySpreadConstraint, ...], merged_by("topologyKey", "whenUnsatisfiable")
    ] = ()
    volumes: Annotated[tuple[Volume, ...], merged_by("name")] = ()


class Pod(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Pod")
    spec: PodSpec
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Record, frozen=True):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec | None = None
