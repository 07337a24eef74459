"""Server-side apply: a declaration of some of an object's fields, by a manager that owns them from then on.

What other managers own is not taken from them unless it is asked for (`force`); what the folder declares, never.
Follows https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import structs

from reconciler.api import certificaterequests, media
from reconciler.api.bodies import Document
from reconciler.api.owners import entries_of, to_record
from reconciler.api.reads import get
from reconciler.api.status import Cause, StatusError, bad_option, bad_request, invalid
from reconciler.api.target import Target
from reconciler.api.writes import Terms, Written, check_identity, insert, now, persist, replace, writer
from reconciler.manifests.ownership import MANAGER
from reconciler.store.cluster import Cluster
from schemas.decode import decode, decode_part
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.fieldowners import Conflicts, FieldConflict, Writer, applied, as_last_applied
from schemas.fieldsets import members
from schemas.meta import ManagedFieldsEntry, Object, ObjectMeta, Ref, with_status

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"


class Applied(msgspec.Struct, frozen=True):
    written: Written
    is_new: bool


def read_declaration(target: Target, body: bytes) -> Document:
    """The fields declared. Raises the 400, and the 500 that Kubernetes gives where fields are not its kind's."""
    document = media.document(media.YAML, body, target.kind.name)
    _check_kind(target, document)
    metadata = document.get("metadata")
    given: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    if given.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    declaration, found = decode_part(target.kind, document)
    # Unknown metadata fall away without a word, as in Kubernetes.
    faults = [fault for fault in found if fault.path[:1] != ("metadata",) or fault.severity == "error"]
    if faults:
        raise _untyped(target, given, faults)
    return declaration


def _check_kind(target: Target, document: Document) -> None:
    api_version, name = document.get("apiVersion") or "", document.get("kind") or ""
    if not api_version or not name:
        raise bad_request(
            f"invalid object type: {api_version if '/' in str(api_version) else '/' + str(api_version)}, Kind={name}"
        )
    if (api_version, name) != (target.kind.api_version, target.kind.name):
        expected = f"{target.kind.api_version}, Kind={target.kind.name}"
        raise bad_request(f"the patch is of {api_version}, Kind={name}, and this path takes {expected}")


def _untyped(target: Target, metadata: Mapping[str, Any], faults: list[Fault]) -> StatusError:
    place = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    of = f"{target.kind.group}/{target.kind.version}, Kind={target.kind.name}"
    told = [
        f".{fault.field}: {'field not declared in schema' if fault.severity == 'warning' else fault.message}"
        for fault in faults
    ]
    listed = told[0] if len(told) == 1 else "errors:" + "".join(f"\n  {one}" for one in told)
    return StatusError(500, "", f"failed to create typed patch object ({place}; {of}): {listed}")


async def apply(cluster: Cluster, target: Target, declaration: Document, terms: Terms, *, force: bool) -> Applied:
    """Makes the object have the fields that are declared, or makes the object."""
    if terms.manager == MANAGER:
        message = f'Invalid value: "{MANAGER}": this manager is the folder; choose another name'
        raise bad_option("PatchOptions", "fieldManager", message)
    if target.is_of_status:
        declaration = {
            key: value for key, value in declaration.items() if key in ("apiVersion", "kind", "metadata", "status")
        }
    is_new = False

    async def attempt() -> Written:
        nonlocal is_new
        present = cluster.cache.find(Ref(target.kind.name, target.place, target.name))
        is_new = present is None and not target.subresource
        if is_new:
            return await _create(cluster, target, declaration, terms)
        return await _change(cluster, target, get(cluster.cache, target), declaration, terms, force=force)

    return Applied(await persist(attempt), is_new)


def _stated(target: Target, declaration: Document) -> ObjectMeta:
    """The declaration's metadata, whose name and namespace are those of the request where it leaves them out."""
    metadata = msgspec.convert(declaration.get("metadata", {}), ObjectMeta)
    if metadata.namespace and metadata.namespace != target.place:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return structs.replace(metadata, name=metadata.name or target.name)


async def _create(cluster: Cluster, target: Target, declaration: Document, terms: Terms) -> Written:
    type_, given = target.kind.type, _stated(target, declaration)
    if given.name != target.name:
        raise bad_request(f"the name of the object ({given.name}) does not match the name on the URL ({target.name})")
    built, entries = _applied(type_, (), None, declaration, writer(target, terms), force=False)
    built = built | {"metadata": built.get("metadata", {}) | {"name": target.name, "namespace": target.place}}
    new = _object(target, built, entries)
    terms.check(new, None)
    return await insert(cluster, target, terms.stamp(new), dry=terms.dry)


