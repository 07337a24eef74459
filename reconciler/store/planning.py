"""What a change means: (change, the cluster, now, a source of names) → the objects to write.

Pure. The rules are the Kubernetes API server's: what a writer may set, when the generation grows, and how an
object ends (https://kubernetes.io/docs/reference/using-api/api-concepts/). Objects keep the resourceVersion
that they have in the view; the commit gives them their next one.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.store.changes import (
    AlreadyExists,
    Bind,
    Change,
    ChangeError,
    Create,
    Delete,
    Emit,
    Update,
    UpdateStatus,
)
from reconciler.store.deletion import Write, is_over, plan_delete
from reconciler.store.events import event_name, event_of, present_event
from reconciler.store.preconditions import present
from reconciler.store.scheduled import with_edit
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.core.reference import ObjectReference
from schemas.kinds import BY_NAME
from schemas.meta import Object, ObjectMeta, Ref, ref_of, with_status
from schemas.scheduling import PriorityClass

Admit = Callable[[Object, View], Object]
"""Completes an object before it is created, or refuses it with a `ChangeError`."""

Amend = Callable[[Object, Object, View], Object]
"""Completes the new version of an object, given the one that is there, or refuses it with a `ChangeError`."""

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
_STEM_LENGTH = 63 - SUFFIX_LENGTH
_NAME_TRIES = 8

_UNCOUNTED = frozenset(
    {
        "CSIDriver",
        "CertificateSigningRequest",
        "HorizontalPodAutoscaler",
        "Lease",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "ResourceQuota",
        "Service",
        "VolumeAttachment",
    }
)
"""Kinds with a spec whose generation Kubernetes does not count."""
_COUNTED = frozenset({"EndpointSlice", "PodTemplate", "PriorityClass"})
"""Kinds without a spec that have a generation all the same."""


def suffix_of(seed: str) -> str:
    """Five characters that follow from the seed, where chance would keep a plan from being replayed."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    letters = []
    for _ in range(SUFFIX_LENGTH):
        number, index = divmod(number, len(SUFFIX_ALPHABET))
        letters.append(SUFFIX_ALPHABET[index])
    return "".join(letters)


class Mint(NamedTuple):
    """Where what must be new comes from."""

    uid: Callable[[], str]
    suffix: Callable[[], str]
    """Five characters of `SUFFIX_ALPHABET`."""


class Planned(NamedTuple):
    """The objects that a change writes (None: removes), and the one it is about, if any."""

    ref: Ref | None
    writes: tuple[Write, ...]
    durable: bool = True


def unamended(new: Object, old: Object, view: View) -> Object:
    return new


def plan(change: Change, view: View, now: datetime, mint: Mint, admit: Admit, amend: Amend = unamended) -> Planned:
    """Works one change out against the view. `now` is in whole seconds, UTC. Raises `ChangeError`."""
    match change:
        case Create():
            object_ = _created(change.object, view, now, mint, admit)
            return Planned(ref_of(object_), ((ref_of(object_), object_),))
        case Update():
            return _update(change.object, view, amend, now)
        case UpdateStatus():
            return _update_status(change, view)
        case Bind():
            ref, metadata = ref_of(change.object), change.object.metadata
            present(view, ref, metadata.uid, metadata.resource_version)
            return Planned(ref, ((ref, change.object),))
        case Delete():
            return Planned(change.ref, plan_delete(change, view, now), durable=change.ref.kind != "Event")
        case Emit():
            return _emit(change, view, now, mint)


def _created(object_: Object, view: View, now: datetime, mint: Mint, admit: Admit) -> Object:
    _check_place(object_)
    named = _named(object_, view, mint)
    stamped = _stamped(named, now, mint)
    if view.find(ref_of(stamped)) is not None:
        raise AlreadyExists(ref_of(stamped), f"{ref_of(stamped)} already exists")
    return admit(stamped, view)


def _check_place(object_: Object) -> None:
    ref, kind = ref_of(object_), BY_NAME.get(object_.kind)
    if kind is None:
        raise ChangeError(ref, f"{ref}: the kind {object_.kind!r} is not served")
    if kind.namespaced != bool(ref.namespace):
        what = "needs a metadata.namespace" if kind.namespaced else "takes no metadata.namespace"
        raise ChangeError(ref, f"{ref}: a {kind.name} {what}")


