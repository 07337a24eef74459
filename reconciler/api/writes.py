"""Create, update and patch: from a request's document to one change of the cluster.

A document is decoded strictly, defaulted, validated and then applied; nothing is changed where any of that fails.
A patch is tried again on the newest version where another writer came in between.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
from msgspec import structs

from reconciler.admission import nodes, podsecurity
from reconciler.api import certificaterequests, declared, rules, templategeneration
from reconciler.api.bodies import Document, document_of, read
from reconciler.api.ephemeral import EPHEMERAL, with_ephemeral
from reconciler.api.owners import entries_of, to_record
from reconciler.api.reads import get
from reconciler.api.resizing import RESIZE, with_resources
from reconciler.api.spelledout import spelled_out
from reconciler.api.status import (
    Cause,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    modified,
    not_found,
    of_change_error,
)
from reconciler.api.target import FINALIZE, Target
from reconciler.store.changes import Change, ChangeError, Conflict, Create, Update, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.planning import first_generation
from reconciler.store.view import View
from schemas import views
from schemas.core.config import Namespace
from schemas.core.pod import Pod
from schemas.decode import FieldValidation
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.fieldowners import Writer, after_update
from schemas.kinds import BY_NAME, Kind
from schemas.leftovers import without_leftovers
from schemas.meta import ManagedFieldsEntry, Object, ObjectMeta, ref_of, with_status

_ATTEMPTS = 5
_BY_SERVER = {
    "creation_timestamp": None,
    "deletion_grace_period_seconds": None,
    "deletion_timestamp": None,
    "generation": 0,
    "managed_fields": (),
    "resource_version": "",
    "self_link": "",
    "uid": "",
}
"""Metadata that the server alone writes, and what a new object has of it."""


class Written(msgspec.Struct, frozen=True):
    """What a write left behind, and what the writer should know."""

    object: Object
    warnings: tuple[str, ...] = ()


def _refuse(kind: Kind, name: str, faults: Sequence[Fault]) -> tuple[str, ...]:
    """Raises the 422 where a fault is an error; returns the warnings."""
    if any(fault.severity == "error" for fault in faults):
        raise invalid(kind.name, kind.group, name, faults)
    return tuple(str(fault) for fault in faults)


class Terms(msgspec.Struct, frozen=True):
    """How a write is meant. `manager` names the writer in `metadata.managedFields`."""

    manager: str = "unknown"
    unknown: FieldValidation = "Strict"
    dry: bool = False
    repeated: tuple[str, ...] = ()
    """Fields that the body gave more than once."""
    check: Callable[[Object, Object | None], None] = lambda new, present: None
    """Raises the 403 where the writer may not make this of what is there."""
    stamp: Callable[[Object], Object] = lambda new: new
    """Notes on a new object who made it, where its kind tells."""


def writer(target: Target, terms: Terms, part: str = "") -> Writer:
    """Who the write is by. A number of replicas is written without a time, as in Kubernetes."""
    return Writer(terms.manager, target.kind.api_version, None if part == "scale" else now(), part)


def now() -> datetime:
    """In whole seconds, as objects tell times."""
    return datetime.now(UTC).replace(microsecond=0)


async def create(cluster: Cluster, target: Target, document: Document, terms: Terms) -> Written:
    """A new object."""
    found = read(target, document, terms.unknown, terms.repeated)
    metadata = found.object.metadata
    if metadata.resource_version:
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not metadata.name and not metadata.generate_name:
        message = "Required value: name or generateName is required"
        raise invalid(target.kind.name, target.kind.group, "", [Fault(("metadata", "name"), message)])
    object_ = templategeneration.first(_fresh(found.object))
    terms.check(object_, None)
    entries = _of_maker(target, object_, writer(target, terms))
    owned = terms.stamp(_owned(object_, entries))
    return await insert(cluster, target, owned, found.warnings, dry=terms.dry)


def _of_maker(target: Target, object_: Object, by: Writer) -> tuple[ManagedFieldsEntry, ...]:
    """The entry of who makes the object, in the form that it was made in."""
    if target.view is None:
        return after_update(target.kind.type, (), None, msgspec.to_builtins(object_), by)
    shown = views.of(target.view).shown(object_)
    told = {name: value for name, value in msgspec.to_builtins(shown).items() if value not in (None, {})}
    return after_update(type(shown), (), None, told, structs.replace(by, api_version=target.view.api_version))


async def insert(
    cluster: Cluster, target: Target, object_: Object, warnings: tuple[str, ...] = (), *, dry: bool
) -> Written:
    """Takes a new object in, unless it breaks a rule."""
    metadata = object_.metadata
    check_namespace(cluster.cache, target, metadata.name)
    object_ = nodes.tainted(object_)
    named = metadata if metadata.name else structs.replace(metadata, name=f"{metadata.generate_name}xxxxx")
    stamped = structs.replace(
        named,
        uid=str(uuid4()),
        creation_timestamp=datetime.now(UTC).replace(microsecond=0),
        generation=first_generation(object_),
    )
    faults = rules.of_new(target, structs.replace(object_, metadata=named), stamped.uid)
    warnings += _refuse(target.kind, named.name, faults)
    warnings += podsecurity.warnings(object_, cluster.cache)
    try:
        would_be = cluster.admitted(structs.replace(object_, metadata=stamped))
    except ChangeError as error:
        raise of_change_error(error) from error
    if metadata.name and cluster.cache.find(ref_of(object_)) is not None:
        raise already_exists(target.kind, metadata.name)
    if dry:
        return Written(would_be, warnings)
    (created,) = await carry_out(cluster, Create(object_))
    return Written(created, warnings)


def _owned(object_: Object, entries: tuple[ManagedFieldsEntry, ...]) -> Object:
    if entries == object_.metadata.managed_fields:
        return object_
    return structs.replace(object_, metadata=structs.replace(object_.metadata, managed_fields=entries))


def _fresh(object_: Object) -> Object:
    """Without what only the server writes; the status begins as the defaults have it."""
    object_ = structs.replace(object_, metadata=structs.replace(object_.metadata, **_BY_SERVER))
    status = getattr(object_, "status", None)
    return object_ if status is None else defaulted(structs.replace(object_, status=type(status)()))


def check_namespace(view: View, target: Target, name: str) -> None:
    """A namespaced object needs its namespace, and one that is not ending."""
    if not target.kind.namespaced:
        return
    if target.namespace is None:
        raise bad_request("an object of this kind is created in a namespace: the path names none")
    namespace = view.get(Namespace, "", target.namespace)
    if namespace is None:
        raise not_found(BY_NAME["Namespace"], target.namespace)
    if namespace.metadata.deletion_timestamp is not None:
        why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
        cause = f"namespace {target.namespace} is being terminated"
        raise forbidden(target.kind, name, why, Cause("NamespaceTerminating", cause, "metadata.namespace"))


async def update(cluster: Cluster, target: Target, document: Document, terms: Terms) -> Written:
    """The whole object anew (or the part that the target names)."""
    return await patch(cluster, target, lambda _: document, terms, is_whole=True)


async def patch(
    cluster: Cluster,
    target: Target,
    change: Callable[[Document], Document],
    terms: Terms,
    part: str = "",
    *,
    is_whole: bool = False,
) -> Written:
    """The object with a change to its document. `part` tells as what it is written, where not as the target's;
    `is_whole` that the change is the client's own document."""

    async def attempt() -> Written:
        present = get(cluster.cache, target)
        changed = change(document_of(present))
        found = read(target, changed, terms.unknown, terms.repeated, is_patched=not is_whole)
        new = templategeneration.next_of(_merged(target, present, found.object), present)
        new = certificaterequests.kept(new, present, target.subresource, now())
        terms.check(new, present)
        entries = _entries(
            target, present, new, found.object.metadata, writer(target, terms, part or target.subresource)
        )
        owned = _owned(new, entries)
        return await replace(cluster, target, present, owned, found.warnings, dry=terms.dry, part=part)

    return await persist(attempt)


