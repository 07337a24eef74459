"""ResourceQuota: what a namespace may use and uses, told in the quota's status.

Usage is counted over the objects each time, as admission counts it (`reconciler.admission.quota`), so that nothing is
told that admission does not go by. Follows https://kubernetes.io/docs/concepts/policy/resource-quotas/.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from msgspec import structs

from reconciler.admission import quota as usages
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import UpdateStatus
from reconciler.store.view import Event, View
from schemas.core.quota import ResourceQuota, ResourceQuotaStatus
from schemas.kinds import KINDS
from schemas.meta import Object, Quantity, Ref, ref_of
from schemas.quantity import canonical

_PLAIN = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_OF_CLASS = ".storageclass.storage.k8s.io/"


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The quota itself; of any other object the quotas of its namespace, where it uses more or less than before."""
    if isinstance(event.new, ResourceQuota) and event.old is not None:
        return (ref_of(event.new),)
    namespace = event.object.metadata.namespace
    quotas = view.list(ResourceQuota, namespace) if namespace else ()
    if not quotas or _uses(event.old) == _uses(event.new):
        return ()
    return [ref_of(one) for one in quotas]


def _uses(object_: Object | None) -> object:
    """What is counted of an object, and what may bring it under another scope."""
    if object_ is None:
        return None
    return usages.usage(object_), getattr(getattr(object_, "spec", None), "active_deadline_seconds", None)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(ResourceQuota, ref.namespace, ref.name)
    if found is None or found.metadata.deletion_timestamp is not None:
        return NOTHING
    hard = {name: canonical(quantity) for name, quantity in found.spec.hard.items()}
    status = ResourceQuotaStatus(hard=dict[str, Quantity](hard), used=used(found, view))
    if status == found.status:
        return NOTHING
    return Plan((UpdateStatus(structs.replace(found, status=status)),))


def used(found: ResourceQuota, view: View) -> dict[str, Quantity]:
    """By the names that the quota limits; one that is the name of nothing known is left out."""
    counted = {name: counts for name in found.spec.hard if (counts := counted_by(name))}
    amounts: dict[str, Quantity] = dict.fromkeys(counted, "0")
    for type_ in dict.fromkeys(counted.values()):
        of_type = usages.used_of(found, view, type_)
        amounts |= {name: canonical(of_type[name]) for name, by in counted.items() if by is type_ and name in of_type}
    return amounts


@lru_cache(maxsize=256)
def counted_by(name: str) -> type[Object] | None:
    """The kind whose objects use what a quota names so, None where none does."""
    for kind in KINDS:
        resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        if name == f"count/{resource}" or (name == resource and name in _PLAIN):
            return kind.type
    if name.startswith("count/"):
        return None
    plural = "pods"
    if name.startswith("services."):
        plural = "services"
    elif name == "requests.storage" or _OF_CLASS in name:
        plural = "persistentvolumeclaims"
    elif not name.startswith(("requests.", "limits.", "hugepages-")) and name not in _COMPUTE:
        return None
    return next(kind.type for kind in KINDS if kind.plural == plural)


CONTROLLER = Controller("resourcequota", concerns, reconcile)
