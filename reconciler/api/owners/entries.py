"""The entries of `metadata.managedFields` that an object has, those of Wherry's own components among them. Pure.

Entries of clients, and of the folder, are recorded. A component's are what it makes and writes by its nature, less
what is recorded as somebody else's. Only when a client changes an object that a component made is the maker's entry
recorded, too, for from then on it cannot be told from the object any more.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from reconciler.api.owners.components import CONTROLLERS, added, made, maker, status_fields, status_of
from schemas.core.pod import Pod
from schemas.fieldowners import Entries, Writer, entry_of, in_order
from schemas.fieldsets import FieldSet, difference, union
from schemas.meta import ManagedFieldsEntry, Object
from schemas.wholefields import fields_of


def shown(object_: Object) -> Object:
    """The object with all of its entries."""
    entries = entries_of(object_)
    if entries is object_.metadata.managed_fields:
        return object_
    return replace(object_, metadata=replace(object_.metadata, managed_fields=entries))


def entries_of(object_: Object) -> Entries:
    """Those recorded and those that follow from the object, in order."""
    recorded = object_.metadata.managed_fields
    document = msgspec.to_builtins(object_)
    base = recorded if _tells_the_rest(recorded) else (*recorded, *_made(object_, document))
    found = (*base, *_written(object_, document, base))
    return in_order(found) if len(found) > len(recorded) else recorded


def to_record(given: Entries, present: Object) -> Entries:
    """What of the entries is kept with the object; `given` are those of `entries_of`, or of who read the object."""
    document = msgspec.to_builtins(present)
    recorded = present.metadata.managed_fields
    base = recorded if _tells_the_rest(recorded) else (*recorded, *_made(present, document))
    known = {_whose(entry) for entry in recorded}
    follows = {_whose(entry) for entry in _written(present, document, base)} - known
    return tuple(entry for entry in given if _whose(entry) not in follows)


def _whose(entry: ManagedFieldsEntry) -> tuple[str, str, str]:
    return entry.manager, entry.operation, entry.subresource


def _tells_the_rest(entries: Entries) -> bool:
    """Whether the entries name who made the object."""
    return any(entry.subresource == "" for entry in entries)


def _made(object_: Object, document: dict[str, Any]) -> Iterator[ManagedFieldsEntry]:
    by = maker(object_)
    if by:
        fields = fields_of(type(object_), made(object_, document))
        if fields:
            yield entry_of(_writer(object_, by, object_.metadata.creation_timestamp), fields)


def _written(object_: Object, document: dict[str, Any], base: Entries) -> Iterator[ManagedFieldsEntry]:
    """What components write of objects whoever made them."""
    if not base:
        return  # of whom nobody is known to have made it, nothing is told
    theirs: FieldSet | None = None
    for by, subresource, fields in _claims(object_, document):
        if theirs is None:
            theirs = {}
            for entry in base:
                theirs = union(theirs, entry.fields_v1)
        left = difference(fields, theirs)
        if left:
            at = _last_change(document) if subresource else object_.metadata.creation_timestamp
            yield entry_of(_writer(object_, by, at or object_.metadata.creation_timestamp, subresource), left)


def _claims(object_: Object, document: dict[str, Any]) -> Iterator[tuple[str, str, FieldSet]]:
    kind, type_ = object_.kind, type(object_)
    extra = added(kind, document)
    if extra:
        yield CONTROLLERS, "", fields_of(type_, extra)
    told = added(kind, document, with_status=True)
    beside = fields_of(type_, told) if told else {}
    status = status_of(kind, document)
    if not status:
        if beside:
            yield CONTROLLERS, "status", beside
        return
    fields = fields_of(type_, {"status": status}).get("f:status", {})
    pod = object_ if isinstance(object_, Pod) else None
    is_bound, is_gated = bool(pod and pod.spec.node_name), bool(pod and pod.spec.scheduling_gates)
    for by, part in status_fields(kind, fields, is_bound=is_bound, is_gated=is_gated):
        if part:
            yield by, "status", beside | {"f:status": part}


def _last_change(document: dict[str, Any]) -> datetime | None:
    """When the status last changed, as far as its conditions tell."""
    conditions = document["status"].get("conditions", ()) if "status" in document else ()
    times = [
        condition[name]
        for condition in conditions
        for name in ("lastTransitionTime", "lastUpdateTime")
        if condition.get(name)
    ]
    return datetime.fromisoformat(max(times)).replace(microsecond=0) if times else None


def _writer(object_: Object, manager: str, at: datetime | None, subresource: str = "") -> Writer:
    return Writer(manager, object_.api_version, at, subresource)
