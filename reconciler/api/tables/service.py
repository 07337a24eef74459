"""The columns of services."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, NONE, Cell, Column, Layout, age, joined, labels, wide
from schemas.core.service import Service, ServicePort

_LONGEST = 16
"""Characters of balancer addresses shown before they are cut."""


def _port(port: ServicePort) -> str:
    return f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"


def _balancer(service: Service) -> str:
    status = service.status.load_balancer
    addresses = {ingress.ip or ingress.hostname for ingress in (status.ingress if status else ())} - {""}
    text = ",".join(sorted(addresses))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _external_ip(service: Service) -> str:
    match service.spec.type:
        case "ExternalName":
            return service.spec.external_name
        case "LoadBalancer":
            return ",".join(filter(None, (_balancer(service), *service.spec.external_ips))) or "<pending>"
        case _:
            return joined(service.spec.external_ips)


def _cells(service: Service, now: datetime) -> tuple[Cell, ...]:
    spec = service.spec
    return (
        service.metadata.name,
        spec.type,
        (spec.cluster_ips[0] if spec.cluster_ips else spec.cluster_ip) or NONE,
        _external_ip(service),
        joined(_port(port) for port in spec.ports),
        age(service, now),
        labels(spec.selector),
    )


SERVICE = Layout(
    (
        NAME,
        Column("Type", description="How the service is reached"),
        Column("Cluster-IP", description="Address within the cluster"),
        Column("External-IP", description="Address from outside"),
        Column("Port(s)", description="Ports, with the node's port where there is one"),
        AGE,
        wide("Selector", description="Which pods answer"),
    ),
    _cells,
)
