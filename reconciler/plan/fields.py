"""What differs between two versions of an object, field by field, as a person reads it.

Pure. Status, and what the cluster itself stamps, do not count. A Secret's values are never handed on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from reconciler.plan.outcome import FieldChange
from schemas.faults import field_name
from schemas.meta import Object

HIDDEN = "<hidden>"
HIDDEN_CHANGED = "<hidden, another value>"
_METADATA = ("labels", "annotations", "finalizers")
_STAMPED = ("wherry.dev/source", "wherry.dev/commit", "deployment.kubernetes.io/revision")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ABSENT = object()
Path = tuple[str, ...]


class _Element(str):
    """The name of a list's element, as a step of a path."""

    __slots__ = ()


def changed_fields(before: Object, after: Object) -> tuple[FieldChange, ...]:
    """By path. Elements of a list that have names are told apart by them."""
    found = _differences((), _wanted(before), _wanted(after))
    if after.kind == "Secret":
        return tuple(_hidden(path, old, new) for path, old, new in found)
    return tuple(FieldChange(_text(path), _plain(old), _plain(new)) for path, old, new in found)


def _text(path: Path) -> str:
    """`spec.template.spec.containers[main].image`."""
    text, steps = "", list[str]()
    for step in path:
        if isinstance(step, _Element):
            text, steps = _joined(text, steps) + f"[{step}]", []
        else:
            steps.append(step)
    return _joined(text, steps)


def _joined(text: str, steps: list[str]) -> str:
    return ".".join(part for part in (text, field_name(tuple(steps))) if part)


def _wanted(object_: Object) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(object_)
    metadata = built.pop("metadata", {})
    built.pop("status", None)
    kept = {name: metadata[name] for name in _METADATA if name in metadata}
    left_out = (*_STAMPED, _LAST_APPLIED)
    annotations = {key: value for key, value in kept.pop("annotations", {}).items() if key not in left_out}
    if annotations:
        kept["annotations"] = annotations
    return {"metadata": kept, **built}


def _differences(path: Path, before: object, after: object) -> Iterator[tuple[Path, object, object]]:
    if before == after:
        return
    one, other = _by_key(before), _by_key(after)
    if one is None or other is None:
        yield path, before, after
        return
    for key in (*one, *(key for key in other if key not in one)):
        yield from _differences((*path, key), one.get(key, _ABSENT), other.get(key, _ABSENT))


def _by_key(value: object) -> Mapping[str, object] | None:
    """A mapping as it is, a list of named elements by name; None for what is compared as a whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(one, dict) and one.get("name") for one in value):
        named: dict[str, object] = {_Element(one["name"]): one for one in value}
        return named if len(named) == len(value) else None
    return None


def _plain(value: object) -> object:
    return None if value is _ABSENT else value


def _hidden(path: Path, before: object, after: object) -> FieldChange:
    if path[:1] not in (("data",), ("stringData",)):
        return FieldChange(_text(path), _plain(before), _plain(after))
    if len(path) == 1:  # all of them at once: only the keys may be told
        return FieldChange(_text(path), _keys(before), _keys(after))
    old = None if before is _ABSENT else HIDDEN
    new = None if after is _ABSENT else HIDDEN if old is None else HIDDEN_CHANGED
    return FieldChange(_text(path), old, new)


def _keys(value: object) -> object:
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else None
