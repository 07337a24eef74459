"""Which Service answers which host and path: pure, from all Ingresses to tables that a proxy looks things up in.

The most specific host decides: its own name, else the wildcard above it, else the rules without one. Of its paths an
exact one comes first, then the longest prefix, element by element. Where two Ingresses want the same, the older has
it (https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types).
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import field

from schemas.network import (
    INGRESSES,
    SERVICES,
    IngressTarget,
    NetworkIngress,
    NetworkPort,
    NetworkService,
)

ANY = "-"
"""The site of rules without a host: no host is called so."""


class Backend(msgspec.Struct, frozen=True):
    """Where requests go: one address that the kernel balances, or for a headless Service each of its endpoints.

    None where the Service is not there or has no such port.
    """

    servers: tuple[tuple[str, int], ...] = ()


class Sites(msgspec.Struct, frozen=True):
    """`hosts` by name to the site that decides for it. `exact` and `prefix`: from site and path to the backend's name;
    a prefix ends with a slash, and so has to what is looked up. `default`: where nothing else fits.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    exact: Mapping[str, str] = field(default_factory=dict)
    prefix: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    backends: Mapping[str, Backend] = field(default_factory=dict)


def sites(ingresses: Iterable[NetworkIngress], services: Mapping[str, NetworkService]) -> Sites:
    """Wildcards keep their star: `*.example.com` decides for whatever is one label below."""
    hosts: dict[str, str] = {}
    exact: dict[str, str] = {}
    prefix: dict[str, str] = {}
    targets: dict[str, tuple[str, IngressTarget]] = {}
    defaults: list[tuple[str, str]] = []
    default = ""
    for one in in_order(ingresses):
        for route in one.routes:
            name = _noted(targets, one.namespace, route.target)
            site = _site(route.host)
            hosts.setdefault(site, site)
            if route.exact:
                exact.setdefault(site + route.path, name)
            else:
                prefix.setdefault(site + route.path.rstrip("/") + "/", name)
        if one.default is not None:
            name = _noted(targets, one.namespace, one.default)
            hosts |= {_site(host): _site(host) for host in one.hosts}
            defaults += [(_site(host) + "/", name) for host in one.hosts]
            default = default or (name if not one.hosts else "")
    for key, name in defaults:
        prefix.setdefault(key, name)
    backends = {name: _backend(namespace, target, services) for name, (namespace, target) in targets.items()}
    return Sites(hosts, exact, prefix, default, backends)


def in_order(ingresses: Iterable[NetworkIngress]) -> list[NetworkIngress]:
    """The oldest first."""
    return sorted(ingresses, key=lambda one: (one.created, INGRESSES, one.namespace, one.name))


def _site(host: str) -> str:
    return host.lower() or ANY


def _noted(targets: dict[str, tuple[str, IngressTarget]], namespace: str, target: IngressTarget) -> str:
    name = f"{namespace}:{target.service}:{target.port or target.port_name}"
    targets[name] = (namespace, target)
    return name


def _backend(namespace: str, target: IngressTarget, services: Mapping[str, NetworkService]) -> Backend:
    service = services.get(f"{SERVICES}{namespace}/{target.service}")
    port = next((one for one in service.ports if _is(one, target)), None) if service else None
    if service is None or port is None:
        return Backend()
    if service.cluster_ips:
        return Backend(((service.cluster_ips[0], port.port),))
    return Backend(tuple(sorted(_endpoints(service, port))))


def _is(port: NetworkPort, target: IngressTarget) -> bool:
    named = port.name == target.port_name if target.port_name else port.port == target.port
    return named and port.protocol == "TCP"


def _endpoints(service: NetworkService, port: NetworkPort) -> Iterator[tuple[str, int]]:
    for slice_ in service.slices:
        for own in slice_.ports:
            if own.name == port.name and own.protocol == port.protocol:
                for endpoint in slice_.endpoints:
                    if endpoint.ready:
                        yield endpoint.address, own.port
