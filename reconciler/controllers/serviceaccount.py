"""Every namespace has a ServiceAccount `default`, which its pods have where they name no other."""

from collections.abc import Iterable
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Create
from reconciler.store.view import Event, View
from schemas.core.config import Namespace, ServiceAccount
from schemas.meta import ObjectMeta, Ref

NAME = "default"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A namespace that is new, and that of a `default` which is gone."""
    found = event.object
    if isinstance(found, Namespace) and event.old is None:
        return (Ref("Namespace", "", found.metadata.name),)
    if isinstance(found, ServiceAccount) and event.new is None and found.metadata.name == NAME:
        return (Ref("Namespace", "", found.metadata.namespace),)
    return ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    namespace = view.get(Namespace, "", ref.name)
    if namespace is None or namespace.metadata.deletion_timestamp is not None:
        return NOTHING
    if view.get(ServiceAccount, ref.name, NAME) is not None:
        return NOTHING
    return Plan((Create(ServiceAccount(metadata=ObjectMeta(name=NAME, namespace=ref.name))),))


CONTROLLER = Controller("serviceaccount", concerns, reconcile)
