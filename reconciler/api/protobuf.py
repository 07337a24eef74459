"""Kubernetes' protobuf encoding of request bodies, read into the documents that JSON would have brought.

Typed clients (most of kubectl's generators, `drain`, Go controllers) send protobuf whatever the server prefers.
A body is an envelope: four bytes of magic and a `runtime.Unknown`, which names the type and holds the message
(https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding). Which field stands under which
number is in `protofields`, which is read when the first such body arrives. Pure.
"""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.api.status import bad_request

if TYPE_CHECKING:
    from reconciler.api.protofields import Field

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

Value = int | bytes
Document = dict[str, Any]

_ZEROS = ("", 0, False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def document(body: bytes) -> Document:
    """What the body holds, with the type that its envelope names. Raises the 400."""
    try:
        if not body.startswith(MAGIC):
            raise ValueError("the body does not begin with the prefix of Kubernetes' protobuf")
        envelope = _message("runtime.Unknown", body[len(MAGIC) :], raw=True)
        named = envelope.get("typeMeta", {})
        version, kind = named.get("apiVersion", ""), named.get("kind", "")
        return {"apiVersion": version, "kind": kind} | _message(_type(version, kind), envelope.get("raw", b""))
    except (ValueError, IndexError, OverflowError, msgspec.DecodeError) as error:
        raise bad_request(f"the body is not the protobuf of an object that is served here: {error}") from None


def _type(version: str, kind: str) -> str:
    from reconciler.api.protofields import known

    for name in (f"{version}.{kind}", f"meta.{kind}"):  # options are named in the group that they are meant for
        if name in known():
            return name
    raise ValueError(f'no kind "{kind}" is known in version "{version}"')


def _message(name: str, message: bytes, *, raw: bool = False) -> Document:
    """The message as JSON has it; `raw` leaves bytes as they are."""
    from reconciler.api.protofields import fields

    known = fields(name)
    found: Document = {}
    for number, value in _parts(message):
        field = known.get(number)
        if field is None:
            continue  # of a later version; Kubernetes passes over it, too
        if field.map:
            key, item = _entry(field, _bytes(value))
            found.setdefault(field.name, {})[key] = item
        elif field.repeated:
            found.setdefault(field.name, []).extend(_items(field, value))
        elif not field.name:
            found |= _message(field.type, _bytes(value))
        else:
            plain = _bytes(value) if raw and field.type == "bytes" else _value(field.type, value)
            if plain is not None and not (field.drops_zero and plain in _ZEROS):
                found[field.name] = plain
    return found


def _entry(field: "Field", message: bytes) -> tuple[str, Any]:
    """Key and value of one entry of a map; what is left out is empty."""
    parts = dict(_parts(message))
    return _bytes(parts.get(1, b"")).decode(), _value(field.type, parts.get(2, b""))


def _items(field: "Field", value: Value) -> Iterator[Any]:
    """One element of a list; numbers may come many at once."""
    if field.type in ("int", "int32", "bool") and isinstance(value, bytes):
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            yield _value(field.type, number)
    else:
        yield _value(field.type, value)


def _value(type_: str, value: Value) -> Any:  # noqa: ANN401
    match type_:
        case "int" | "int32":
            return _signed(value)
        case "bool":
            return bool(_signed(value))
        case "string":
            return _bytes(value).decode()
        case "bytes":
            return b64encode(_bytes(value)).decode()
        case "time" | "microtime":
            return _time(_bytes(value), micro=type_ == "microtime")
        case "quantity":
            return _text(_bytes(value), 1) or "0"
        case "intorstring":
            parts = dict(_parts(_bytes(value)))
            return _bytes(parts.get(3, b"")).decode() if parts.get(1) else _signed(parts.get(2, 0))
        case "json":
            held = _bytes(dict(_parts(_bytes(value))).get(1, b""))
            return msgspec.json.decode(held) if held else None
        case "strings":
            return [_bytes(item).decode() for number, item in _parts(_bytes(value)) if number == 1]
        case _:
            return _message(type_, _bytes(value))


def _time(message: bytes, *, micro: bool) -> str | None:
    """The moment as JSON writes it. An empty message is no moment."""
    if not message:
        return None
    parts = dict(_parts(message))
    moment = _EPOCH + timedelta(seconds=_signed(parts.get(1, 0)), microseconds=_signed(parts.get(2, 0)) // 1000)
    text = moment.isoformat(timespec="microseconds" if micro else "seconds")
    return text.removesuffix("+00:00") + "Z"


def _text(message: bytes, number: int) -> str:
    return _bytes(dict(_parts(message)).get(number, b"")).decode()


def _parts(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in order."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 2:
                length, at = _varint(message, at)
            case 1:
                length = 8
            case 5:
                length = 4
            case other:
                raise ValueError(f"wire type {other} is none of protobuf 3")
        if at + length > len(message):
            raise ValueError("a message is cut short")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise ValueError("a number without end")


def _signed(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("text stands where a number is due")
    return value - (1 << 64) if value >= 1 << 63 else value


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands where text is due")
    return value
