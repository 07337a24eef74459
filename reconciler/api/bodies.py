"""A request's body as a document, and a document as an object of a kind; what is wrong is told in Kubernetes' words.

Pure. Programs match on these sentences, so they are the API server's own, where manifests are told of the same
faults in words for people.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import structs

from reconciler.api import missing
from reconciler.api.representation import encode
from reconciler.api.status import StatusError, bad_request, invalid
from reconciler.api.target import Target
from schemas import gojson
from schemas.decode import FieldValidation, decode
from schemas.defaults import defaulted
from schemas.faults import Fault, Path
from schemas.kinds import BY_GROUP_VERSION_KIND, Kind
from schemas.meta import Object
from schemas.shape import Json, Shape, shape_of

Document = dict[str, Any]

_MISSING = "Required value"
_SHOWN = 30
"""Bytes of a body that is no document, in the message."""
_OPEN_ARRAY = (
    'json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
_METADATA_ORDER = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_ENTRY_ORDER = ("manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource")


class Read(msgspec.Struct, frozen=True):
    """An object as the body has it, and what its writer should know."""

    object: Object
    warnings: tuple[str, ...] = ()


def parse(body: bytes, kind: str = "") -> Document:
    """The body as a document. Raises the 400."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise _unreadable(kind, gojson.fault(body) or str(error), body) from None
    if not isinstance(document, dict):
        why = _OPEN_ARRAY if isinstance(document, list) else "json: cannot unmarshal the value into an object"
        raise _unreadable(kind, why, body)
    return document


def _unreadable(kind: str, why: str, body: bytes) -> Exception:
    shown = body.decode(errors="replace") if body[:1] == b"{" else body.hex()
    limit = _SHOWN if body[:1] == b"{" else 2 * _SHOWN
    summary = (shown if len(shown) <= limit else f"{shown[:limit]} ...") or "<empty>"
    of = f" (must be of type {kind})" if kind else ""
    return bad_request(
        f"the object provided is unrecognized{of}: couldn't get version/kind; json parse error: {why} ({summary})"
    )


def repeated(body: bytes) -> tuple[str, ...]:
    """The fields that a sound JSON document gives more than once. Only where the body may hold such is it looked at."""
    import json  # msgspec keeps the last of them, and does not tell

    twice: list[tuple[dict[str, Any], str]] = []

    def pairs(found: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            times = Counter(key for key, _ in found)
            twice.extend((made, key) for key, count in times.items() if count > 1)
        return made

    document = json.loads(body, object_pairs_hook=pairs)
    return tuple(f"{path}.{key}".lstrip(".") for made, key in twice for path in _places(document, made, ""))


def _places(value: Json, wanted: dict[str, Any], path: str) -> Iterable[str]:
    if value is wanted:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, wanted, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, wanted, f"{path}[{index}]")


def document_of(object_: Object) -> Document:
    """The object as a client has it, in maps and lists alone."""
    document: Document = msgspec.json.decode(encode(object_))
    return document


def read(
    target: Target, document: Document, unknown: FieldValidation, twice: Sequence[str] = (), *, is_patched: bool = False
) -> Read:
    """The document as an object of the target's kind, in its namespace, with its defaults. Raises the 400, or 422."""
    kind = target.kind
    document = {"apiVersion": kind.api_version, "kind": kind.name, **document}
    _check_kind(kind, document["apiVersion"], document["kind"])
    decoded = decode(kind, document, "Warn")
    broken = [fault for fault in decoded.faults if fault.severity == "error"]
    wrong = next((fault for fault in broken if fault.message != _MISSING), None)
    cannot = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: '
    if wrong is not None:
        why = _wrong_type(kind, document, wrong)
        # What a client prints of a refusal is kept in logs, where no Secret belongs.
        raise _misfit(document, why) if is_patched and kind.name != "Secret" else bad_request(cannot + why)
    told = [_unknown(fault) for fault in decoded.faults if fault.severity == "warning"]
    odd = [*told, *(f'duplicate field "{field}"' for field in twice)]
    if odd and unknown == "Strict":
        raise bad_request(f"{cannot}strict decoding error: {', '.join(odd)}")
    if decoded.object is None:
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        faults = missing.told(kind, document, target.place, broken)
        raise invalid(kind.name, kind.group, str(name or ""), faults)
    return Read(_placed(target, decoded.object), tuple(odd) if unknown == "Warn" else ())


