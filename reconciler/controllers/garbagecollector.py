"""Garbage collection: what has lost all its owners is deleted, and an owner that waits for what it owned goes last.

An owner is the object with the uid of the reference: another one of the same name is somebody else. An object with
an owner of a kind that is not served, or cluster-scoped with a namespaced owner, is never collected: whether its
owner is there cannot be told. The rules are those of Kubernetes' garbage collector
(https://kubernetes.io/docs/concepts/architecture/garbage-collection/,
https://kubernetes.io/docs/tasks/administer-cluster/use-cascading-deletion/).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Change, Delete, Update
from reconciler.store.deletion import FOREGROUND, ORPHAN
from reconciler.store.view import Event, View
from schemas.kinds import BY_NAME, KINDS
from schemas.meta import Object, OwnerReference, Ref, ref_of

_OWNABLE = tuple(kind.type for kind in KINDS if kind.name != "Event")


def concerns(event: Event, view: View) -> Iterable[Ref]:
    """The object where its owners are new to it or it has begun to wait; whom it waited for, and who waits for it."""
    old, new = event.old, event.new
    if new is None:
        assert old is not None
        return (*map(ref_of, _dependents(old, view)), *_waiting_owners(old, view))
    found = list[Ref]()
    if _owners(old) != _owners(new):
        found.append(ref_of(new))
        found += _waiting_owners(old, view) if old is not None else ()
    if _ending(new) and (old is None or not _ending(old) or old.metadata.finalizers != new.metadata.finalizers):
        # Dependents first: they are to see it wait, so that they wait for their own.
        found += map(ref_of, _dependents(new, view)) if waits(new) else ()
        found.append(ref_of(new))
        found += _waiting_owners(new, view)
    return found


def _owners(object_: Object | None) -> Sequence[OwnerReference]:
    return object_.metadata.owner_references if object_ is not None else ()


def _waiting_owners(object_: Object, view: View) -> Iterator[Ref]:
    for owner in object_.metadata.owner_references:
        found = view.by_uid(owner.uid)
        if found is not None and waits(found):
            yield ref_of(found)


def _dependents(owner: Object, view: View) -> Iterator[Object]:
    for type_ in _OWNABLE:
        yield from view.owned_by(type_, owner.metadata.uid)


def _ending(object_: Object) -> bool:
    return object_.metadata.deletion_timestamp is not None


def waits(object_: Object) -> bool:
    """Is being deleted, and stays until what it owns has gone."""
    return _ending(object_) and FOREGROUND in object_.metadata.finalizers


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.find(ref)
    if found is None:
        return NOTHING
    if waits(found):
        return _let_go(found, view)
    if _ending(found):
        return _set_free(found) if ORPHAN in found.metadata.finalizers else NOTHING
    return _collect(found, view) if found.metadata.owner_references else NOTHING


def _let_go(owner: Object, view: View) -> Plan:
    """An owner that waits goes once nothing is left that blocks it."""
    if any(True for _ in _blocking(owner, view)) and not _in_ring(owner, view):
        return NOTHING
    return Plan((Update(_without(owner, FOREGROUND)),))


def _blocking(owner: Object, view: View) -> Iterator[Object]:
    uid = owner.metadata.uid
    for dependent in _dependents(owner, view):
        if any(one.uid == uid and one.block_owner_deletion for one in dependent.metadata.owner_references):
            yield dependent


def _in_ring(owner: Object, view: View) -> bool:
    """Whether all that it waits for waits in its turn, and for this one too: they would wait for ever."""
    found, ahead = dict[str, Object](), [owner]
    while ahead:
        for one in _blocking(ahead.pop(), view):
            if not waits(one):
                return False
            if one.metadata.uid not in found:
                found[one.metadata.uid] = one
                ahead.append(one)
    return owner.metadata.uid in found


def _set_free(owner: Object) -> Plan:
    """One that was to leave its dependents behind: the delete itself sets them free."""
    return Plan((Delete(ref_of(owner), uid=owner.metadata.uid, orphan=True),))


def _without(object_: Object, finalizer: str) -> Object:
    left = tuple(one for one in object_.metadata.finalizers if one != finalizer)
    return structs.replace(object_, metadata=structs.replace(object_.metadata, finalizers=left))


def _collect(found: Object, view: View) -> Plan:
    """Deletes what has no owner left but such as wait for it; of several owners forgets those that have gone."""
    owners = found.metadata.owner_references
    waiting = tuple(owner for owner in owners if (one := _present(owner, found, view)) is not None and waits(one))
    solid = tuple(owner for owner in owners if owner not in waiting and not _is_gone(owner, found, view))
    if solid:
        return NOTHING if solid == owners else Plan((Update(_owned(found, solid)),))
    if waiting and any(True for _ in _dependents(found, view)):
        return Plan((*_unblocked(found, view), Delete(ref_of(found), uid=found.metadata.uid, foreground=True)))
    delete = Delete(
        ref_of(found),
        uid=found.metadata.uid,
        orphan=ORPHAN in found.metadata.finalizers,
        foreground=FOREGROUND in found.metadata.finalizers,
    )
    return Plan((delete,))


def _unblocked(found: Object, view: View) -> Iterator[Change]:
    """Breaks a ring: where what it owns waits for it too, it must block none of its owners."""
    if any(waits(dependent) for dependent in _dependents(found, view)):
        owners = tuple(
            structs.replace(owner, block_owner_deletion=False) if owner.block_owner_deletion else owner
            for owner in found.metadata.owner_references
        )
        yield Update(_owned(found, owners))


def _owned(object_: Object, owners: Sequence[OwnerReference]) -> Object:
    return structs.replace(object_, metadata=structs.replace(object_.metadata, owner_references=tuple(owners)))


def _present(owner: OwnerReference, dependent: Object, view: View) -> Object | None:
    """The owner that the reference means, if it is there."""
    found = view.by_uid(owner.uid)
    named = Ref(owner.kind, found.metadata.namespace, owner.name) if found is not None else None
    if found is None or ref_of(found) != named or found.metadata.namespace not in ("", dependent.metadata.namespace):
        return None
    return found


def _is_gone(owner: OwnerReference, dependent: Object, view: View) -> bool:
    kind = BY_NAME.get(owner.kind)
    if kind is None or owner.api_version.rpartition("/")[0] != kind.group:
        return False
    if kind.namespaced and not dependent.metadata.namespace:
        return False
    return _present(owner, dependent, view) is None


CONTROLLER = Controller("garbagecollector", concerns, reconcile)
