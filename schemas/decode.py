"""From a document (a file, a request) to an object: strict, and with every fault named at once.

A sound document takes the fast path: a walk over the kind's shape finds fields that the kind does not have, and
`msgspec` converts the rest. Only where conversion fails is the document held against the kind's JSON Schema, which
finds all faults and not just the first. A null means absence, as in the Kubernetes API.
"""

import binascii
import difflib
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import structs

from schemas import quantity
from schemas.faults import Fault, Path
from schemas.kinds import KINDS, Kind
from schemas.meta import Object, Record
from schemas.shape import Form, Json, Shape, shape_of

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FieldValidation = Literal["Strict", "Warn", "Ignore"]
"""What becomes of fields that the kind does not have, and of keys given twice: errors, warnings, or nothing said
(https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level)."""

_DEEPEST = 64
"""Levels. The kinds nest less than 30 deep; what is deeper is none of ours, or wants to exhaust the stack."""


class Decoded(msgspec.Struct, frozen=True):
    """`object` is None exactly where there are errors among the faults.

    `document` is what was decoded, in the form that merging and storing need: without nulls and unknown fields, keys
    as texts, base64 in one piece.
    """

    object: Object | None
    faults: tuple[Fault, ...] = ()
    document: dict[str, Any] = msgspec.field(default_factory=dict)


def decode(kind: Kind, data: Mapping[str, Any], field_validation: FieldValidation = "Strict") -> Decoded:
    """The document as an object of the kind, or everything that is wrong with it."""
    if fault := _deepest(data):
        return Decoded(None, (fault,))
    faults: list[Fault] = []
    nulls: list[Path] = []
    shape = shape_of(kind.type)
    document = _tidy(data, (), faults.append, nulls.append)
    faults += _wrong_kind(kind, document)
    faults += _wrong_nulls(shape, nulls)
    document = _checked(shape, document, (), faults.append)
    faults = _judged(faults, field_validation)
    try:
        object_ = msgspec.convert(document, kind.type)
    except msgspec.ValidationError as error:
        known = {fault.path for fault in faults}
        faults += [fault for fault in _schema_faults(kind, document) if fault.path not in known]
        if not _broken(faults):
            faults.append(_first_fault(str(error)))
    return Decoded(None, tuple(faults)) if _broken(faults) else Decoded(object_, tuple(faults), document)


