"""JSON Schemas (draft 2020-12) of the served kinds, from the types.

`python -m schemas.jsonschema` writes them to `schemas/json/`, from where an editor reads them: one for each kind
(`# yaml-language-server: $schema=…/schemas/json/deployment.json`), and `all.json`, which finds out the kind and so
serves a whole folder. They are stricter than the Kubernetes API in one point only: a field that the kind does not
have is a fault. In files a null stands for absence; `schema_of` is for documents whose nulls are taken out already.
"""

import json
from pathlib import Path
from typing import Any

from schemas.conversion import OLD_VERSIONS
from schemas.kinds import KINDS, Kind
from schemas.shape import Field, Form, Shape, shape_of

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
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
        "$schema": _DRAFT,
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
        return {"type": "integer", "format": f"int{shape.bits(field.name)}"}
    if shape.item is not None:
        item = _value(shape.item, field, definitions)
        if shape.form == "list":
            return {"type": "array", "items": item}
        return {"type": "object", "additionalProperties": item}
    return _SCALARS[shape.form]


COMBINED = "all.json"


def combined_schema() -> dict[str, Any]:
    """One schema for all served kinds, and for lists of their objects."""
    definitions: dict[str, Any] = {}
    cases = []
    for kind in KINDS:
        schema = editor_schema(kind)
        definitions |= schema.pop("$defs")
        del schema["$schema"]
        definitions[f"kind.{kind.name}"] = schema
        cases.append(_case(kind))
    objects = {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#"}}}}
    return {
        "$schema": _DRAFT,
        "title": "Manifests that Wherry takes",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "kind": {"enum": [*(kind.name for kind in KINDS), *(f"{kind.name}List" for kind in KINDS), "List"]}
        },
        "allOf": [*cases, {"if": {"properties": {"kind": {"const": "List"}}}, "then": objects}],
        "$defs": dict(sorted(definitions.items())),
    }


def _case(kind: Kind) -> dict[str, Any]:
    """An older API version, which is converted, is let through."""
    served = {"properties": {"apiVersion": {"const": kind.api_version}}}
    versions = [kind.api_version, *(old for old, name in OLD_VERSIONS if name == kind.name)]
    return {
        "if": {"properties": {"kind": {"const": kind.name}}},
        "then": {
            "properties": {"apiVersion": {"enum": versions}},
            "if": served,
            "then": {"$ref": f"#/$defs/kind.{kind.name}"},
        },
    }


def editor_schema(kind: Kind) -> dict[str, Any]:
    """The schema of one kind for files, where a null may stand for any field that may be absent."""
    schema = schema_of(kind)
    return _with_nulls(schema) | {"$defs": {name: _nullable(_with_nulls(one)) for name, one in schema["$defs"].items()}}


def _with_nulls(record: dict[str, Any]) -> dict[str, Any]:
    required = record.get("required", ())
    return record | {
        "properties": {name: one if name in required else _nullable(one) for name, one in record["properties"].items()}
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Amounts are not: Kubernetes reads 0 there, and so does nobody else. A reference is where it leads to."""
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema


def file_name(kind: Kind) -> str:
    return f"{kind.name.lower()}.json"


def contents() -> dict[str, str]:
    """What is committed: file by file."""
    schemas = {file_name(kind): editor_schema(kind) for kind in KINDS} | {COMBINED: combined_schema()}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in schemas.items()}


def main() -> None:
    folder = Path(__file__).parent / "json"
    folder.mkdir(exist_ok=True)
    for name, content in contents().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
