"""Create, update, patch and delete: from a request's document to one change of the cluster.

A document is decoded strictly, defaulted, validated and then applied; nothing is changed where any of that fails.
A patch is tried again on the newest version where another writer came in between.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import structs

from reconciler.api.options import DeleteOptions, Selection
from reconciler.api.reads import get
from reconciler.api.representation import encode
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
    success,
)
from reconciler.api.target import Target
from reconciler.store.changes import Change, ChangeError, Create, Delete, Update, UpdateStatus
from reconciler.store.cluster import Cluster
from schemas.core.config import Namespace
from schemas.decode import FieldValidation, decode
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.kinds import BY_NAME, Kind
from schemas.leftovers import without_leftovers
from schemas.meta import Object, ObjectMeta, ref_of
from schemas.validation import validate, validate_update

Document = dict[str, Any]

_ATTEMPTS = 5
_PROTECTED = frozenset({"default", "kube-system", "kube-public"})
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


def parse(body: bytes) -> Document:
    """A request's body as a document. Raises the 400."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise bad_request("the body must be a JSON object")
    return document


def document_of(object_: Object) -> Document:
    """The object as a client has it, in maps and lists alone."""
    document: Document = msgspec.json.decode(encode(object_))
    return document


def read(target: Target, document: Document, unknown: FieldValidation) -> Written:
    """The document as an object of the target's kind, with its defaults. Raises the 400."""
    kind = target.kind
    document = {"apiVersion": kind.api_version, "kind": kind.name} | document
    if (document["apiVersion"], document["kind"]) != (kind.api_version, kind.name):
        found = f'{document["kind"]} in version "{document["apiVersion"]}"'
        raise bad_request(f"{found} cannot be handled as a {kind.name}: this path takes {kind.api_version} {kind.name}")
    decoded = decode(kind, document, unknown)
    if decoded.object is None:
        faults = ", ".join(str(fault) for fault in decoded.faults if fault.severity == "error")
        text = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: strict decoding error: '
        raise bad_request(text + faults)
    return Written(_placed(target, decoded.object), _warnings(decoded.faults))


def _placed(target: Target, object_: Object) -> Object:
    """The object in the namespace of the request, which its own must not contradict, with its defaults."""
    metadata = object_.metadata
    if metadata.namespace and metadata.namespace != target.place:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    placed = structs.replace(object_, metadata=structs.replace(metadata, namespace=target.place))
    return defaulted(placed)


def _warnings(faults: Sequence[Fault]) -> tuple[str, ...]:
    return tuple(str(fault) for fault in faults if fault.severity == "warning")


def _refuse(kind: Kind, name: str, faults: Sequence[Fault]) -> tuple[str, ...]:
    """Raises the 422 where a fault is an error; returns the warnings."""
    if any(fault.severity == "error" for fault in faults):
        raise invalid(kind.name, kind.group, name, faults)
    return _warnings(faults)


async def create(
    cluster: Cluster, target: Target, document: Document, *, unknown: FieldValidation = "Strict", dry: bool
) -> Written:
    """A new object."""
    found = read(target, document, unknown)
    metadata = found.object.metadata
    if metadata.resource_version:
        raise bad_request("resourceVersion should not be set on objects to be created")
    if not metadata.name and not metadata.generate_name:
        message = "Required value: name or generateName is required"
        raise invalid(target.kind.name, target.kind.group, "", [Fault(("metadata", "name"), message)])
    object_ = _fresh(found.object)
    _check_namespace(cluster, target, metadata.name)
    named = metadata if metadata.name else structs.replace(metadata, name=f"{metadata.generate_name}xxxxx")
    warnings = found.warnings + _refuse(target.kind, named.name, validate(structs.replace(object_, metadata=named)))
    if metadata.name and cluster.cache.find(ref_of(object_)) is not None:
        raise already_exists(target.kind, metadata.name)
    if dry:
        stamped = structs.replace(named, uid=str(uuid4()), creation_timestamp=datetime.now(UTC).replace(microsecond=0))
        return Written(structs.replace(object_, metadata=stamped), warnings)
    (created,) = await _apply(cluster, Create(object_))
    return Written(created, warnings)


def _fresh(object_: Object) -> Object:
    """Without what only the server writes; the status begins as the defaults have it."""
    object_ = structs.replace(object_, metadata=structs.replace(object_.metadata, **_BY_SERVER))
    status = getattr(object_, "status", None)
    return object_ if status is None else defaulted(structs.replace(object_, status=type(status)()))


def _check_namespace(cluster: Cluster, target: Target, name: str) -> None:
    """A namespaced object needs its namespace, and one that is not ending."""
    if not target.kind.namespaced:
        return
    if target.namespace is None:
        raise bad_request("an object of this kind is created in a namespace: the path names none")
    namespace = cluster.cache.get(Namespace, "", target.namespace)
    if namespace is None:
        raise not_found(BY_NAME["Namespace"], target.namespace)
    if namespace.metadata.deletion_timestamp is not None:
        why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
        cause = f"namespace {target.namespace} is being terminated"
        raise forbidden(target.kind, name, why, Cause("NamespaceTerminating", cause, "metadata.namespace"))


