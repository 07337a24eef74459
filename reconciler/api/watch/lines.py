"""What a watch sends: a change, a bookmark or an error, each as one line. Pure but for the time that a table shows."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from reconciler.api.options import Selection
from reconciler.api.representation import Form, encode, encode_one
from reconciler.api.status import StatusError
from reconciler.api.tables import LAYOUTS, Cell
from reconciler.store.view import Event
from schemas.kinds import Kind
from schemas.meta import Object
from schemas.shape import Shape, shape_of

Type = Literal["ADDED", "MODIFIED", "DELETED"]


def seen(event: Event, selection: Selection) -> Type | None:
    """What a change is to a watch: an object that is no longer picked is deleted to it, one newly picked added."""
    was = event.old is not None and selection.picks(event.old)
    is_ = event.new is not None and selection.picks(event.new)
    if was and is_:
        return "MODIFIED"
    return "ADDED" if is_ else "DELETED" if was else None


class Shared:
    """One change, encoded once for each form."""

    __slots__ = ("_lines", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._lines: dict[tuple[Type, Form, bool], bytes] = {}

    def line(self, type_: Type, form: Form, *, columns: bool) -> bytes:
        """The change as one line of a watch."""
        key = (type_, form, columns)
        found = self._lines.get(key)
        if found is None:
            object_ = _last_version(self.event) if type_ == "DELETED" else self.event.object
            found = self._lines[key] = line(type_, object_, form, columns=columns)
        return found


def line(type_: Type, object_: Object, form: Form, *, columns: bool) -> bytes:
    body = encode_one(object_, form, datetime.now(UTC), columns=columns)
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), body)


def _last_version(event: Event) -> Object:
    """The object before it went (from the cluster or from the selection), at the revision of its going."""
    assert event.old is not None
    metadata = msgspec.structs.replace(event.old.metadata, resource_version=str(event.revision))
    return msgspec.structs.replace(event.old, metadata=metadata)


def error_line(error: StatusError) -> bytes:
    return b'{"type":"ERROR","object":%s}\n' % encode(error.status())


def bookmark(stored: Kind, shown: Kind, form: Form, revision: int, *, initial: bool = False) -> bytes:
    """Says that all changes up to the revision were sent; `initial`: and all objects there were."""
    metadata: dict[str, object] = {"resourceVersion": str(revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind, version = shown.name, shown.api_version
    if form.name != "Object":
        kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
    object_: dict[str, object] = {"kind": kind, "apiVersion": version, "metadata": metadata}
    if form.name == "Table":
        row = {"cells": _blank_cells(stored), "object": object_}
        table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(revision)}}
        object_ = {**table, "columnDefinitions": None, "rows": [row]}
    return b'{"type":"BOOKMARK","object":%s}\n' % encode(object_)


def _blank_cells(kind: Kind) -> tuple[Cell, ...]:
    """What a row says of an object in which there is nothing."""
    blank = msgspec.convert(_blank(shape_of(kind.type)), kind.type)
    return LAYOUTS[kind.name].cells(blank, datetime.now(UTC))


def _blank(shape: Shape) -> object:
    """The least value of the shape: only fields that must be there."""
    match shape.form:
        case "record":
            return {field.name: _blank(field.shape) for field in shape.fields.values() if field.required}
        case "map" | "any":
            return {}
        case "list":
            return []
        case "integer" | "number" | "quantity" | "int_or_string":
            return 0
        case "boolean":
            return False
        case "time":
            return "0001-01-01T00:00:00Z"
    return ""
