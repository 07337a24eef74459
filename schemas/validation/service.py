"""Rules of Services."""

from schemas import names
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.faults import Fault, Path
from schemas.validation import address, metadata
from schemas.validation.report import (
    Faults,
    duplicate,
    forbidden,
    invalid,
    one_of,
    port_number,
    required,
    shown,
    well_formed,
)

_SPEC: Path = ("spec",)
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def service(declared: Service) -> Faults:
    spec = declared.spec
    yield from one_of((*_SPEC, "type"), spec.type, _TYPES)
    yield from metadata.labels((*_SPEC, "selector"), spec.selector)
    yield from one_of((*_SPEC, "sessionAffinity"), spec.session_affinity, ("ClientIP", "None"))
    yield from _affinity(spec)
    if spec.type == "ExternalName":
        if not spec.external_name:
            yield required((*_SPEC, "externalName"))
        else:
            bare = spec.external_name.removesuffix(".")
            yield from well_formed((*_SPEC, "externalName"), bare, names.dns1123_subdomain)
        if spec.cluster_ip:
            yield forbidden((*_SPEC, "clusterIPs", 0), "may not be set for ExternalName services")
    else:
        yield from _cluster_ip(spec)
        if not spec.ports and spec.cluster_ip != "None":
            yield required((*_SPEC, "ports"))
    yield from _ports(spec)
    yield from _policies(spec)
    for index, ip in enumerate(spec.external_ips):
        yield from address.address((*_SPEC, "externalIPs", index), ip)
    for index, source in enumerate(spec.load_balancer_source_ranges):
        yield from address.network((*_SPEC, "LoadBalancerSourceRanges", index), source.strip())


def _affinity(spec: ServiceSpec) -> Faults:
    config = spec.session_affinity_config
    if spec.session_affinity == "ClientIP" and config is not None and config.client_ip is not None:
        seconds = config.client_ip.timeout_seconds
        if not 0 < seconds <= 86400:
            at = (*_SPEC, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
            yield invalid(at, seconds, "must be greater than 0 and less than 86400")


def _cluster_ip(spec: ServiceSpec) -> Faults:
    if spec.cluster_ip == "None":
        if spec.type in ("NodePort", "LoadBalancer"):
            sentence = f"may not be set to 'None' for {spec.type} services"
            yield invalid((*_SPEC, "clusterIPs", 0), "None", sentence)
    elif spec.cluster_ip:
        yield from address.address((*_SPEC, "clusterIPs", 0), spec.cluster_ip)


def _ports(spec: ServiceSpec) -> Faults:
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        at = (*_SPEC, "ports", index)
        if not port.name:
            if len(spec.ports) > 1:
                yield required((*at, "name"))
        else:
            yield from well_formed((*at, "name"), port.name, names.dns1123_label)
            if port.name in seen_names:
                yield duplicate((*at, "name"), port.name)
            seen_names.add(port.name)
        yield from port_number((*at, "port"), port.port)
        yield from one_of((*at, "protocol"), port.protocol, ("SCTP", "TCP", "UDP"))
        if port.target_port is not None:
            yield from address.port((*at, "targetPort"), port.target_port)
        if port.node_port and spec.type in ("", "ClusterIP"):
            yield forbidden((*at, "nodePort"), "may not be used when `type` is 'ClusterIP'")
        if port.app_protocol:
            yield from well_formed((*at, "appProtocol"), port.app_protocol, names.qualified_name)
        key = (port.protocol or "TCP", port.port)
        if key in seen_ports:
            yield _twice(at, port)
        seen_ports.add(key)


def _twice(path: Path, port: ServicePort) -> Fault:
    protocol = shown(port.protocol or "TCP")
    return Fault(
        path,
        f'Duplicate value: {{"Name":"","Protocol":{protocol},"AppProtocol":null,"Port":{port.port},'
        '"TargetPort":0,"NodePort":0}',
    )


def _policies(spec: ServiceSpec) -> Faults:
    yield from one_of((*_SPEC, "internalTrafficPolicy"), spec.internal_traffic_policy, ("Cluster", "Local"))
    external = spec.type in ("NodePort", "LoadBalancer") or (spec.type != "ExternalName" and bool(spec.external_ips))
    at = (*_SPEC, "externalTrafficPolicy")
    if spec.external_traffic_policy and not external:
        sentence = "may only be set for externally-accessible services"
        yield invalid(at, spec.external_traffic_policy, sentence)
    else:
        yield from one_of(at, spec.external_traffic_policy, ("Cluster", "Local"))
    distributions = ("PreferClose", "PreferSameZone", "PreferSameNode")
    yield from one_of((*_SPEC, "trafficDistribution"), spec.traffic_distribution, distributions)
    yield from one_of(
        (*_SPEC, "ipFamilyPolicy"),
        spec.ip_family_policy,
        ("PreferDualStack", "RequireDualStack", "SingleStack"),
    )
    at = (*_SPEC, "ipFamilyPolicy")
    if len(spec.ip_families) > 1 and spec.ip_family_policy in ("", "SingleStack"):
        sentence = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        yield invalid(at, "SingleStack", sentence)
    elif spec.ip_family_policy == "RequireDualStack":
        yield invalid(at, "RequireDualStack", "this cluster is not configured for dual-stack services")
    for index, family in enumerate(spec.ip_families):
        yield from one_of((*_SPEC, "ipFamilies", index), family, ("IPv4", "IPv6"))
