"""Who owns which fields: `metadata.managedFields`, kept through every write.

A write of a manager takes the fields that it changes, from whoever had them; a declaration (server-side apply) has
the fields that it names, and is refused where that would change what another manager owns, unless it is forced.
Pure. Follows https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import structs

from schemas.apply import SYSTEM_METADATA, apply, child_shape, element_key, is_merged, owned_fields
from schemas.fieldsets import FieldSet, difference, intersection, members, path_text, union
from schemas.meta import ManagedFieldsEntry, Record
from schemas.shape import Field, Json, Shape, shape_of

MOST_UPDATERS = 10
"""Entries of writers that an object keeps; the oldest are told as one beyond that, as Kubernetes does."""
_ANCIENT = "ancient-changes"
_BEFORE = "before-first-apply"

Entries = tuple[ManagedFieldsEntry, ...]
Document = Mapping[str, Any]


class Writer(msgspec.Struct, frozen=True):
    """On whose behalf something is written, and when. `now` None: no time is told."""

    manager: str
    api_version: str
    now: datetime | None
    subresource: str = ""


class FieldConflict(msgspec.Struct, frozen=True):
    """A field that a declaration would change although another manager owns it."""

    owner: ManagedFieldsEntry
    path: tuple[str, ...]

    @property
    def field(self) -> str:
        return path_text(self.path)

    @property
    def with_whom(self) -> str:
        """`"kubectl" with subresource "scale" using apps/v1`."""
        owner = self.owner
        below = f' with subresource "{owner.subresource}"' if owner.subresource else ""
        using = f" using {owner.api_version}" if owner.operation == "Update" else ""
        return f'"{owner.manager}"{below}{using}'


class Conflicts(Exception):
    """The declaration stands against what other managers own."""

    def __init__(self, conflicts: Sequence[FieldConflict]) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = tuple(conflicts)


def changes(type_: type[Record], old: Document | None, new: Document) -> tuple[FieldSet, FieldSet]:
    """The fields that `new` adds or changes, and those that it lacks. `old` None: there was no object."""
    shape = shape_of(type_)
    changed, removed = _compared(shape, _zero(shape) if old is None else old, new)
    own = BY_SERVER.get(type_.__name__, {}) if old is None else {}
    return difference(_of_writers(changed or {}), own), _of_writers(removed or {})


def after_update(type_: type[Record], entries: Entries, old: Document | None, new: Document, writer: Writer) -> Entries:
    """The entries once the writer has made `new` of `old`. What it changes is its own, and no longer others'."""
    changed, removed = (_in_scope(found, type_, writer.subresource) for found in changes(type_, old, new))
    if not changed and not removed:
        return entries
    before = next((entry for entry in entries if _is_by(entry, writer, "Update")), None)
    kept = list(disowned([entry for entry in entries if entry is not before], union(changed, removed)))
    mine = union(difference(before.fields_v1, removed) if before else {}, changed)
    if mine:
        time = writer.now if changed or before is None else before.time
        kept.append(structs.replace(entry_of(writer, mine), time=time))
    return _bounded(in_order(kept))


def applied(
    type_: type[Record], entries: Entries, live: Document | None, declared: Document, writer: Writer, *, force: bool
) -> tuple[dict[str, Any], Entries]:
    """The object with what is declared, and its entries. Raises `Conflicts` and `ValueError`."""
    if live is not None and not entries:
        entries = after_update(type_, (), None, live, Writer(_BEFORE, writer.api_version, None))
    before = next((entry for entry in entries if _is_by(entry, writer, "Apply")), None)
    others = [entry for entry in entries if entry is not before]
    theirs: FieldSet = {}
    for entry in others:
        theirs = union(theirs, entry.fields_v1)
    built, owned = apply(type_, live, declared, before.fields_v1 if before else {}, theirs)
    owned = _in_scope(owned, type_, writer.subresource)
    changed, removed = (_in_scope(found, type_, writer.subresource) for found in changes(type_, live, built))
    if not force:
        _refuse(others, changed)
    lost = union(changed, removed)
    kept = list(disowned(others, lost))
    if owned:
        unchanged = before.time if before else None
        time = writer.now if lost or live is None else unchanged
        kept.append(structs.replace(entry_of(writer, owned, "Apply"), time=time))
    return built, in_order(kept)