async def update(
    cluster: Cluster, target: Target, document: Document, *, unknown: FieldValidation = "Strict", dry: bool
) -> Written:
    """The whole object anew (or its status, where the target names that part)."""
    return await patch(cluster, target, lambda _: document, unknown=unknown, dry=dry)


async def patch(
    cluster: Cluster,
    target: Target,
    change: Callable[[Document], Document],
    *,
    unknown: FieldValidation = "Strict",
    dry: bool,
) -> Written:
    """The object with a change to its document."""
    for attempt in range(_ATTEMPTS):
        present = get(cluster.cache, target)
        patched = change(document_of(present))
        try:
            return await _replace(cluster, target, present, read(target, patched, unknown), dry=dry)
        except StatusError as error:
            asked = patched.get("metadata", {}).get("resourceVersion")
            own = asked in (None, "", present.metadata.resource_version)
            if error.reason != "Conflict" or not own or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _replace(cluster: Cluster, target: Target, present: Object, found: Written, *, dry: bool) -> Written:
    kind, name, given = target.kind, target.name, found.object.metadata
    if given.name != name:
        raise bad_request(f"the name of the object ({given.name}) does not match the name on the URL ({name})")
    if given.uid and given.uid != present.metadata.uid:
        why = f"Precondition failed: UID in precondition: {given.uid}, UID in object meta: {present.metadata.uid}"
        raise conflict(kind, name, why)
    if given.resource_version not in ("", present.metadata.resource_version):
        raise modified(kind, name)
    of_status = target.subresource == "status"
    object_ = without_leftovers(_merged(present, found.object, status=of_status), present)
    faults = (*validate_update(object_, present), *(() if of_status else validate(object_)))
    warnings = found.warnings + _refuse(kind, name, faults)
    if object_ == present or dry:
        return Written(object_, warnings)
    change = UpdateStatus(object_) if of_status else Update(object_)
    (updated,) = await _apply(cluster, change)
    return Written(updated, warnings)


def _merged(present: Object, given: Object, *, status: bool) -> Object:
    """What is written: of the status alone, or of everything but it; the server's metadata stay."""
    if status:
        return structs.replace(present, status=given.status)  # type: ignore[attr-defined]
    kept = {name: getattr(present.metadata, name) for name in _BY_SERVER}
    metadata: ObjectMeta = structs.replace(given.metadata, **kept)
    object_ = structs.replace(given, metadata=metadata)
    if "status" in object_.__struct_fields__:
        object_ = structs.replace(object_, status=present.status)  # type: ignore[attr-defined]
    return object_


async def delete(cluster: Cluster, target: Target, options: DeleteOptions, *, dry: bool) -> Object | Document:
    """Ends the object. Returns it while it is still there, else a `Status`."""
    present = get(cluster.cache, target)
    _check_preconditions(target, present, options)
    if target.kind.name == "Namespace" and target.name in _PROTECTED:
        raise forbidden(target.kind, target.name, "this namespace may not be deleted")
    if not dry:
        expected = options.preconditions
        try:
            await _apply(
                cluster,
                Delete(
                    ref_of(present),
                    uid=present.metadata.uid,
                    grace_seconds=options.grace_period_seconds,
                    resource_version=(expected.resource_version if expected else "") or "",
                    orphan=options.orphan,
                ),
            )
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        left = cluster.cache.find(ref_of(present))
        if left is not None and left.metadata.uid == present.metadata.uid:
            return left
    return success(target.kind, target.name, present.metadata.uid)


def _check_preconditions(target: Target, present: Object, options: DeleteOptions) -> None:
    expected, metadata = options.preconditions, present.metadata
    if expected is None:
        return
    if expected.uid and expected.uid != metadata.uid:
        why = f"the UID in the precondition ({expected.uid}) does not match the UID in record ({metadata.uid}). "
        raise conflict(target.kind, target.name, why + "The object might have been deleted and then recreated")
    if expected.resource_version and expected.resource_version != metadata.resource_version:
        why = (
            f"the ResourceVersion in the precondition ({expected.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata.resource_version}). The object might have been modified"
        )
        raise conflict(target.kind, target.name, why)


async def delete_collection(
    cluster: Cluster, kind: Kind, selection: Selection, options: DeleteOptions, *, dry: bool
) -> Sequence[Object]:
    """Ends all objects picked, and returns them as they were."""
    picked = [object_ for object_ in cluster.cache.list(kind.type, selection.namespace) if selection.picks(object_)]
    for object_ in picked if not dry else ():
        target = Target(kind, object_.metadata.namespace or None, object_.metadata.name)
        try:
            await delete(cluster, target, options, dry=dry)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
    return picked


async def _apply(cluster: Cluster, change: Change) -> Sequence[Object]:
    """The object that the change left behind, if any."""
    try:
        applied = await cluster.apply((change,))
    except ChangeError as error:
        raise of_change_error(error) from error
    return [object_ for object_ in applied.objects if object_ is not None]
