"""Sets of fields, as `fieldsV1` of `metadata.managedFields` writes them.

A set is a tree of steps: `f:` a field, `k:` an element of a list by its keys, `v:` an element of a set, `i:` one by
its place. A step is a member where nothing is below it, or where `.` says so; a member does not stand for what is
below it. Pure: no set is ever changed, every operation returns a new one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

FieldSet = dict[str, Any]

_MEMBER = "."


def is_member(node: Mapping[str, Any] | None) -> bool:
    """Whether the step itself is meant, not only what is below it."""
    return node is not None and (not node or _MEMBER in node)


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    return _combined(one, other, lambda a, b: a or b)


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """The members of the one that the other lacks."""
    return _combined(one, other, lambda a, b: a and not b) if one and other else one


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    return _combined(one, other, lambda a, b: a and b) if one and other else {}


def _combined(one: FieldSet, other: FieldSet, keep: Callable[[bool, bool], bool]) -> FieldSet:
    found = {}
    for step in (*one, *(step for step in other if step not in one)):
        if step == _MEMBER:
            continue
        a, b = one.get(step), other.get(step)
        below = _combined(a or {}, b or {}, keep)
        is_kept = keep(is_member(a), is_member(b))
        if below:
            found[step] = {_MEMBER: {}} | below if is_kept else below
        elif is_kept:
            found[step] = {}
    return found


def members(field_set: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every member, in order."""
    for step in sorted(field_set):
        if step == _MEMBER:
            continue
        node = field_set[step]
        if is_member(node):
            yield (*path, step)
        yield from members(node, (*path, step))


def path_text(path: tuple[str, ...]) -> str:
    """As people read it: `.spec.containers[name="main"].image`."""
    return "".join(map(_step_text, path))


def _step_text(step: str) -> str:
    form, _, rest = step.partition(":")
    if form == "f":
        return f".{rest}"
    if form == "k":
        keys: dict[str, Any] = msgspec.json.decode(rest)
        return "[" + ",".join(f"{name}={_compact(value)}" for name, value in sorted(keys.items())) + "]"
    return f"[={rest}]" if form == "v" else f"[{rest}]"


def _compact(value: object) -> str:
    return msgspec.json.encode(value).decode()
