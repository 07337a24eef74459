"""Garbage collection: what has lost all its owners is deleted in the background.

An owner is the object with the uid of the reference: another one of the same name is somebody else
(https://kubernetes.io/docs/concepts/architecture/garbage-collection/).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Delete, Update
from reconciler.store.view import Event, View
from schemas.kinds import KINDS
from schemas.meta import Object, OwnerReference, Ref, ref_of

_OWNABLE = tuple(kind.type for kind in KINDS if kind.name != "Event")


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Of a deleted object its dependents; of another one itself, where its owners are new to it."""
    if event.new is None:
        return tuple(_dependents(event.object, view))
    owners = event.new.metadata.owner_references
    if not owners or (event.old is not None and event.old.metadata.owner_references == owners):
        return ()
    return (ref_of(event.new),)


def _dependents(owner: Object, view: View) -> Iterator[Ref]:
    for type_ in _OWNABLE:
        for dependent in view.owned_by(type_, owner.metadata.uid):
            yield ref_of(dependent)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.find(ref)
    if found is None or not found.metadata.owner_references or found.metadata.deletion_timestamp is not None:
        return NOTHING
    solid = tuple(owner for owner in found.metadata.owner_references if _exists(owner, ref.namespace, view))
    if len(solid) == len(found.metadata.owner_references):
        return NOTHING
    if solid:
        metadata = structs.replace(found.metadata, owner_references=solid)
        return Plan((Update(structs.replace(found, metadata=metadata)),))
    return Plan((Delete(ref, uid=found.metadata.uid),))


def _exists(owner: OwnerReference, namespace: str, view: View) -> bool:
    found = view.by_uid(owner.uid)
    return found is not None and found.kind == owner.kind and found.metadata.namespace in ("", namespace)


CONTROLLER = Controller("garbagecollector", concerns, reconcile)
