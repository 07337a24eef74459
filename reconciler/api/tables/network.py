"""The columns of the network beside Services: Ingress, IngressClass, NetworkPolicy, EndpointSlice, Endpoints."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, NONE, Cell, Column, Layout, age, label_selector, shortened
from schemas.core.endpoints import Endpoints
from schemas.discovery import EndpointSlice
from schemas.networking import Ingress, IngressClass, NetworkPolicy

_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_MOST = 3
"""Hosts, ports and addresses shown; of more, only the number is."""


def _ingress(ingress: Ingress, now: datetime) -> tuple[Cell, ...]:
    spec, balancer = ingress.spec, ingress.status.load_balancer
    hosts = [rule.host for rule in spec.rules if rule.host]
    addresses = [one.ip or one.hostname for one in (balancer.ingress if balancer else ())]
    return (
        ingress.metadata.name,
        spec.ingress_class_name or NONE,
        shortened(hosts, _MOST) or "*",
        ",".join(filter(None, addresses)),
        "80, 443" if spec.tls else "80",
        age(ingress, now),
    )


def _ingress_class(class_: IngressClass, now: datetime) -> tuple[Cell, ...]:
    spec = class_.spec
    parameters = NONE
    if spec is not None and (to := spec.parameters) is not None:
        parameters = f"{to.kind}.{to.api_group}/{to.name}" if to.api_group else f"{to.kind}/{to.name}"
    default = class_.metadata.annotations.get(_DEFAULT_CLASS) == "true"
    name = f"{class_.metadata.name} (default)" if default else class_.metadata.name
    return name, spec.controller if spec else "", parameters, age(class_, now)


def _network_policy(policy: NetworkPolicy, now: datetime) -> tuple[Cell, ...]:
    return policy.metadata.name, label_selector(policy.spec.pod_selector), age(policy, now)


def _endpoint_slice(slice_: EndpointSlice, now: datetime) -> tuple[Cell, ...]:
    ports = ["*" if port.port is None else str(port.port) for port in slice_.ports]
    addresses = [address for endpoint in slice_.endpoints for address in endpoint.addresses]
    return (
        slice_.metadata.name,
        slice_.address_type,
        shortened(ports, _MOST) or "<unset>",
        shortened(addresses, _MOST) or "<unset>",
        age(slice_, now),
    )


def _endpoints(found: Endpoints, now: datetime) -> tuple[Cell, ...]:
    return found.metadata.name, shortened(_places(found), _MOST) or NONE, age(found, now)


def _places(found: Endpoints) -> list[str]:
    """Where connections go, `address:port`."""
    return [
        (f"[{one.ip}]:{port.port}" if ":" in one.ip else f"{one.ip}:{port.port}") if port else one.ip
        for subset in found.subsets
        for port in subset.ports or (None,)
        for one in subset.addresses
    ]


ENDPOINTS = Layout((NAME, Column("Endpoints", description="Addresses and ports that are ready"), AGE), _endpoints)
INGRESS = Layout(
    (
        NAME,
        Column("Class", description="Which proxy serves it"),
        Column("Hosts", description="The names it answers to"),
        Column("Address", description="Where it can be reached"),
        Column("Ports", description="443 where it has certificates"),
        AGE,
    ),
    _ingress,
)
INGRESS_CLASS = Layout(
    (
        NAME,
        Column("Controller", description="What serves ingresses of this class"),
        Column("Parameters", description="Where that finds its settings"),
        AGE,
    ),
    _ingress_class,
)
NETWORK_POLICY = Layout((NAME, Column("Pod-Selector", description="The pods it is about"), AGE), _network_policy)
ENDPOINT_SLICE = Layout(
    (
        NAME,
        Column("AddressType", description="IPv4, IPv6 or FQDN"),
        Column("Ports", description="Of each endpoint"),
        Column("Endpoints", description="Their addresses"),
        AGE,
    ),
    _endpoint_slice,
)
