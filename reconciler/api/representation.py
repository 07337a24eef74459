"""In which form an answer goes out: the object itself, a row of a table, or its metadata alone.

Encoding is object by object, so that a long list need not be held twice. Pure but for nothing: bytes come out.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import structs

from reconciler.api import templategeneration
from reconciler.api.owners import shown
from reconciler.api.spelledout import spelled_out
from reconciler.api.tables import LAYOUTS, Cell, Column
from schemas.kinds import Kind
from schemas.meta import Object, ObjectMeta, Record

encode = msgspec.json.Encoder().encode

_META = "meta.k8s.io/v1"


class Form(msgspec.Struct, frozen=True):
    """`include` is what a row of a table carries besides its cells, `meta` the version of tables and of metadata.

    `as_` is what turns an object into the one of another group that it is shown as.
    """

    name: Literal["Object", "Table", "Metadata"]
    include: Literal["None", "Metadata", "Object"] = "Metadata"
    meta: str = _META
    as_: Callable[[Object], Object] | None = None
    owners: bool = True
    """Whether the components that own fields are told besides the clients."""


PLAIN = Form("Object")
MOST_WITH_OWNERS = 500
"""Objects in a list that tells whose each field is, as many as kubectl asks for at a time: it costs most of all."""


class _Partial(Record, frozen=True):
    kind: str
    api_version: str
    metadata: ObjectMeta


class _Row(Record, frozen=True):
    cells: tuple[Cell, ...]
    object: _Partial | Object | None


class _ListMeta(Record, frozen=True):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int = 0


class _Table(Record, frozen=True):
    kind: str
    api_version: str
    metadata: _ListMeta
    column_definitions: tuple[Column, ...] | None
    rows: tuple[_Row, ...]


class ListPosition(msgspec.Struct, frozen=True):
    """Of which revision a list is, and where it goes on."""

    revision: int
    continue_: str = ""
    remaining: int = 0


def _partial(object_: Object, form: Form) -> _Partial:
    metadata = _owned(object_, form).metadata
    if templategeneration.ANNOTATION in metadata.annotations:  # a field in Kubernetes, an annotation of whole objects
        others = {name: text for name, text in metadata.annotations.items() if name != templategeneration.ANNOTATION}
        metadata = structs.replace(metadata, annotations=others)
    return _Partial("PartialObjectMetadata", form.meta, metadata)


def _whole(object_: Object, form: Form) -> Object:
    owned = _owned(object_, form)
    return form.as_(owned) if form.as_ else owned


def _owned(object_: Object, form: Form) -> Object:
    spelled = spelled_out(object_)
    return shown(spelled) if form.owners else spelled


def _row(object_: Object, form: Form, now: datetime) -> _Row:
    cells = LAYOUTS[object_.kind].cells(object_, now)
    match form.include:
        case "None":
            return _Row(cells, None)
        case "Metadata":
            return _Row(cells, _partial(object_, form))
        case "Object":
            return _Row(cells, _whole(object_, form))


def encode_one(object_: Object, form: Form, now: datetime, *, columns: bool = True) -> bytes:
    """One object. A watch in tables names the columns only once."""
    match form.name:
        case "Object":
            return encode(_whole(object_, form))
        case "Metadata":
            return encode(_partial(object_, form))
        case "Table":
            defined = LAYOUTS[object_.kind].columns if columns else None
            meta = _ListMeta(object_.metadata.resource_version)
            return encode(_Table("Table", form.meta, meta, defined, (_row(object_, form, now),)))


def encode_list(
    kind: Kind, objects: Sequence[Object], form: Form, position: ListPosition, now: datetime
) -> Iterator[bytes]:
    """A list in pieces, one object each."""
    if len(objects) > MOST_WITH_OWNERS:
        form = structs.replace(form, owners=False)
    meta = encode(_ListMeta(str(position.revision), position.continue_, position.remaining))
    match form.name:
        case "Object":
            yield b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[' % (
                kind.name.encode(),
                kind.api_version.encode(),
                meta,
            )
        case "Metadata":
            yield b'{"kind":"PartialObjectMetadataList","apiVersion":"%s","metadata":%s,"items":[' % (
                form.meta.encode(),
                meta,
            )
        case "Table":
            yield b'{"kind":"Table","apiVersion":"%s","metadata":%s,"columnDefinitions":%s,"rows":[' % (
                form.meta.encode(),
                meta,
                encode(LAYOUTS[kind.name].columns),
            )
    typed = b'{"apiVersion":"%s","kind":"%s",' % (kind.api_version.encode(), kind.name.encode())
    for index, object_ in enumerate(objects):
        item = _row(object_, form, now) if form.name == "Table" else None
        body = encode_one(object_, form, now) if item is None else encode(item)
        if body.startswith(typed):  # the list says it for all
            body = b"{" + body[len(typed) :]
        yield b"," + body if index else body
    yield b"]}"
