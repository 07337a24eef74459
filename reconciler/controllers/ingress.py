"""Ingresses that are ours tell the addresses of the nodes at which they are served.

Ours is one whose class names our controller, or is called like it, or that has no class while nobody else's is the
default (https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class).
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import UpdateStatus
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.ingress import CLASS, CONTROLLER_NAME, SERVES
from schemas.meta import Ref, ref_of
from schemas.networking import Ingress, IngressClass, IngressLoadBalancerIngress, IngressLoadBalancerStatus

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"
"""The annotation that came before `ingressClassName`, and still stands in many charts."""


def is_ours(ingress: Ingress, view: View) -> bool:
    """Whether nodes of ours serve it."""
    name = ingress.spec.ingress_class_name or ingress.metadata.annotations.get(OLD_CLASS, "")
    if name:
        named = view.get(IngressClass, "", name)
        return name == CLASS if named is None else named.spec.controller == CONTROLLER_NAME
    defaults = [one for one in view.list(IngressClass) if one.metadata.annotations.get(DEFAULT_CLASS) == "true"]
    return all(one.spec.controller == CONTROLLER_NAME for one in defaults)


def serves(node: Node) -> bool:
    """Whether the node has a proxy."""
    return node.metadata.labels.get(SERVES) == "true"


def _concerns(event: Event, view: View) -> Iterable[Ref]:
    match event.object:
        case Ingress():
            return (ref_of(event.object),) if event.new is not None else ()
        case IngressClass():
            return [ref_of(one) for one in view.list(Ingress)]
        case Node() if _standing(event.old) != _standing(event.new):
            return [ref_of(one) for one in view.list(Ingress)]
    return ()


def _standing(object_: object) -> tuple[str, ...]:
    """The addresses at which Ingresses are served on the node now."""
    if not isinstance(object_, Node) or not serves(object_) or object_.metadata.deletion_timestamp is not None:
        return ()
    if not any(one.type == "Ready" and one.status == "True" for one in object_.status.conditions):
        return ()
    external = [one.address for one in object_.status.addresses if one.type == "ExternalIP"]
    return tuple(external or [one.address for one in object_.status.addresses if one.type == "InternalIP"])


def _reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    ingress = view.get(Ingress, ref.namespace, ref.name)
    if ingress is None or ingress.metadata.deletion_timestamp is not None:
        return NOTHING
    nodes = {address for node in view.list(Node) for address in _standing(node)}
    served = sorted(nodes) if is_ours(ingress, view) else []
    told = ingress.status.load_balancer
    held = [one.ip for one in told.ingress] if told else []
    if held == served or (not served and not _by_us(held, view)):
        return NOTHING
    status = IngressLoadBalancerStatus(tuple(IngressLoadBalancerIngress(ip=one) for one in served)) if served else None
    return Plan((UpdateStatus(structs.replace(ingress, status=structs.replace(ingress.status, load_balancer=status))),))


def _by_us(addresses: Iterable[str], view: View) -> bool:
    """Whether all of them are of nodes: what another controller has written is left to it."""
    own = {one.address for node in view.list(Node) for one in node.status.addresses}
    return own.issuperset(addresses)


CONTROLLER = Controller("ingress", _concerns, _reconcile)
