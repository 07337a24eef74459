"""All the fields of an object, as whoever makes it owns them.

The same set as `fieldowners.changes` finds between nothing and the object, but quick: the shapes of a type are gone
through once and kept as functions, so that the fields of every object of a long list can be told. Pure.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from schemas.apply import SYSTEM_METADATA, element_key
from schemas.fieldowners import BY_SERVER, is_always_there
from schemas.fieldsets import FieldSet, difference
from schemas.meta import Record
from schemas.shape import Json, Shape, shape_of

Walk = Callable[[Json], FieldSet]
"""From a value, as JSON has it, to its fields."""

_NOBODYS = ("apiVersion", "kind")
_encode = msgspec.json.Encoder().encode


def fields_of(type_: type[Record], document: Mapping[str, Any]) -> FieldSet:
    """What the maker of an object (or of a part of it, where the document is one) owns."""
    found = _start(shape_of(type_))({name: value for name, value in document.items() if name not in _NOBODYS})
    if type_.__name__ in BY_SERVER:
        found = difference(found, BY_SERVER[type_.__name__])
    metadata = found.get("f:metadata")
    if metadata is not None:
        for name in SYSTEM_METADATA:
            metadata.pop(f"f:{name}", None)
        if not metadata:
            del found["f:metadata"]
    return found


@lru_cache(maxsize=1024)
def _start(shape: Shape) -> Walk:
    """Of a record that every object has: it is nobody's, only what is in it is somebody's."""
    there: dict[str, tuple[str, Walk | None]] = {}
    whole: dict[str, tuple[str, Walk | None]] = {}
    for name, field in shape.fields.items():
        if is_always_there(shape, field):
            there[name] = f"f:{name}", _there(field.shape)
        else:
            whole[name] = f"f:{name}", _whole(field.shape)

    def walk(value: Json) -> FieldSet:
        found: FieldSet = {}
        for name, item in value.items():
            if name in whole:
                step, below = whole[name]
                found[step] = {} if below is None else below(item)
            elif item and name in there:
                step, below = there[name]
                fields = {} if below is None else below(item)
                if fields or not isinstance(item, dict) or below is None:
                    found[step] = fields
        return found

    return walk


def _there(shape: Shape) -> Walk | None:
    """Of a value that every object has, be it empty. None: it is owned as one."""
    if shape.form == "record" and not shape.atomic:
        return _start(shape)
    return _elements(shape, is_there=True) if shape.keys or shape.is_set else None


@lru_cache(maxsize=1024)
def _whole(shape: Shape) -> Walk | None:
    """Of a value that was not there: what is in it and the value itself. None: it is owned as one."""
    if shape.atomic:
        return None
    if shape.form == "record":
        return _record(shape)
    if shape.form == "map":
        return _map(shape)
    return _elements(shape, is_there=False) if shape.form == "list" and (shape.keys or shape.is_set) else None


def _record(shape: Shape) -> Walk:
    table: dict[str, tuple[str, Walk | None]] = {}

    def walk(value: Json) -> FieldSet:
        if not table:  # at the first value, for a type may contain itself
            table.update({name: (f"f:{name}", _whole(field.shape)) for name, field in shape.fields.items()})
        found: FieldSet = {".": {}}
        for name, item in value.items():
            entry = table.get(name)
            if entry is not None:
                step, below = entry
                found[step] = {} if below is None else below(item)
        return found if len(found) > 1 else {}

    return walk


def _map(shape: Shape) -> Walk:
    assert shape.item is not None
    below = _whole(shape.item)

    def walk(value: Json) -> FieldSet:
        found: FieldSet = {".": {}}
        for name, item in value.items():
            found[f"f:{name}"] = {} if below is None else below(item)
        return found if len(found) > 1 else {}

    return walk


def _elements(shape: Shape, *, is_there: bool) -> Walk:
    """Of a list that is merged by element; where they cannot be told apart it is owned as one."""
    assert shape.item is not None
    below, key_of = _whole(shape.item), _key_of(shape)

    def walk(value: Json) -> FieldSet:
        found: FieldSet = {}
        try:
            for item in value:
                found[key_of(item)] = {} if below is None else below(item)
        except ValueError:  # it lacks its key
            return {}
        if len(found) != len(value):
            return {}
        return found if is_there or not found else {".": {}} | found

    return walk


def _key_of(shape: Shape) -> Callable[[Json], str]:
    if len(shape.keys) != 1:
        return lambda item: element_key(shape, item)
    (key,) = shape.keys

    def by_one(item: Json) -> str:
        value = item.get(key)
        return element_key(shape, item) if value is None else f'k:{{"{key}":{_encode(value).decode()}}}'

    return by_one
