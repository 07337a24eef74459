"""Garbage collection: what has lost all its owners is deleted in the background.

What is deleted in the foreground stays until its dependents have gone, as far as they ask for that. An owner is the
object with the uid of the reference: another one of the same name is somebody else
(https://kubernetes.io/docs/concepts/architecture/garbage-collection/).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Delete, Update
from reconciler.store.deletion import FOREGROUND
from reconciler.store.view import Event, View
from schemas.kinds import KINDS
from schemas.meta import Object, OwnerReference, Ref, ref_of

BATCH = 500
"""Objects deleted in one commit at most."""
_OWNABLE = tuple(kind.type for kind in KINDS if kind.name != "Event")


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """Of a deleted object its dependents, and owners that wait for it; of another one itself, where it matters."""
    if event.new is None:
        return (*_dependents(event.object, view), *_waiting(event.object, view))
    if _waits(event.new):
        return (ref_of(event.new),)
    owners = event.new.metadata.owner_references
    if not owners or (event.old is not None and event.old.metadata.owner_references == owners):
        return ()
    return (ref_of(event.new),)


def _dependents(owner: Object, view: View) -> Iterator[Ref]:
    for type_ in _OWNABLE:
        for dependent in view.owned_by(type_, owner.metadata.uid):
            yield ref_of(dependent)


def _waits(object_: Object) -> bool:
    return object_.metadata.deletion_timestamp is not None and FOREGROUND in object_.metadata.finalizers


def _waiting(dependent: Object, view: View) -> Iterator[Ref]:
    """Its owners that go only after it."""
    for owner in dependent.metadata.owner_references:
        found = view.by_uid(owner.uid)
        if found is not None and _waits(found):
            yield ref_of(found)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.find(ref)
    if found is not None and _waits(found):
        return _foreground(found, view)
    if found is None or not found.metadata.owner_references or found.metadata.deletion_timestamp is not None:
        return NOTHING
    solid = tuple(owner for owner in found.metadata.owner_references if _exists(owner, ref.namespace, view))
    if len(solid) == len(found.metadata.owner_references):
        return NOTHING
    if solid:
        metadata = structs.replace(found.metadata, owner_references=solid)
        return Plan((Update(structs.replace(found, metadata=metadata)),))
    return Plan((Delete(ref, uid=found.metadata.uid),))


def _foreground(owner: Object, view: View) -> Plan:
    """Ends what belongs to it alone, and lets it go once nothing is left that it has to wait for."""
    uid = owner.metadata.uid
    dependents = [found for type_ in _OWNABLE for found in view.owned_by(type_, uid)]
    if not any(_blocks(dependent, uid) for dependent in dependents):
        finalizers = tuple(one for one in owner.metadata.finalizers if one != FOREGROUND)
        return Plan((Update(structs.replace(owner, metadata=structs.replace(owner.metadata, finalizers=finalizers))),))
    present = (dependent for dependent in dependents if dependent.metadata.deletion_timestamp is None)
    return Plan(tuple(_let_go(dependent, uid, view) for dependent in present)[:BATCH])


def _let_go(dependent: Object, uid: str, view: View) -> Delete | Update:
    """Ends the dependent, unless it has another owner that stays: then it is only no longer this one's."""
    metadata = dependent.metadata
    if _is_doomed(dependent, view):
        has_own = next(_dependents(dependent, view), None) is not None
        return Delete(ref_of(dependent), uid=metadata.uid, foreground=has_own)
    owners = tuple(owner for owner in metadata.owner_references if owner.uid != uid)
    return Update(structs.replace(dependent, metadata=structs.replace(metadata, owner_references=owners)))


def _blocks(dependent: Object, uid: str) -> bool:
    return any(one.uid == uid and one.block_owner_deletion for one in dependent.metadata.owner_references)


def _is_doomed(dependent: Object, view: View) -> bool:
    """Whether every owner has gone, or waits to go."""
    owners = (view.by_uid(owner.uid) for owner in dependent.metadata.owner_references)
    return all(owner is None or _waits(owner) for owner in owners)


def _exists(owner: OwnerReference, namespace: str, view: View) -> bool:
    found = view.by_uid(owner.uid)
    return found is not None and found.kind == owner.kind and found.metadata.namespace in ("", namespace)


CONTROLLER = Controller("garbagecollector", concerns, reconcile)