def _misfit(patched: Document, why: str) -> StatusError:
    """Of what a patch made of an object, which who may patch may see: it would have been the answer."""
    found = dict(sorted(patched.items()))
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        entries = metadata.get("managedFields")
        if isinstance(entries, list):
            ordered = [_in_order(one, _ENTRY_ORDER) if isinstance(one, dict) else one for one in entries]
            metadata = metadata | {"managedFields": ordered}
        found["metadata"] = _in_order(metadata, _METADATA_ORDER)
    shown = msgspec.json.encode(msgspec.json.encode(found).decode()).decode()  # quoted
    return invalid("", "", "", (Fault(("patch",), f"Invalid value: {shown}: {why}"),))


def _in_order(document: Document, names: Sequence[str]) -> Document:
    """These first, as the API server writes them."""
    return {name: document[name] for name in names if name in document} | document


def _check_kind(kind: Kind, api_version: Json, name: Json) -> None:
    if (api_version, name) == (kind.api_version, kind.name):
        return
    found = f'{name} in version "{str(api_version).rpartition("/")[2]}" cannot be handled as a {kind.name}: '
    if (other := BY_GROUP_VERSION_KIND.get((api_version, name))) is not None:
        package = kind.group.partition(".")[0] or "core"
        raise bad_request(f"{found}converting ({other.version}.{name}) to ({package}.{kind.name}): unknown conversion")
    scheme = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'
    raise bad_request(f'{found}no kind "{name}" is registered for version "{api_version}" {scheme}')


def _unknown(fault: Fault) -> str:
    return f'unknown field "{".".join(_steps(fault.path))}"' if "unknown field" in fault.message else str(fault)


def _steps(path: Path) -> list[str]:
    """The steps as the API server's decoder names them: `spec.containers[0]`."""
    steps: list[str] = []
    for step in path:
        if isinstance(step, int) and steps:
            steps[-1] += f"[{step}]"
        else:
            steps.append(str(step))
    return steps


_GO = {"text": "string", "boolean": "bool", "number": "float64", "bytes": "[]uint8"}


def _wrong_type(kind: Kind, document: Document, fault: Fault) -> str:
    """As Go's JSON decoder tells of a value of another type; of everything else as we tell it."""
    shape, record, fields, found = shape_of(kind.type), kind.name, list[str](), document
    for step in fault.path:
        if isinstance(found, dict) and str(step) in found:
            found = found[str(step)]
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return str(fault)
        if shape.form == "record":
            record = shape.record.__name__ if shape.record else record
            fields.append(str(step))
            if (field := shape.fields.get(str(step))) is None:
                return str(fault)
            shape = field.shape
        else:
            shape = shape.item or shape
    if (unread := _unread(shape, found)) is not None:
        return unread
    wanted = _go_type(shape, fields[-1] if fields else "")
    has = _json_type(found)
    if not fault.message.startswith("expected") or wanted is None or has is None:
        return str(fault)
    return f"json: cannot unmarshal {has} into Go struct field {record}.{'.'.join(fields)} of type {wanted}"


_QUANTITY = r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)"
_BASE64 = re.compile(r"[A-Za-z0-9+/=\r\n]*")


def _unread(shape: Shape, found: Json) -> str | None:
    """Why Go cannot read a text as an amount or as bytes; None where it is neither."""
    if not isinstance(found, str):
        return None
    if shape.form == "quantity":
        if re.fullmatch(_QUANTITY, found) is None:
            return f"quantities must match the regular expression '^{_QUANTITY}$'"
        return "unable to parse quantity's suffix"
    if shape.form == "bytes":
        sound = _BASE64.match(found)
        return f"illegal base64 data at input byte {sound.end() if sound else 0}"
    return None


def _json_type(value: Json) -> str | None:
    types = ((bool, "bool"), (int | float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for type_, name in types if isinstance(value, type_)), None)


def _go_type(shape: Shape, field: str) -> str | None:
    if shape.form == "integer":
        return f"int{shape.bits(field)}"
    if shape.form in ("list", "map") and shape.item is not None:
        below = _go_type(shape.item, field)
        return below and ("[]" if shape.form == "list" else "map[string]") + below
    if shape.form == "record" and shape.record is not None:
        return f"v1.{shape.record.__name__}"
    return _GO.get(shape.form)


def _placed(target: Target, object_: Object) -> Object:
    """The object in the namespace of the request, which its own must not contradict, with its defaults."""
    metadata = object_.metadata
    if metadata.namespace and metadata.namespace != target.place:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if metadata.namespace != target.place:
        object_ = structs.replace(object_, metadata=structs.replace(metadata, namespace=target.place))
    return defaulted(object_)
