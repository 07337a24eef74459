"""How an object ends, as in the Kubernetes API server.

An object with finalizers is marked and stays until the last of them is taken off. A pod that is bound and has not
ended is marked with the time by which its node must have stopped it; a further delete may only shorten
that time. Everything else goes at once
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from reconciler.store.changes import Delete
from reconciler.store.preconditions import present
from reconciler.store.view import View
from schemas.core.config import Namespace
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Object, ObjectMeta, Ref, ref_of

Write = tuple[Ref, Object | None]

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that stays until what it owned has gone; the garbage collector takes it off."""
ORPHAN = "orphan"
"""The finalizer of an object that leaves behind what it owned."""


def plan_delete(change: Delete, view: View, now: datetime) -> tuple[Write, ...]:
    """The object marked or removed, and its dependents set free where `orphan` asks for it."""
    doomed = present(view, change.ref, change.uid, change.resource_version)
    orphan = change.orphan or (ORPHAN in doomed.metadata.finalizers and not (change.foreground or change.background))
    freed = tuple(_freed(view, doomed.metadata.uid)) if orphan else ()
    finalizers = _finalizers(doomed.metadata.finalizers, change, orphan=orphan)
    if finalizers != doomed.metadata.finalizers:
        doomed = _with(doomed, replace(doomed.metadata, finalizers=finalizers))
    marked = _marked(doomed, change.grace_seconds, now)
    if is_over(marked):
        return ((change.ref, None), *freed)
    return freed if marked is view.find(change.ref) else ((change.ref, marked), *freed)


def _finalizers(before: tuple[str, ...], change: Delete, *, orphan: bool) -> tuple[str, ...]:
    """How the object ends is told anew by each delete that says so; one that does not leaves it as it is."""
    foreground = change.foreground or (FOREGROUND in before and not (orphan or change.background))
    others = tuple(one for one in before if one not in (FOREGROUND, ORPHAN))
    if not foreground:
        return others if len(others) < len(before) else before
    return before if before == (*others, FOREGROUND) else (*others, FOREGROUND)


def is_over(object_: Object) -> bool:
    """Whether an object that was deleted has nothing left to wait for."""
    metadata = object_.metadata
    if metadata.deletion_timestamp is None or metadata.finalizers:
        return False
    if isinstance(object_, Namespace) and object_.spec.finalizers:
        return False
    return not metadata.deletion_grace_period_seconds


def _marked(object_: Object, grace_seconds: int | None, now: datetime) -> Object:
    """The object as it is once the delete is asked for, whether or not anything holds it back."""
    metadata = object_.metadata
    if metadata.deletion_timestamp is None:
        return _with(_terminating(object_), _first_mark(object_, _grace(object_, grace_seconds), now))
    left = metadata.deletion_grace_period_seconds or 0
    if grace_seconds is None or not isinstance(object_, Pod):
        return object_
    wanted = _at_least_one(grace_seconds)
    if wanted >= left:
        return object_
    earlier = metadata.deletion_timestamp - timedelta(seconds=left - wanted)
    return _with(object_, replace(metadata, deletion_timestamp=earlier, deletion_grace_period_seconds=wanted))


def _first_mark(object_: Object, grace: int, now: datetime) -> ObjectMeta:
    metadata = object_.metadata
    return replace(
        metadata,
        deletion_timestamp=now + timedelta(seconds=grace),
        # A namespace ends when it is empty: no time is given, not even none.
        deletion_grace_period_seconds=None if isinstance(object_, Namespace) else grace,
        generation=metadata.generation + 1 if metadata.generation else 0,
    )


def _grace(object_: Object, asked: int | None) -> int:
    """Seconds that the object is given, 0 for all but a pod that a node runs."""
    if not isinstance(object_, Pod) or not object_.spec.node_name or object_.status.phase in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return _at_least_one(asked)
    own = object_.spec.termination_grace_period_seconds
    return 30 if own is None else _at_least_one(own)


def _at_least_one(seconds: int) -> int:
    # What is negative is taken for the shortest grace there is, not for none.
    return 1 if seconds < 0 else seconds


def _terminating(object_: Object) -> Object:
    if not isinstance(object_, Namespace):
        return object_
    return replace(object_, status=replace(object_.status, phase="Terminating"))


def _with(object_: Object, metadata: ObjectMeta) -> Object:
    return replace(object_, metadata=metadata)


def _freed(view: View, uid: str) -> Iterator[Write]:
    for kind in KINDS:
        for dependent in view.owned_by(kind.type, uid):
            metadata = dependent.metadata
            owners = tuple(owner for owner in metadata.owner_references if owner.uid != uid)
            yield ref_of(dependent), _with(dependent, replace(metadata, owner_references=owners))
