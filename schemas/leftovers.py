"""What an update would carry along although the new type of the object has no use for it.

Pure. Defaults and allocations that belonged to the type of before fall away with it, unless the update changes
them itself: then they are meant, and validation says that they do not fit. As the API server does before it validates.
"""

from collections.abc import Iterator
from typing import TypeVar, cast

from msgspec import structs

from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.meta import Object

AnyObject = TypeVar("AnyObject", bound=Object)


def without_leftovers(new: AnyObject, old: Object) -> AnyObject:
    """The new object, less what only the old one needed. Both are defaulted."""
    if isinstance(new, Service) and isinstance(old, Service):
        return cast("AnyObject", structs.replace(new, spec=_spec(_kept(new.spec, old.spec), old.spec)))
    return new


def _kept(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    """With what was given to the Service and the update does not name: that is no wish to lose it."""
    fields: dict[str, object] = {}
    if _has_address(new) and _has_address(old):
        ip = new.cluster_ip or old.cluster_ip
        same = not new.cluster_ips or new.cluster_ips == old.cluster_ips
        ips = old.cluster_ips if ip == old.cluster_ip else (ip,)
        fields |= {"cluster_ip": ip, "cluster_ips": ips if same else new.cluster_ips}
        fields["ip_family_policy"] = policy = new.ip_family_policy or old.ip_family_policy
        fields["ip_families"] = families = new.ip_families or old.ip_families
        if policy == "SingleStack" and new.cluster_ips and len(new.cluster_ips) < len(families):
            fields["ip_families"] = families[: len(new.cluster_ips)]
    if _has_node_ports(new) and _has_node_ports(old):
        fields["ports"] = tuple(_kept_ports(new.ports, old.ports))
    if _is_checked(new) and _is_checked(old):
        fields["health_check_node_port"] = new.health_check_node_port or old.health_check_node_port
    return structs.replace(new, **fields)


def _kept_ports(new: tuple[ServicePort, ...], old: tuple[ServicePort, ...]) -> Iterator[ServicePort]:
    """By name; a number that another port has taken over is not given twice."""
    named = {port.name: port.node_port for port in old}
    used = _node_ports(new)
    for port in new:
        number = 0 if port.node_port else named.get(port.name, 0)
        yield structs.replace(port, node_port=number) if number and number not in used else port


def _spec(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    if new.type == old.type and bool(new.external_ips) == bool(old.external_ips):
        return new
    fields: list[str] = []
    if _has_address(old) and not _has_address(new):
        fields += ["cluster_ip", "cluster_ips", "ip_families", "ip_family_policy"]
    if old.type == "LoadBalancer" and new.type != "LoadBalancer":
        fields += ["allocate_load_balancer_node_ports", "load_balancer_class"]
    if _is_checked(old) and not _is_checked(new):
        fields.append("health_check_node_port")
    if _is_external(old) and not _is_external(new):
        fields.append("external_traffic_policy")
    empty = ServiceSpec()
    dropped = {field: getattr(empty, field) for field in fields if getattr(new, field) == getattr(old, field)}
    if _has_node_ports(old) and not _has_node_ports(new) and _node_ports(new.ports) == _node_ports(old.ports):
        dropped["ports"] = tuple(structs.replace(port, node_port=0) for port in new.ports)
    return structs.replace(new, **dropped)


def _has_address(spec: ServiceSpec) -> bool:
    return spec.type != "ExternalName"


def _has_node_ports(spec: ServiceSpec) -> bool:
    balanced = spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    return spec.type == "NodePort" or balanced


def _is_checked(spec: ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _is_external(spec: ServiceSpec) -> bool:
    return spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def _node_ports(ports: tuple[ServicePort, ...]) -> set[int]:
    return {port.node_port for port in ports}