def _refuse(others: Sequence[ManagedFieldsEntry], changed: FieldSet) -> None:
    found = [FieldConflict(entry, path) for entry in others for path in members(intersection(entry.fields_v1, changed))]
    if found:
        raise Conflicts(found)


def as_last_applied(type_: type[Record], last: Document, live: Document) -> FieldSet:
    """What `kubectl apply` declared the last time, and nobody has changed since."""
    declared = owned_fields(type_, last)
    annotation: FieldSet = {"f:kubectl.kubernetes.io/last-applied-configuration": {}}
    still = difference(declared, changes(type_, last, live)[0])
    return union(still, {"f:metadata": {"f:annotations": annotation}})


def disowned(entries: Sequence[ManagedFieldsEntry], lost: FieldSet) -> Entries:
    """The entries without these fields."""
    found = ((entry, difference(entry.fields_v1, lost)) for entry in entries)
    return tuple(
        entry if left == entry.fields_v1 else structs.replace(entry, fields_v1=left) for entry, left in found if left
    )


def _is_by(entry: ManagedFieldsEntry, writer: Writer, operation: str) -> bool:
    is_same = (entry.manager, entry.operation, entry.subresource) == (writer.manager, operation, writer.subresource)
    return is_same and (operation == "Apply" or entry.api_version == writer.api_version)


def entry_of(writer: Writer, fields: FieldSet, operation: str = "Update") -> ManagedFieldsEntry:
    return ManagedFieldsEntry(
        api_version=writer.api_version,
        fields_type="FieldsV1",
        fields_v1=fields,
        manager=writer.manager,
        operation=operation,
        subresource=writer.subresource,
        time=writer.now,
    )


def in_order(entries: Sequence[ManagedFieldsEntry]) -> Entries:
    def place(entry: ManagedFieldsEntry) -> tuple[str, float, str, str, str]:
        at = entry.time.timestamp() if entry.time else 0.0
        return entry.operation, at, entry.manager, entry.api_version, entry.subresource

    return tuple(sorted(entries, key=place))


def _bounded(entries: Entries) -> Entries:
    updates = [entry for entry in entries if entry.operation == "Update"]
    surplus = updates[: max(0, len(updates) - MOST_UPDATERS + 1)] if len(updates) > MOST_UPDATERS else []
    if not surplus:
        return entries
    fields: FieldSet = {}
    for entry in surplus:
        fields = union(fields, entry.fields_v1)
    ancient = structs.replace(surplus[-1], manager=_ANCIENT, subresource="", fields_v1=fields)
    return in_order([*(entry for entry in entries if entry not in surplus), ancient])


def _in_scope(found: FieldSet, type_: type[Record], subresource: str) -> FieldSet:
    """What the subresource may write: the status lies apart from everything else."""
    if subresource in ("status", "approval"):
        return {step: below for step, below in found.items() if step == "f:status"}
    if "status" in type_.__struct_fields__:
        return {step: below for step, below in found.items() if step != "f:status"}
    return found


def _of_writers(found: FieldSet) -> FieldSet:
    """Without what nobody owns."""
    kept = {step: below for step, below in found.items() if step not in ("f:apiVersion", "f:kind", "f:metadata")}
    steps = found.get("f:metadata", {})
    metadata = {step: below for step, below in steps.items() if step != "." and step[2:] not in SYSTEM_METADATA}
    return kept | ({"f:metadata": metadata} if metadata else {})