async def _change(
    cluster: Cluster, target: Target, present: Object, declaration: Document, terms: Terms, *, force: bool
) -> Written:
    type_ = target.kind.type
    check_identity(target, present, _stated(target, declaration))
    live, by = msgspec.to_builtins(present), writer(target, terms, target.subresource)
    entries = entries_of(present)
    if not to_record(entries, present):
        entries = ()  # nobody is known to have made it
    try:
        built, after = _applied(type_, entries, live, declaration, by, force=force)
    except Conflicts as error:
        left = _left(error.conflicts, present, terms.manager)
        if left:
            raise _conflict(left) from None
        built, after = _applied(type_, entries, live, declaration, by, force=True)
    new = _object(target, built, to_record(after, present), present)
    if terms.manager == _KUBECTL and LAST_APPLIED in present.metadata.annotations:
        new = _noting(new, target, declaration)
    terms.check(new, present)
    return await replace(cluster, target, present, new, dry=terms.dry)


def _applied(
    type_: type[Object],
    entries: tuple[ManagedFieldsEntry, ...],
    live: Document | None,
    declaration: Document,
    by: Writer,
    *,
    force: bool,
) -> tuple[Document, tuple[ManagedFieldsEntry, ...]]:
    try:
        return applied(type_, entries, live, declaration, by, force=force)
    except ValueError as error:
        raise StatusError(500, "", f"failed to create typed patch object: {error}") from None


def _object(
    target: Target, built: Document, entries: tuple[ManagedFieldsEntry, ...], present: Object | None = None
) -> Object:
    """The document as an object; what the server writes stays as it was."""
    try:
        object_ = msgspec.convert(built, target.kind.type)
    except msgspec.ValidationError:  # something is missing that nobody declares
        kind = target.kind
        raise invalid(kind.name, kind.group, target.name, decode(kind, built, "Ignore").faults) from None
    if present is not None and target.is_of_status:
        object_ = with_status(present, object_)
    else:
        object_ = with_status(object_, present)
    if present is not None:
        object_ = certificaterequests.kept(object_, present, target.subresource, now())
    return defaulted(structs.replace(object_, metadata=structs.replace(object_.metadata, managed_fields=entries)))


def _left(conflicts: tuple[FieldConflict, ...], present: Object, manager: str) -> list[FieldConflict]:
    """The conflicts that count. `kubectl apply --server-side` takes over what `kubectl apply` declared before."""
    last = present.metadata.annotations.get(LAST_APPLIED)
    if manager != _KUBECTL or not last:
        return list(conflicts)
    try:
        document = msgspec.json.decode(last, type=dict[str, Any])
    except msgspec.MsgspecError:
        return list(conflicts)
    free = set(members(as_last_applied(type(present), document, msgspec.to_builtins(present))))
    return [conflict for conflict in conflicts if conflict.path not in free]


def _noting(new: Object, target: Target, declaration: Document) -> Object:
    """With the annotation in which `kubectl apply` looks for what it declared."""
    metadata = dict(declaration.get("metadata", {}))
    named = {"name": target.name, **({"namespace": target.place} if target.place else {})}
    stated = declaration | {"metadata": metadata | named}
    text = msgspec.json.encode(stated, order="sorted").decode() + "\n"
    annotations = new.metadata.annotations | {LAST_APPLIED: text}
    return structs.replace(new, metadata=structs.replace(new.metadata, annotations=annotations))


def _conflict(conflicts: list[FieldConflict]) -> StatusError:
    causes = [Cause("FieldManagerConflict", f"conflict with {one.with_whom}", one.field) for one in conflicts]
    many = "s" if len(conflicts) > 1 else ""
    if not many:
        told = f"conflict with {conflicts[0].with_whom}: {conflicts[0].field}"
    else:
        by_whom: dict[str, list[str]] = {}
        for one in conflicts:
            by_whom.setdefault(one.with_whom, []).append(one.field)
        lines = [
            line
            for who in sorted(by_whom)
            for line in (f"conflicts with {who}:", *(f"- {field}" for field in by_whom[who]))
        ]
        told = "\n".join(lines)
    return StatusError(409, "Conflict", f"Apply failed with {len(conflicts)} conflict{many}: {told}", causes=causes)
