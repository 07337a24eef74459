"""Rules of Services. Those of the addresses are in `schemas.validation.clusterip`."""

from schemas import names
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.faults import Fault, Path
from schemas.validation import address, clusterip, metadata
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    duplicate,
    forbidden,
    invalid,
    one_of,
    port_number,
    required,
    shown,
    well_formed,
    written_as,
)

_SPEC: Path = ("spec",)
_ANNOTATIONS: Path = ("metadata", "annotations")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
_TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_LONGEST_STICKY = 86400


def service(declared: Service) -> Faults:
    spec = declared.spec
    yield from one_of((*_SPEC, "type"), spec.type, _TYPES)
    yield from metadata.labels((*_SPEC, "selector"), spec.selector)
    yield from one_of((*_SPEC, "sessionAffinity"), spec.session_affinity, ("ClientIP", "None"))
    yield from _affinity(spec)
    if spec.type == "ExternalName":
        yield from _external_name(spec)
    else:
        yield from clusterip.cluster_ips(spec)
        if not spec.ports and not clusterip.is_headless(spec):
            yield required((*_SPEC, "ports"))
    yield from _ports(spec)
    yield from _policies(spec)
    yield from _balancer(spec)
    yield from _annotations(declared)
    for index, ip in enumerate(spec.external_ips):
        at = (*_SPEC, "externalIPs", index)
        yield from address.address(at, ip)
        yield from address.not_special(at, ip)


def _affinity(spec: ServiceSpec) -> Faults:
    config = spec.session_affinity_config
    if spec.session_affinity != "ClientIP" or config is None or config.client_ip is None:
        return
    seconds = config.client_ip.timeout_seconds
    if seconds is not None and not 0 < seconds <= _LONGEST_STICKY:
        at = (*_SPEC, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        yield invalid(at, seconds, f"must be greater than 0 and less than {_LONGEST_STICKY}")
    if clusterip.is_headless(spec):
        yield Fault((*_SPEC, "sessionAffinity"), "ignored: a headless service has no address of its own", "warning")


def _external_name(spec: ServiceSpec) -> Faults:
    at = (*_SPEC, "externalName")
    # A dot at the end says that the name is complete.
    if bare := spec.external_name.removesuffix("."):
        yield from well_formed(at, bare, names.dns1123_subdomain)
    else:
        yield required(at)
    for field, value in (
        ("clusterIPs", spec.cluster_ip or spec.cluster_ips),
        ("ipFamilies", spec.ip_families),
        ("ipFamilyPolicy", spec.ip_family_policy),
    ):
        if value:
            yield forbidden((*_SPEC, field), "may not be set for ExternalName services")


def _ports(spec: ServiceSpec) -> Faults:
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    seen_node_ports: set[tuple[str, int]] = set()
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
        yield from _port(at, port, spec)
        protocol = port.protocol or "TCP"
        if (protocol, port.port) in seen_ports:
            yield _twice(at, port)
        seen_ports.add((protocol, port.port))
        if port.node_port and (protocol, port.node_port) in seen_node_ports:
            yield duplicate((*at, "nodePort"), port.node_port)
        seen_node_ports.add((protocol, port.node_port))


def _port(path: Path, port: ServicePort, spec: ServiceSpec) -> Faults:
    yield from port_number((*path, "port"), port.port)
    yield from one_of((*path, "protocol"), port.protocol, ("SCTP", "TCP", "UDP"))
    if port.target_port is not None:
        yield from address.port((*path, "targetPort"), port.target_port)
    if port.node_port and spec.type in ("", "ClusterIP"):
        yield forbidden((*path, "nodePort"), "may not be used when `type` is 'ClusterIP'")
    if port.app_protocol:
        yield from well_formed((*path, "appProtocol"), port.app_protocol, names.qualified_name)


def _twice(path: Path, port: ServicePort) -> Fault:
    protocol = shown(port.protocol or "TCP")
    return Fault(
        path,
        f'Duplicate value: {{"Name":"","Protocol":{protocol},"AppProtocol":null,"Port":{port.port},'
        '"TargetPort":0,"NodePort":0}',
    )


def _policies(spec: ServiceSpec) -> Faults:
    yield from one_of((*_SPEC, "internalTrafficPolicy"), spec.internal_traffic_policy, ("Cluster", "Local"))
    external = spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))
    at = (*_SPEC, "externalTrafficPolicy")
    if spec.external_traffic_policy and not external:
        sentence = "may only be set for externally-accessible services"
        yield invalid(at, spec.external_traffic_policy, sentence)
    else:
        yield from one_of(at, spec.external_traffic_policy, ("Cluster", "Local"))
    yield from one_of((*_SPEC, "trafficDistribution"), spec.traffic_distribution, _DISTRIBUTIONS)


def _balancer(spec: ServiceSpec) -> Faults:
    balanced = spec.type == "LoadBalancer"
    ranges = (*_SPEC, "loadBalancerSourceRanges")
    if not balanced:
        for path, value in (
            (ranges, spec.load_balancer_source_ranges or None),
            ((*_SPEC, "allocateLoadBalancerNodePorts"), spec.allocate_load_balancer_node_ports),
            ((*_SPEC, "loadBalancerClass"), spec.load_balancer_class or None),
        ):
            if value is not None:
                yield forbidden(path, _ONLY_BALANCED)
    elif spec.load_balancer_class:
        yield from well_formed((*_SPEC, "loadBalancerClass"), spec.load_balancer_class, names.qualified_name)
    for index, source in enumerate(spec.load_balancer_source_ranges):
        written = (*_SPEC, "LoadBalancerSourceRanges", index)
        yield from written_as(written, address.network((*ranges, index), source.strip()))
    if check := spec.health_check_node_port:
        at = (*_SPEC, "healthCheckNodePort")
        if _is_checked(spec):
            yield from port_number(at, check)
        else:
            sentence = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            yield invalid(at, check, sentence)


def _is_checked(spec: ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _annotations(declared: Service) -> Faults:
    annotations, spec = declared.metadata.annotations, declared.spec
    mode, hints = annotations.get(_TOPOLOGY_MODE), annotations.get(_TOPOLOGY_HINTS)
    if None not in (mode, hints) and mode != hints:
        sentence = f"must match annotations[{_TOPOLOGY_HINTS}] when both are specified"
        yield invalid((*_ANNOTATIONS, _TOPOLOGY_MODE), mode, sentence)
    ranges = annotations.get(_SOURCE_RANGES)
    if ranges is not None and not spec.load_balancer_source_ranges:
        at = (*_ANNOTATIONS, _SOURCE_RANGES)
        if spec.type != "LoadBalancer":
            yield forbidden(at, _ONLY_BALANCED)
        for source in ranges.split(",") if ranges.strip() else ():
            yield from address.network(at, source.strip())


def service_update(new: Service, old: Service) -> Faults:
    """What is left out of the new one stays as it was, and is no change."""
    yield from clusterip.cluster_ips_update(new.spec, old.spec)
    after, before = new.spec.load_balancer_class, old.spec.load_balancer_class
    if new.spec.type == old.spec.type == "LoadBalancer" and after != before:
        yield invalid((*_SPEC, "loadBalancerClass"), after or None, "may not change once set")
    check, was = new.spec.health_check_node_port, old.spec.health_check_node_port
    if _is_checked(new.spec) and _is_checked(old.spec) and check and was and check != was:
        yield forbidden((*_SPEC, "healthCheckNodePort"), IMMUTABLE)
