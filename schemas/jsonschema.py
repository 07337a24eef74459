"""One JSON Schema (draft 2020-12) for each served kind, from the types.

`python -m schemas.jsonschema` writes them to `schemas/json/`, from where an editor reads them:
`# yaml-language-server: $schema=…/schemas/json/deployment.json`. They are stricter than the Kubernetes API in one
point only: a field that the kind does not have is a fault.
"""

import json
from pathlib import Path
from typing import Any

from schemas.kinds import KINDS, Kind
from schemas.shape import INT64, Field, Form, Shape, shape_of

QUANTITY_PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,3})?$"

_SCALARS: dict[Form, dict[str, Any]] = {
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "time": {"type": "string", "format": "date-time"},
    "number": {"type": "number"},
    "int_or_string": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "quantity": {"anyOf": [{"type": "string", "pattern": QUANTITY_PATTERN}, {"type": "number"}]},
    "any": {},
}


def schema_of(kind: Kind) -> dict[str, Any]:
    """The schema of one kind, complete in itself."""
    definitions: dict[str, Any] = {}
    root = _record(shape_of(kind.type), definitions)
    root["properties"]["apiVersion"] = {"const": kind.api_version}
    root["properties"]["kind"] = {"const": kind.name}
    root["required"] = sorted({"apiVersion", "kind", *root.get("required", ())})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{kind.name} ({kind.api_version})",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _record(shape: Shape, definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _value(field.shape, field, definitions) for name, field in sorted(shape.fields.items())}
    required = sorted(name for name, field in shape.fields.items() if field.required)
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _value(shape: Shape, field: Field, definitions: dict[str, Any]) -> dict[str, Any]:
    if shape.form == "record":
        assert shape.record is not None
        name = shape.record.__name__
        if name not in definitions:
            definitions[name] = {}  # Holds the place, should the type contain itself.
            definitions[name] = _record(shape, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if shape.form == "integer":
        return {"type": "integer", "format": "int64" if field.name in INT64 else "int32"}
    if shape.item is not None:
        item = _value(shape.item, field, definitions)
        if shape.form == "list":
            return {"type": "array", "items": item}
        return {"type": "object", "additionalProperties": item}
    return _SCALARS[shape.form]


def file_name(kind: Kind) -> str:
    return f"{kind.name.lower()}.json"


def print_schema(kind: Kind) -> str:
    """The content of the kind's file."""
    return json.dumps(schema_of(kind), indent=1) + "\n"


def main() -> None:
    folder = Path(__file__).parent / "json"
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        (folder / file_name(kind)).write_text(print_schema(kind), encoding="utf-8")


if __name__ == "__main__":
    main()