async def persist(attempt: Callable[[], Awaitable[Written]]) -> Written:
    """Tries again where another writer came in between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except Overtaken:
            continue
    return await attempt()


def check_identity(target: Target, present: Object, given: ObjectMeta) -> None:
    """Raises the 400 or 409 where another object, or another version of it, is meant."""
    kind, name = target.kind, target.name
    if given.name != name:
        raise bad_request(f"the name of the object ({given.name}) does not match the name on the URL ({name})")
    if given.uid and given.uid != present.metadata.uid:
        key = "/".join(filter(None, ("/registry", kind.plural, target.place, name)))
        why = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: {present.metadata.resource_version}, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {given.uid}, "
            f"UID in object meta: {present.metadata.uid}"
        )
        raise conflict(kind, name, why)
    if given.resource_version and not (given.resource_version.isascii() and given.resource_version.isdecimal()):
        raise StatusError(500, "", f'strconv.ParseUint: parsing "{given.resource_version}": invalid syntax')
    if given.resource_version not in ("", present.metadata.resource_version):
        raise modified(kind, name)


async def replace(
    cluster: Cluster,
    target: Target,
    present: Object,
    new: Object,
    warnings: tuple[str, ...] = (),
    *,
    dry: bool,
    part: str = "",
) -> Written:
    """Puts the new version in the present one's place, unless it breaks a rule or changes what the folder declares."""
    of_status = target.is_of_status
    object_ = declared.kept(without_leftovers(new, present), present)
    warnings += _refuse(target.kind, target.name, rules.of_changed(target, object_, present))
    if not of_status:
        object_ = _amended(cluster, object_, present)
    if object_ == present:
        return Written(present, warnings)
    if not of_status:
        declared.refuse(present, object_, part)
    if dry:
        return Written(object_, warnings)
    left = await carry_out(cluster, *_changes(present, object_, status=of_status))
    return Written(left[-1] if left else object_, warnings)  # none is left where its last finalizer fell


