"""Every namespace has a ConfigMap `kube-root-ca.crt` with the authority that signed the API's certificate.

Pods mount it to know whom they talk to. As Kubernetes' root-ca-cert-publisher keeps it.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Create, Update
from reconciler.store.view import Event, View
from schemas.core.config import ConfigMap, Namespace
from schemas.meta import ObjectMeta, Ref

NAME = "kube-root-ca.crt"
KEY = "ca.crt"
_NOTE = {
    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using "
    "internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed "
    "across distributions of Kubernetes clusters."
}
"""The words of Kubernetes: programs compare them."""


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """A namespace that is new, or was there at the start, and that of the ConfigMap."""
    found = event.object
    if isinstance(found, Namespace) and event.old is None:
        return (Ref("Namespace", "", found.metadata.name),)
    if isinstance(found, ConfigMap) and found.metadata.name == NAME:
        return (Ref("Namespace", "", found.metadata.namespace),)
    return ()


def rootca(authority: str) -> Controller:
    """The controller that keeps this certificate (PEM) in every namespace."""

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        namespace = view.get(Namespace, "", ref.name)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return NOTHING
        found, data = view.get(ConfigMap, ref.name, NAME), {KEY: authority}
        if found is None:
            metadata = ObjectMeta(name=NAME, namespace=ref.name, annotations=_NOTE)
            return Plan((Create(ConfigMap(metadata=metadata, data=data)),))
        if found.data == data:
            return NOTHING
        annotations = found.metadata.annotations | _NOTE
        metadata = structs.replace(found.metadata, annotations=annotations)
        return Plan((Update(structs.replace(found, metadata=metadata, data=data)),))

    return Controller("rootca", concerns, reconcile)
