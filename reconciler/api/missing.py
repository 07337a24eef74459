"""What is wrong with an object that lacks fields: as Kubernetes tells it, which reads nothing there and then validates.

Pure. A field that is missing is told by the rules of its kind, which say more of it and of what hangs on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.apps import Deployment, ReplicaSet
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.faults import Fault, Path
from schemas.kinds import Kind
from schemas.meta import Object
from schemas.shape import Form, Json, Shape, shape_of
from schemas.validation import validate
from schemas.validation.template import matched

_NOTHING: Mapping[Form, Json] = {
    "boolean": False,
    "bytes": "",
    "int_or_string": 0,
    "integer": 0,
    "list": [],
    "map": {},
    "number": 0.0,
    "quantity": "0",
    "text": "",
}


def told(kind: Kind, document: Mapping[str, Any], namespace: str, missing: Sequence[Fault]) -> tuple[Fault, ...]:
    """The faults of the document, all of whose `missing` ones are that a field is."""
    metadata = document.get("metadata")
    placed = dict(metadata) if isinstance(metadata, dict) else {}
    if not placed.get("name") and placed.get("generateName"):
        placed["name"] = f"{placed['generateName']}xxxxx"
    placed["namespace"] = namespace
    read = decode(kind, _filled(shape_of(kind.type), {**document, "metadata": placed}), "Warn")
    if read.object is None:
        return tuple(missing)
    found = [fault for fault in validate(defaulted(read.object)) if fault.severity == "error"]
    # Nothing of a selector is one that selects all, which is told in other words than that there is none.
    own = [
        fault
        for fault in missing
        if fault.path[-1:] == ("selector",) or not any(_is_at(fault.path, other.path) for other in found)
    ]
    unmatched = _unmatched(read.object) if any(fault.path == ("spec", "selector") for fault in own) else ()
    return (
        *own,
        *(fault for fault in found if not any(_is_at(other.path, fault.path) for other in own)),
        *unmatched,
    )


def _unmatched(object_: Object) -> Iterable[Fault]:
    """A selector that is not there picks no pod, whatever labels the template gives it."""
    if isinstance(object_, Deployment | ReplicaSet) and object_.spec.template is not None:
        yield from matched(("spec", "template"), False, object_.spec.template.metadata.labels)


def _is_at(path: Path, other: Path) -> bool:
    """Whether the other is the path, or below it. Some rules leave the place in a list out."""
    wanted, found = (tuple(step for step in steps if isinstance(step, str)) for steps in (path, other))
    return found[: len(wanted)] == wanted


def _filled(shape: Shape, value: Json) -> Json:
    """The value with nothing, as its type has it, in place of each field that is missing."""
    if shape.form == "record" and isinstance(value, dict):
        known = {
            name: _filled(field.shape, value[name])
            for name, field in shape.fields.items()
            if value.get(name) is not None
        }
        return known | {
            name: _nothing(field.shape)
            for name, field in shape.fields.items()
            if field.required and value.get(name) is None
        }
    if shape.item is not None and isinstance(value, list):
        return [_filled(shape.item, item) for item in value]
    if shape.item is not None and isinstance(value, dict):
        return {key: _filled(shape.item, item) for key, item in value.items()}
    return value


def _nothing(shape: Shape) -> Json:
    if shape.form == "record":
        return {name: _nothing(field.shape) for name, field in shape.fields.items() if field.required}
    return _NOTHING.get(shape.form)
