"""What nodes with a proxy are told of Ingresses: their routes, and the Secrets with their certificates. Pure.

Follows https://kubernetes.io/docs/concepts/services-networking/ingress/; `ImplementationSpecific` means `Prefix`.
"""

from collections.abc import Iterator

from reconciler.controllers.ingress import is_ours, serves
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.meta import Ref
from schemas.network import IngressCertificate, IngressRoute, IngressTarget, NetworkIngress
from schemas.networking import Ingress, IngressBackend, IngressClass


def network_ingress(ingress: Ingress, view: View) -> NetworkIngress | None:
    """None for one that is not ours."""
    if not is_ours(ingress, view):
        return None
    created = ingress.metadata.creation_timestamp
    return NetworkIngress(
        namespace=ingress.metadata.namespace,
        name=ingress.metadata.name,
        created=created.timestamp() if created else 0,
        routes=tuple(_routes(ingress)),
        default=_target(ingress.spec.default_backend),
        hosts=tuple(dict.fromkeys(rule.host for rule in ingress.spec.rules)),
        certificates=tuple(
            IngressCertificate(one.secret_name, one.hosts) for one in ingress.spec.tls if one.secret_name
        ),
    )


def _routes(ingress: Ingress) -> Iterator[IngressRoute]:
    for rule in ingress.spec.rules:
        for path in rule.http.paths if rule.http else ():
            target = _target(path.backend)
            if target is not None:
                yield IngressRoute(target, rule.host, path.path or "/", path.path_type == "Exact")


def _target(backend: IngressBackend | None) -> IngressTarget | None:
    if backend is None or backend.service is None:
        return None
    port = backend.service.port
    return IngressTarget(backend.service.name, port.number if port else 0, port.name if port else "")


def certificates(node: str, view: View) -> frozenset[Ref]:
    """The Secrets that this node needs for its proxy; none without one."""
    stored = view.get(Node, "", node)
    if stored is None or not serves(stored):
        return frozenset()
    return frozenset(
        Ref("Secret", one.metadata.namespace, tls.secret_name)
        for one in view.list(Ingress)
        for tls in one.spec.tls
        if tls.secret_name and is_ours(one, view)
    )


def concerned(event: Event, view: View) -> Iterator[str]:
    """The nodes whose certificates may be others after this."""
    match event.object:
        case Ingress() | IngressClass():
            yield from (node.metadata.name for node in view.list(Node) if serves(node))
        case Node() if _serves(event.old) != _serves(event.new):
            yield event.object.metadata.name


def _serves(object_: object) -> bool:
    return isinstance(object_, Node) and serves(object_)
