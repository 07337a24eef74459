"""The types of OpenAPI version 2 in protobuf, by which kubectl checks what version 3 has no path for.

Pure. The messages are those of gnostic (`openapi.v2.Document`); only the types are told, for nobody asks for the paths
in this form. Values that are no text stand as YAML, which JSON is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Document = Mapping[str, Any]

_VARINT, _BYTES = 0, 2
_SWAGGER, _INFO, _DEFINITIONS = 1, 2, 9
_NAME, _VALUE = 1, 2  # of every pair of a name and something
_YAML = 2
_TEXTS = {"$ref": 1, "format": 2, "description": 4}
_DEFAULT, _REQUIRED, _ENUM, _OTHERS, _TYPE, _ITEMS, _ALL_OF, _PROPERTIES, _EXTENSION = 5, 19, 20, 21, 22, 23, 24, 25, 31


def encode(document: Document) -> bytes:
    """The document's version, title and types."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    types = b"".join(_field(1, _pair(name, _schema(schema))) for name, schema in document["definitions"].items())
    return _text(_SWAGGER, document["swagger"]) + _field(_INFO, info) + _field(_DEFINITIONS, types)


def _schema(schema: Document) -> bytes:
    return b"".join(_parts(schema))


def _parts(schema: Document) -> Iterator[bytes]:
    for key, value in schema.items():
        if key in _TEXTS:
            yield _text(_TEXTS[key], value)
        elif key.startswith("x-"):
            yield _field(_EXTENSION, _pair(key, _any(value)))
        elif key == "default":
            yield _field(_DEFAULT, _any(value))
        elif key == "type":
            yield _field(_TYPE, _text(1, value))
        elif key == "items":
            yield _field(_ITEMS, _field(1, _schema(value)))
        elif key == "properties":
            yield _field(_PROPERTIES, b"".join(_field(1, _pair(name, _schema(one))) for name, one in value.items()))
        elif key == "additionalProperties":
            yield _field(_OTHERS, _field(1, _schema(value)) if isinstance(value, Mapping) else _flag(2, value))
        elif key in ("required", "enum", "allOf"):
            yield from _several(key, value)


def _several(key: str, values: Any) -> Iterator[bytes]:  # noqa: ANN401 - JSON
    for value in values:
        match key:
            case "required":
                yield _text(_REQUIRED, value)
            case "enum":
                yield _field(_ENUM, _any(value))
            case "allOf":
                yield _field(_ALL_OF, _schema(value))


def _any(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return _field(_YAML, msgspec.json.encode(value))


def _pair(name: str, value: bytes) -> bytes:
    return _text(_NAME, name) + _field(_VALUE, value)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(int(value))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))