BY_SERVER: dict[str, FieldSet] = {"Namespace": {"f:spec": {"f:finalizers": {}}}}
"""What the API server itself fills in, by type."""
_ABSENT = object()


def _compared(shape: Shape, old: Json, new: Json) -> tuple[FieldSet | None, FieldSet | None]:
    """The steps changed and removed under a value; None for nothing."""
    if old is _ABSENT:
        return _whole(shape, new), None
    if new is _ABSENT:
        return None, _whole(shape, old)
    pairs: list[tuple[str, Shape, Json, Json]]
    if shape.form in ("record", "map") and not shape.atomic and isinstance(old, dict) and isinstance(new, dict):
        pairs = [
            (f"f:{name}", child, old.get(name, _ABSENT), new.get(name, _ABSENT))
            for name in (*new, *(name for name in old if name not in new))
            if (child := child_shape(shape, name)) is not None
        ]
    elif _is_by_element(shape, old) and _is_by_element(shape, new):
        before = {element_key(shape, item): item for item in old}
        after = {element_key(shape, item): item for item in new}
        item = shape.item
        assert item is not None
        keys = (*after, *(key for key in before if key not in after))
        pairs = [(key, item, before.get(key, _ABSENT), after.get(key, _ABSENT)) for key in keys]
    else:
        return (None if _same(old, new) else {}), None
    changed, removed = dict[str, Any](), dict[str, Any]()
    for step, child, one, other in pairs:
        if one is other:
            continue
        added, taken = _compared(child, one, other)
        if added is not None:
            changed[step] = added
        if taken is not None:
            removed[step] = taken
    return changed or None, removed or None


def _same(old: Json, new: Json) -> bool:
    """Equal as JSON has it: a tuple, as the types have them, is a list."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(item, new[name]) for name, item in old.items())
    return bool(old == new)


def _whole(shape: Shape, value: Json) -> FieldSet:
    """Everything in a value, and the value itself."""
    below: dict[str, Any] = {}
    if shape.form in ("record", "map") and not shape.atomic and isinstance(value, dict):
        for name, item in value.items():
            if (child := child_shape(shape, name)) is not None:
                below[f"f:{name}"] = _whole(child, item)
    elif _is_by_element(shape, value):
        assert shape.item is not None
        below = {element_key(shape, item): _whole(shape.item, item) for item in value}
    return {".": {}} | below if below else {}


def _is_by_element(shape: Shape, value: Json) -> bool:
    if not isinstance(value, list | tuple) or shape.atomic:
        return False
    try:
        return is_merged(shape, value)
    except ValueError:  # What cannot be told apart, such as a pull secret without a name, is owned as a whole.
        return False


@lru_cache(maxsize=256)
def _zero(shape: Shape) -> dict[str, Any]:
    """What an object of Kubernetes has before anything is written into it: its records that are always there.

    They are nobody's; a record that may be absent, and the lists and maps, are whose who adds them.
    """
    found: dict[str, Any] = {}
    for name, field in shape.fields.items():
        if is_always_there(shape, field):
            found[name] = [] if field.shape.form == "list" else _zero(field.shape)
    return found


def is_always_there(shape: Shape, field: Field) -> bool:
    """Whether every record of this shape has the field, be it empty."""
    if field.shape.form == "record":
        place = (shape.record.__name__ if shape.record else "", field.name)
        return not field.nullable or place in _ALWAYS_THERE
    return field.shape.form == "list" and field.required


_ALWAYS_THERE = frozenset(
    {
        ("JobTemplateSpec", "metadata"),
        ("JobTemplateSpec", "spec"),
        ("CronJobSpec", "jobTemplate"),
        ("PersistentVolumeClaimSpec", "resources"),
        ("PodTemplate", "template"),
        ("PodTemplateSpec", "metadata"),
        ("PodTemplateSpec", "spec"),
        ("ReplicaSetSpec", "template"),
    }
)
"""Records that Kubernetes has in every object, although these types let them be absent."""
