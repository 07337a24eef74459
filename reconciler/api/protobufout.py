"""Answers in Kubernetes' protobuf: a document of JSON as the message of its kind, in the envelope that names it.

Only for a client that takes nothing else: to encode in Python takes many times as long as JSON does. What is nothing
in JSON is left out of the message, too, and reads the same. Pure; `protobuf` reads what is written here.
"""

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.api.protobuf import MAGIC, Document

if TYPE_CHECKING:
    from reconciler.api.protofields import Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_META = ("Status",)
"""Kinds of the core group that are declared with the metadata."""


def packed(document: Document) -> bytes | None:
    """The body; None where the message of such a document is not known."""
    version, kind = document.get("apiVersion", ""), document.get("kind", "")
    raw = _object(f"meta.{kind}" if kind in _META else f"{version}.{kind}", document)
    if raw is None:
        return None
    typed = _message("runtime.TypeMeta", {"apiVersion": version, "kind": kind})
    return MAGIC + _bytes(1, typed) + _bytes(2, raw) + _bytes(3, b"") + _bytes(4, b"")


def _object(name: str, document: Document) -> bytes | None:
    """A list holds messages of the kind that it is a list of."""
    from reconciler.api.protofields import known

    if name in known():
        return _message(name, document)
    of = name.removesuffix("List")
    if of == name or of not in known():
        return None
    items = b"".join(_bytes(2, _message(of, item)) for item in document.get("items") or ())
    return _bytes(1, _message("meta.ListMeta", document.get("metadata", {}))) + items


def _message(name: str, document: Document) -> bytes:
    from reconciler.api.protofields import fields

    return b"".join(part for number, field in sorted(fields(name).items()) for part in _field(number, field, document))


def _field(number: int, field: "Field", document: Document) -> Iterator[bytes]:
    if not field.name:
        yield _bytes(number, _message(field.type, document))
        return
    value = document.get(field.name)
    if value is None:
        return
    if field.map:
        for key, item in sorted(value.items()):
            yield _bytes(number, _bytes(1, key.encode()) + _value(2, field.type, item))
    elif field.repeated:
        for item in value:
            yield _value(number, field.type, item)
    else:
        yield _value(number, field.type, value)


def _value(number: int, type_: str, value: Any) -> bytes:  # noqa: ANN401
    match type_:
        case "int" | "int32" | "bool":
            return _number(number, int(value))
        case "string":
            return _bytes(number, str(value).encode())
        case "bytes":
            return _bytes(number, b64decode(value))
        case "time" | "microtime":
            return _bytes(number, _time(value))
        case "quantity":
            return _bytes(number, _bytes(1, str(value).encode()))
        case "intorstring":
            is_text = isinstance(value, str)
            which = _number(1, is_text) + _number(2, 0 if is_text else value)
            return _bytes(number, which + _bytes(3, value.encode() if is_text else b""))
        case "json":
            return _bytes(number, _bytes(1, msgspec.json.encode(value)))
        case "strings":
            return _bytes(number, b"".join(_bytes(1, item.encode()) for item in value))
        case _:
            return _bytes(number, _message(type_, value))


def _time(text: str) -> bytes:
    passed = datetime.fromisoformat(text) - _EPOCH
    return _number(1, passed.days * 86400 + passed.seconds) + _number(2, passed.microseconds * 1000)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value & (1 << 64) - 1)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
