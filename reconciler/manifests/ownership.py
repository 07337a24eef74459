"""What a declaration changes about an object that is, or is not, there.

Pure. Ownership is by field, as in server-side apply: what the manifest declares holds, what it leaves out is whoever
else's, and what it declared before and no longer does is taken away. The set of fields is kept with the object.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import fields, replace

from reconciler.manifests.documents import SourceFault
from reconciler.manifests.ledger import Declared
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.changes import Create, Update
from schemas.apply import apply
from schemas.apply import owned_fields as declared_fields
from schemas.faults import Fault
from schemas.fieldowners import changes, disowned
from schemas.fieldsets import FieldSet, union
from schemas.kinds import BY_NAME
from schemas.leftovers import without_leftovers
from schemas.meta import ManagedFieldsEntry, Object, ObjectMeta
from schemas.validation import validate, validate_update

MANAGER = "wherry"
OPERATION = "Apply"

AnyObject = TypeVar("AnyObject", bound=Object)


class Outcome(msgspec.Struct, frozen=True):
    """What to do about one object, or why it stays as it is. Neither: it is as declared."""

    change: Create | Update | None = None
    faults: tuple[SourceFault, ...] = ()


def owned_fields(live: Object) -> dict[str, Any] | None:
    """The fields of the object that the folder declared when it was last applied; None: it is not the folder's."""
    for entry in live.metadata.managed_fields:
        if is_ours(entry):
            return entry.fields_v1
    return None


def is_ours(entry: ManagedFieldsEntry) -> bool:
    return (entry.manager, entry.operation, entry.subresource) == (MANAGER, OPERATION, "")


def source_of(live: Object | None) -> str:
    """The file that the object says it came from."""
    return live.metadata.annotations.get(SOURCE, "").rpartition(":")[0] if live is not None else ""


def settle(
    declared: Declared, live: Object | None, complete: Callable[[Object], Object], commit: str, now: datetime
) -> Outcome:
    """How to bring the object to what is declared. `complete` fills in what the cluster does on its way in."""
    before = owned_fields(live) if live is not None else None
    try:
        new, owned = merged(declared, live, complete)
    except ValueError as error:  # of a list's elements, or of what only together with the live fields is wrong
        return Outcome(faults=(_at(declared, Fault((), str(error))),))
    if live is None:
        return Outcome(Create(_marked(new, owned, declared, commit, now)))
    if before == owned and not differs(live, new):
        return Outcome()
    faults = [fault for fault in (*validate_update(new, live), *validate(new)) if fault.severity == "error"]
    if faults:
        return Outcome(faults=tuple(_at(declared, fault) for fault in faults))
    return Outcome(Update(_marked(_taken(new, live), owned, declared, commit, now)))


def merged(
    declared: Declared, live: Object | None, complete: Callable[[Object], Object]
) -> tuple[Object, dict[str, Any]]:
    """The object as it shall be, and what the folder owns of it. Raises `ValueError`."""
    type_ = BY_NAME[declared.ref.kind].type
    document = msgspec.json.decode(declared.data)
    if live is None:
        # Of what says nothing empty and meets nothing, the merge is what it says.
        plain = b"null" not in declared.data
        built, owned = (document, declared_fields(type_, document)) if plain else apply(type_, None, document, {})
        return complete(msgspec.convert(built, type_)), owned
    built, owned = apply(type_, msgspec.to_builtins(live), document, owned_fields(live) or {}, _of_others(live))
    return without_leftovers(complete(msgspec.convert(built, type_)), live), owned


def _of_others(live: Object) -> FieldSet:
    """What anybody but the folder owns: that stays, also where the folder says it no more."""
    found: FieldSet = {}
    for entry in live.metadata.managed_fields:
        if not is_ours(entry):
            found = union(found, entry.fields_v1)
    return found


def differs(old: Object, new: Object) -> bool:
    """Whether the two want something else of the cluster: the status, and what a commit stamps, does not count."""
    if type(old) is not type(new):
        return True
    for name in _wanted(type(old)):
        before, after = getattr(old, name), getattr(new, name)
        if before is not after and before != after:
            return True
    return _named(old.metadata) != _named(new.metadata)


def fingerprint(declared: Declared, live: Object) -> bytes:
    """Equal as long as neither the declaration nor what the object wants has changed."""
    wants = [getattr(live, name) for name in _wanted(type(live))]
    metadata = live.metadata
    encoded = msgspec.json.encode((metadata.uid, metadata.managed_fields, _named(metadata), wants))
    return _digest(declared.data) + _digest(encoded)


def is_applied(declared: Declared, before: bytes | None) -> bool:
    """Whether the fingerprint is of this very declaration: what differs now has drifted."""
    return before is not None and before.startswith(_digest(declared.data))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


@cache
def _wanted(type_: type[Object]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(type_) if field.name not in ("metadata", "status"))


def _named(metadata: ObjectMeta) -> tuple[object, ...]:
    return metadata.labels, metadata.annotations, metadata.finalizers, metadata.owner_references


def _taken(new: AnyObject, live: Object) -> AnyObject:
    """The object without others' claims to what the folder changes: it need not ask them."""
    metadata = new.metadata
    if all(is_ours(entry) for entry in metadata.managed_fields):
        return new
    changed, removed = changes(type(new), msgspec.to_builtins(live), msgspec.to_builtins(new))
    entries = disowned(metadata.managed_fields, union(changed, removed))
    return replace(new, metadata=replace(metadata, managed_fields=entries))


def _marked(object_: AnyObject, owned: dict[str, Any], declared: Declared, commit: str, now: datetime) -> AnyObject:
    """The object with where it comes from, and with the fields that the folder now owns."""
    metadata = object_.metadata
    entry = ManagedFieldsEntry(
        api_version=object_.api_version,
        fields_type="FieldsV1",
        fields_v1=owned,
        manager=MANAGER,
        operation=OPERATION,
        time=now.replace(microsecond=0),
    )
    others = tuple(one for one in metadata.managed_fields if not is_ours(one))
    annotations = {name: value for name, value in metadata.annotations.items() if name != COMMIT}
    annotations[SOURCE] = f"{declared.file}:{declared.line}"
    if commit:
        annotations[COMMIT] = commit
    return replace(object_, metadata=replace(metadata, annotations=annotations, managed_fields=(*others, entry)))


def _at(declared: Declared, fault: Fault) -> SourceFault:
    name = f"{declared.ref.kind}/{declared.ref.name}"
    message = fault.message
    if "immutable" in message:
        message += "; rename the object, or delete it first (take it out of the folder, then put it back)"
    return SourceFault(declared.file, declared.line, name, fault.field, message, fault.severity)
