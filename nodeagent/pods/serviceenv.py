"""What a container is told of Services in its environment: where each of its namespace is, and where the API is.

Pure. As https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables says; what the container
itself sets goes before. Client libraries find the API by `KUBERNETES_SERVICE_HOST`.
"""

from collections.abc import Iterable, Iterator

from schemas.core.pod import Pod
from schemas.network import NetworkPort, NetworkService

API = ("default", "kubernetes")
"""The Service of the API, which every pod is told of."""


def service_variables(pod: Pod, services: Iterable[NetworkService]) -> dict[str, str]:
    """Services with an address of their own, by name; with `enableServiceLinks: false` the API's alone."""
    namespace, links = pod.metadata.namespace, pod.spec.enable_service_links is not False
    told = {service.name: service for service in services if (service.namespace, service.name) == API}
    if links:
        told |= {service.name: service for service in services if service.namespace == namespace}
    found: dict[str, str] = {}
    for name in sorted(told):
        if told[name].cluster_ips and told[name].ports:
            found |= dict(_variables(told[name]))
    return found


def _variables(service: NetworkService) -> Iterator[tuple[str, str]]:
    name, host = _upper(service.name), service.cluster_ips[0]
    yield f"{name}_SERVICE_HOST", host
    yield f"{name}_SERVICE_PORT", str(service.ports[0].port)
    for port in service.ports:
        if port.name:
            yield f"{name}_SERVICE_PORT_{_upper(port.name)}", str(port.port)
    yield f"{name}_PORT", _url(host, service.ports[0])
    for port in service.ports:
        prefix = f"{name}_PORT_{port.port}_{port.protocol}"
        yield prefix, _url(host, port)
        yield f"{prefix}_PROTO", port.protocol.lower()
        yield f"{prefix}_PORT", str(port.port)
        yield f"{prefix}_ADDR", host


def _url(host: str, port: NetworkPort) -> str:
    where = f"[{host}]" if ":" in host else host
    return f"{port.protocol.lower()}://{where}:{port.port}"


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
