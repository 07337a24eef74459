"""Namespaces: one that is deleted takes all its objects along, and goes when the last of them has gone."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Delete, Update, UpdateStatus
from reconciler.store.view import Event, View
from schemas.core.config import Namespace
from schemas.kinds import KINDS
from schemas.meta import Object, Ref, ref_of

FINALIZER = "kubernetes"
BATCH = 500
"""Objects deleted in one commit at most."""
_INSIDE = tuple(kind.type for kind in KINDS if kind.namespaced)


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The namespace itself; of what comes into or goes from a namespace that is ending, that one."""
    if isinstance(event.object, Namespace):
        return () if event.new is None else (ref_of(event.new),)
    name = event.object.metadata.namespace
    if not name or (event.old is not None and event.new is not None):
        return ()
    found = view.get(Namespace, "", name)
    return (ref_of(found),) if found is not None and _ending(found) else ()


def _ending(namespace: Namespace) -> bool:
    return namespace.metadata.deletion_timestamp is not None


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    namespace = view.get(Namespace, "", ref.name)
    if namespace is None:
        return NOTHING
    phase = "Terminating" if _ending(namespace) else "Active"
    if namespace.status.phase != phase:
        status = structs.replace(namespace.status, phase=phase)
        return Plan((UpdateStatus(structs.replace(namespace, status=status)),))
    if not _ending(namespace):
        return NOTHING
    inside = [found for type_ in _INSIDE for found in view.list(type_, ref.name)]
    if inside:
        return Plan(tuple(_delete(found) for found in inside if found.metadata.deletion_timestamp is None)[:BATCH])
    left = tuple(one for one in namespace.spec.finalizers if one != FINALIZER)
    if left == namespace.spec.finalizers:
        return NOTHING  # Somebody else's finalizer is waited for.
    return Plan((Update(structs.replace(namespace, spec=structs.replace(namespace.spec, finalizers=left))),))


def _delete(found: Object) -> Delete:
    return Delete(ref_of(found), uid=found.metadata.uid)


CONTROLLER = Controller("namespace", concerns, reconcile)