def _named(object_: Object, view: View, mint: Mint) -> Object:
    metadata = object_.metadata
    if metadata.name:
        return object_
    if not metadata.generate_name:
        raise ChangeError(ref_of(object_), f"{object_.kind}: metadata.name or metadata.generateName is required")
    stem = metadata.generate_name[:_STEM_LENGTH]
    for _ in range(_NAME_TRIES):
        ref = Ref(object_.kind, metadata.namespace, stem + mint.suffix())
        if view.find(ref) is None:
            return replace(object_, metadata=replace(metadata, name=ref.name))
    raise AlreadyExists(ref, f"{ref} already exists, and so did all other names tried for {stem!r}; try again")


def first_generation(object_: Object) -> int:
    """The generation of a new object, 0 where it is not counted."""
    counted = object_.kind in _COUNTED or (object_.kind not in _UNCOUNTED and hasattr(object_, "spec"))
    return 1 if counted else 0


def _stamped(object_: Object, now: datetime, mint: Mint) -> Object:
    return replace(
        object_,
        metadata=replace(
            object_.metadata,
            uid=mint.uid(),
            creation_timestamp=now,
            deletion_timestamp=None,
            deletion_grace_period_seconds=None,
            generation=first_generation(object_),
            resource_version="",
            self_link="",
        ),
    )


def _update(object_: Object, view: View, amend: Amend, now: datetime) -> Planned:
    ref, metadata = ref_of(object_), object_.metadata
    old = present(view, ref, metadata.uid, metadata.resource_version)
    if type(old) is not type(object_):
        raise ChangeError(ref, f"{ref}: is a {type(old).__name__} and cannot become a {type(object_).__name__}")
    _check_finalizers(ref, old.metadata, metadata)
    new = with_edit(amend(with_status(object_, old), old, view), old, now)
    grown = old.metadata.generation > 0 and _asks_otherwise(old, new)
    new = replace(
        new,
        metadata=replace(
            new.metadata,
            uid=old.metadata.uid,
            creation_timestamp=old.metadata.creation_timestamp,
            deletion_timestamp=old.metadata.deletion_timestamp,
            deletion_grace_period_seconds=old.metadata.deletion_grace_period_seconds,
            generation=old.metadata.generation + grown,
            resource_version=old.metadata.resource_version,
            self_link="",
        ),
    )
    if is_over(new):
        return Planned(ref, ((ref, None),))
    return Planned(ref, () if new == old else ((ref, new),))


def _check_finalizers(ref: Ref, old: ObjectMeta, new: ObjectMeta) -> None:
    added = set(new.finalizers) - set(old.finalizers)
    if old.deletion_timestamp is not None and added:
        raise ChangeError(
            ref,
            f"{ref}: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
            f"found new finalizers {sorted(added)}",
        )


def _asks_otherwise(old: Object, new: Object) -> bool:
    """Whether the new version wants something else. Being bound to a node is no change of what a pod wants.

    The generation of a PriorityClass stays what it was, as in Kubernetes.
    """
    if isinstance(old, PriorityClass):
        return False
    if isinstance(old, Pod) and isinstance(new, Pod) and not old.spec.node_name:
        old = replace(old, spec=replace(old.spec, node_name=new.spec.node_name))
    names = (name for name in old.__struct_fields__ if name not in ("api_version", "kind", "metadata", "status"))
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _update_status(change: UpdateStatus, view: View) -> Planned:
    ref, metadata = ref_of(change.object), change.object.metadata
    old = present(view, ref, metadata.uid, metadata.resource_version)
    if not hasattr(old, "status"):
        raise ChangeError(ref, f"{ref}: a {ref.kind} has no status; use Update")
    new = with_status(old, change.object)
    return Planned(ref, () if new == old else ((ref, new),), change.durable)


def _emit(change: Emit, view: View, now: datetime, mint: Mint) -> Planned:
    old, about = present_event(change, view), change.regarding
    known = old or event_name(change, view, now)
    if isinstance(about, ObjectReference):
        new = event_of(change, known, now, view.find(Ref(about.kind, about.namespace, about.name)))
    else:
        new = event_of(change, known, now, about)
    if new == old:
        return Planned(None, (), durable=False)
    return Planned(None, ((ref_of(new), new if old else _stamped(new, now, mint)),), durable=False)