def _amended(cluster: Cluster, new: Object, present: Object) -> Object:
    try:
        return cluster.amended(new, present)
    except ChangeError as error:
        raise of_change_error(error) from error


def _changes(present: Object, new: Object, *, status: bool) -> Sequence[Change]:
    if not status:
        return (Update(new),)
    if new.metadata == present.metadata:
        return (UpdateStatus(new),)
    return Update(structs.replace(present, metadata=new.metadata)), UpdateStatus(new)


def _merged(target: Target, present: Object, given: Object) -> Object:
    """What is written: the part that the target names, or everything but the status; the server's metadata stay."""
    check_identity(target, present, given.metadata)
    if target.is_of_status:
        return with_status(present, given)
    if target.subresource == EPHEMERAL:
        return with_ephemeral(present, given)
    if target.subresource == RESIZE:
        return with_resources(present, given)
    if target.subresource == FINALIZE:
        assert isinstance(present, Namespace)  # no other kind has it
        assert isinstance(given, Namespace)
        spec = structs.replace(present.spec, finalizers=given.spec.finalizers)
        return structs.replace(present, spec=spec)
    kept = {name: getattr(present.metadata, name) for name in _BY_SERVER}
    metadata: ObjectMeta = structs.replace(given.metadata, **kept)
    return with_status(structs.replace(given, metadata=metadata), present)


def _entries(
    target: Target, present: Object, new: Object, given: ObjectMeta, by: Writer
) -> tuple[ManagedFieldsEntry, ...]:
    """The account of owners after the change. One that is given empty starts anew, as in Kubernetes."""
    if given.managed_fields and all(entry == ManagedFieldsEntry() for entry in given.managed_fields):
        return ()
    everybody = to_record(entries_of(present), present)
    entries = to_record(given.managed_fields, present) if given.managed_fields else everybody
    if new == present and entries == everybody:
        return present.metadata.managed_fields
    return after_update(target.kind.type, entries, _written_out(present), _written_out(new), by)


def _written_out(object_: Object) -> Document:
    """The object with what Kubernetes always writes into the elements of its lists; they are owned with these."""
    document: Document = msgspec.to_builtins(spelled_out(object_) if isinstance(object_, Pod) else object_)
    return document


async def carry_out(cluster: Cluster, *changes: Change) -> Sequence[Object]:
    """The objects that the changes left behind. Raises the answer to what cannot be."""
    try:
        applied = await cluster.apply(changes)
    except Conflict as error:
        raise Overtaken(of_change_error(error)) from error
    except ChangeError as error:
        raise of_change_error(error) from error
    return [object_ for object_ in applied.objects if object_ is not None]


class Overtaken(StatusError):
    """Another writer was quicker."""

    def __init__(self, error: StatusError) -> None:
        super().__init__(error.code, error.reason, error.message, details=error.details)
