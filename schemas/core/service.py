"""Service: a stable name and address for a set of pods."""

from typing import Annotated

from msgspec import field

from schemas.meta import Condition, Object, Record, merged_by


class ServicePort(Record, frozen=True):
    port: int
    app_protocol: str = ""
    name: str = ""
    node_port: int = 0
    protocol: str = ""
    target_port: int | str | None = None


class ClientIPConfig(Record, frozen=True):
    timeout_seconds: int | None = None


class SessionAffinityConfig(Record, frozen=True):
    client_ip: ClientIPConfig | None = field(default=None, name="clientIP")


class ServiceSpec(Record, frozen=True):
    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int | None = None
    internal_traffic_policy: str = ""
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""
    load_balancer_class: str = ""
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: tuple[str, ...] = ()
    ports: Annotated[tuple[ServicePort, ...], merged_by("port", "protocol")] = ()
    publish_not_ready_addresses: bool = False
    selector: dict[str, str] = field(default_factory=dict)
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str = ""
    type: str = ""


class PortStatus(Record, frozen=True):
    port: int
    protocol: str
    error: str = ""


class LoadBalancerIngress(Record, frozen=True):
    hostname: str = ""
    ip: str = ""
    ip_mode: str = ""
    ports: tuple[PortStatus, ...] = ()


class LoadBalancerStatus(Record, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Record, frozen=True):
    conditions: Annotated[tuple[Condition, ...], merged_by("type")] = ()
    load_balancer: LoadBalancerStatus | None = None


class Service(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Service")
    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)
