"""What the API server fills in where a Service or an EndpointSlice leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.core.endpoints import Endpoints
from schemas.core.service import (
    ClientIPConfig,
    LoadBalancerStatus,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)
from schemas.discovery import EndpointConditions, EndpointSlice

_STICKY_SECONDS = 10800


def service(declared: Service) -> Service:
    spec = declared.spec
    type_ = spec.type or "ClusterIP"
    affinity = spec.session_affinity or "None"
    routed = type_ in ("ClusterIP", "NodePort", "LoadBalancer")
    external = type_ in ("NodePort", "LoadBalancer") or (type_ == "ClusterIP" and bool(spec.external_ips))
    balanced = type_ == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None
    balancer = declared.status.load_balancer
    return structs.replace(
        declared,
        spec=structs.replace(
            spec,
            type=type_,
            session_affinity=affinity,
            session_affinity_config=_affinity_config(affinity, spec),
            ports=tuple(_service_port(port) for port in spec.ports),
            internal_traffic_policy=spec.internal_traffic_policy or ("Cluster" if routed else ""),
            external_traffic_policy=spec.external_traffic_policy or ("Cluster" if external else ""),
            allocate_load_balancer_node_ports=True if balanced else spec.allocate_load_balancer_node_ports,
        ),
        status=structs.replace(declared.status, load_balancer=None if balancer is None else _addresses(balancer)),
    )


def _affinity_config(affinity: str, spec: ServiceSpec) -> SessionAffinityConfig | None:
    if affinity == "None":
        return None
    config = spec.session_affinity_config
    unset = config is None or config.client_ip is None or config.client_ip.timeout_seconds is None
    if affinity == "ClientIP" and unset:
        return SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=_STICKY_SECONDS))
    return config


def _service_port(port: ServicePort) -> ServicePort:
    unset = port.target_port in (None, 0, "")
    return structs.replace(port, protocol=port.protocol or "TCP", target_port=port.port if unset else port.target_port)


def _addresses(balancer: LoadBalancerStatus) -> LoadBalancerStatus:
    """An address is the balancer's own unless it says otherwise."""
    return LoadBalancerStatus(
        ingress=tuple(
            structs.replace(each, ip_mode=each.ip_mode or ("VIP" if each.ip else "")) for each in balancer.ingress
        )
    )


def endpoint_slice(declared: EndpointSlice) -> EndpointSlice:
    return structs.replace(
        declared,
        endpoints=tuple(
            structs.replace(each, conditions=each.conditions or EndpointConditions()) for each in declared.endpoints
        ),
        ports=tuple(
            structs.replace(port, name="" if port.name is None else port.name, protocol=port.protocol or "TCP")
            for port in declared.ports
        ),
    )


def endpoints(declared: Endpoints) -> Endpoints:
    return structs.replace(
        declared,
        subsets=tuple(
            structs.replace(
                subset, ports=tuple(structs.replace(port, protocol=port.protocol or "TCP") for port in subset.ports)
            )
            for subset in declared.subsets
        ),
    )