def decode_part(kind: Kind, data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """Some fields of an object of the kind, in the form that merging needs, and what is wrong with those."""
    whole = decode(kind, data, "Warn")
    if whole.object is not None:
        return whole.document, whole.faults
    faults = tuple(fault for fault in whole.faults if fault.message != "Required value")
    if _broken(faults):
        return {}, faults
    document = _checked(shape_of(kind.type), _tidy(data, (), _pass_over, _pass_over), (), _pass_over)
    return document, faults


def _pass_over(_: object) -> None:
    """What is found is told elsewhere."""


def _judged(faults: Iterable[Fault], field_validation: FieldValidation) -> list[Fault]:
    """Unknown fields come as warnings, the only ones that there are."""
    if field_validation == "Strict":
        return [structs.replace(fault, severity="error") for fault in faults]
    return [fault for fault in faults if fault.severity == "error" or field_validation == "Warn"]


def _broken(faults: Iterable[Fault]) -> bool:
    return any(fault.severity == "error" for fault in faults)


def _deepest(value: Json) -> Fault | None:
    """Walks without recursion, for the document may be anything."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return None
    return Fault((), f"nested more than {_DEEPEST} levels deep, more than any kind has")


def _tidy(value: Json, path: Path, report: Callable[[Fault], None], drop: Callable[[Path], None]) -> Json:
    """Without the nulls of maps, and with keys that are texts: numbers become such, as in Kubernetes."""
    if isinstance(value, list):
        return [_tidy(item, (*path, index), report, drop) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    tidied = {}
    for key, item in value.items():
        if not isinstance(key, str):
            if isinstance(key, bool) or not isinstance(key, int):
                report(Fault((*path, str(key)), f"the key is {_found(key)}: put it in quotes"))
            key = str(key)
        if item is None:
            drop((*path, key))
        else:
            tidied[key] = _tidy(item, (*path, key), report, drop)
    return tidied


def _wrong_nulls(shape: Shape, nulls: Iterable[Path]) -> Iterable[Fault]:
    """A null stands for absence, but of a field that there is, and of no amount: Kubernetes would read 0 there."""
    for path in nulls:
        *around, name = path
        owner = _shape_at(shape, around)
        if owner is None:
            continue  # below an unknown field, which is told
        if owner.form == "record" and str(name) not in owner.fields:
            yield Fault(path, _unknown(str(name), owner.fields), "warning")
        elif (found := _shape_at(owner, (name,))) is not None and found.form in ("quantity", "int_or_string"):
            yield Fault(path, "expected an amount, found nothing: write one, or take the key out")


def _shape_at(shape: Shape, path: Iterable[str | int]) -> Shape | None:
    """What is at the path; None for a field that there is not."""
    for step in path:
        if shape.form == "record":
            if (field := shape.fields.get(str(step))) is None:
                return None
            shape = field.shape
        else:
            shape = shape.item or _ANYTHING
    return shape


_ANYTHING = Shape("any")


_EMBEDDED: dict[type[Record] | None, Kind] = {kind.type: kind for kind in KINDS}
"""Kinds that may be part of another one, as a claim of a StatefulSet."""


def _wrong_kind(kind: Kind, document: Mapping[str, Any], *, is_implied: bool = False) -> Iterable[Fault]:
    for name, expected in (("apiVersion", kind.api_version), ("kind", kind.name)):
        if document.get(name, expected if is_implied else None) != expected:
            yield Fault((name,), f'expected "{expected}", found {_found(document.get(name))}')


def _checked(shape: Shape, value: Json, path: Path, report: Callable[[Fault], None]) -> Json:
    """The value, ready for conversion; reports what conversion would pass over.

    A value of the wrong type is left to the conversion and returned as it is.
    """
    if shape.form == "record" and isinstance(value, dict):
        fields = shape.fields
        checked = {}
        if path and shape.record in _EMBEDDED:
            for fault in _wrong_kind(_EMBEDDED[shape.record], value, is_implied=True):
                report(structs.replace(fault, path=path + fault.path))
        for name, item in value.items():
            if field := fields.get(name):
                checked[name] = _checked(field.shape, item, (*path, name), report)
            else:
                report(Fault((*path, str(name)), _unknown(str(name), fields), "warning"))
        return checked
    if shape.item is not None and isinstance(value, list if shape.form == "list" else dict):
        item_shape = shape.item
        if item_shape.form in ("text", "boolean"):
            # An element that is null reads as the empty text, as in Kubernetes.
            is_text = isinstance(value, list) and item_shape.form == "text" and None in value
            return ["" if item is None else item for item in value] if is_text else value
        if isinstance(value, list):
            return [_checked(item_shape, item, (*path, index), report) for index, item in enumerate(value)]
        return {key: _checked(item_shape, item, (*path, str(key)), report) for key, item in value.items()}
    if shape.form == "integer":
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        return _check_integer(value, path, report, shape.bits(name))
    check = _SCALAR_CHECKS.get(shape.form)
    return value if check is None else check(value, path, report)


def _unknown(name: str, fields: Mapping[str, Any]) -> str:
    if name.startswith("$"):
        return "a directive of a patch: a manifest says what is, not how to change it; apply the patch (Kustomize does)"
    by_lower = {known.lower(): known for known in fields}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"unknown field: did you mean `{by_lower[near[0]]}`?" if near else "unknown field"


def _check_quantity(value: Json, path: Path, report: Callable[[Fault], None]) -> Json:
    try:
        quantity.value(value)
    except ValueError as error:
        report(Fault(path, str(error)))
        return "0"
    except TypeError:
        pass  # No amount at all, but a list, say: conversion says so.
    return value


def _check_bytes(value: Json, path: Path, report: Callable[[Fault], None]) -> Json:
    """Base64 as people paste it, broken into lines."""
    if not isinstance(value, str):
        return value
    joined = "".join(value.split())
    try:
        b64decode(joined, validate=True)
    except (binascii.Error, ValueError):
        hint = "; put plain text under `stringData`" if path[0] == "data" else ""
        report(Fault(path, f"not base64{hint}"))
        return ""
    return joined


def _check_integer(value: Json, path: Path, report: Callable[[Fault], None], bits: int = 32) -> Json:
    if isinstance(value, int) and not isinstance(value, bool):
        most = 2 ** (bits - 1) - 1
        if not -most - 1 <= value <= most:
            report(Fault(path, f"the number is out of range, expected at most {most}"))
            return 0
    return value


_SCALAR_CHECKS: dict[Form, Callable[[Json, Path, Callable[[Fault], None]], Json]] = {
    "quantity": _check_quantity,
    "bytes": _check_bytes,
    "int_or_string": _check_integer,
}


@lru_cache(maxsize=4)
def _validator(kind: Kind) -> "Draft202012Validator":
    # Needed for broken documents alone, and 2.5 MiB.
    from jsonschema import Draft202012Validator

    from schemas.jsonschema import schema_of

    return Draft202012Validator(schema_of(kind))


def _schema_faults(kind: Kind, document: Mapping[str, Any]) -> list[Fault]:
    errors = _validator(kind).iter_errors(document)
    faults: dict[Path, Fault] = {}
    for error in errors:
        path: Path = tuple(error.absolute_path)
        if error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    faults[(*path, name)] = Fault((*path, name), "Required value")
        elif error.validator in ("type", "anyOf"):
            secret = kind.name == "Secret" and path[:1] in (("data",), ("stringData",))
            faults[path] = Fault(
                path, _wrong_secret(error.instance) if secret else _wrong_type(error.instance, error.schema)
            )
    return list(faults.values())


def _first_fault(message: str) -> Fault:
    """What conversion itself says, for the few things that a schema cannot: `Invalid … - at `$.metadata.x[0]``."""
    sentence, _, where = message.partition(" - at `$")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", where)
    return Fault(tuple(int(index) if index else name for name, index in steps), sentence)


def _wrong_type(found: Json, schema: Mapping[str, Any]) -> str:
    types = [schema["type"]] if "type" in schema else [choice["type"] for choice in schema["anyOf"]]
    expected = " or ".join(_A[type_] for type_ in types)
    return f"expected {expected}, found {_found(found)}{_advice(found, types)}"


def _wrong_secret(found: Json) -> str:
    """As `_wrong_type`, without the value: faults are logged."""
    if isinstance(found, bool):
        return "expected a string, found a boolean: put it in quotes"
    if isinstance(found, int | float):
        return "expected a string, found a number: put it in quotes"
    return f"expected a string, found a {type(found).__name__}"


_A = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}


def _found(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the string "{value if len(value) <= 60 else value[:60] + "…"}"'
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a map"
    return f"the {type(value).__name__} {value}"


def _advice(found: Json, types: list[str]) -> str:
    """What to change, where it is a matter of how YAML reads words."""
    if "string" in types:
        if isinstance(found, bool):
            return ': put it in quotes (YAML reads yes, no, on, off, true and false as booleans; "…" keeps the text)'
        if not isinstance(found, list | dict):
            return ": put it in quotes"
    if isinstance(found, str) and types == ["integer"] and found.strip().lstrip("-").isdecimal():
        return ": remove the quotes"
    if isinstance(found, str) and types == ["boolean"] and found.lower() in ("true", "false", "yes", "no", "on", "off"):
        return ": remove the quotes"
    if types == ["array"] and isinstance(found, dict | str):
        return ": begin each element with `- `"
    return ""
