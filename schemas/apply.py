"""Structured merge, as in server-side apply: what is declared holds, what nobody declares stays.

Documents are JSON-shaped dicts; how their lists and maps merge is read from the types. What a declaration owns is
kept as `fieldsV1` of `metadata.managedFields`, so that the next declaration can drop what it no longer says.
Applying the same declaration twice changes nothing. Follows
https://kubernetes.io/docs/reference/using-api/server-side-apply/, but for two points: a list that names one element
twice is taken as a whole, and a record of alternatives (a volume, a rollout strategy) keeps only what is declared,
so that a default of the other alternative cannot stay behind.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from schemas.fieldsets import FieldSet, difference, is_member
from schemas.meta import Object, Record
from schemas.shape import Json, Shape, shape_of

SYSTEM_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""What identifies an object or belongs to the store; nobody owns it."""

_KEY_DEFAULTS = {"protocol": "TCP"}
"""What a field that identifies an element is where it is left out."""


class Element(NamedTuple):
    """A step into a set: the element of this value."""

    value: str | int


def apply(
    type_: type[Record],
    live: Mapping[str, Any] | None,
    declared: Mapping[str, Any],
    owned_before: FieldSet,
    others: FieldSet | None = None,
) -> tuple[dict[str, Any], FieldSet]:
    """The object that is to be, and what the declaration owns of it.

    It has every field that is declared, keeps what is live and nobody declares, and drops what was owned before
    and is no longer declared, unless it is among what `others` own. Raises `ValueError` where an element of a list
    lacks the field that identifies it.
    """
    shape = shape_of(type_)
    owned = owned_fields(type_, declared)
    theirs = others or {}
    kept = _dropped(shape, dict(live or {}), difference(owned_before, theirs), owned, theirs)
    return _merged(shape, kept, declared), owned


def owned_fields(type_: type[Record], declared: Mapping[str, Any]) -> FieldSet:
    """What a declaration owns. Raises `ValueError`."""
    owned = _owned(shape_of(type_), declared)
    if issubclass(type_, Object):
        owned.pop("f:apiVersion", None)
        owned.pop("f:kind", None)
        metadata = owned.pop("f:metadata", {})
        for name in SYSTEM_METADATA:
            metadata.pop(f"f:{name}", None)
        if metadata:
            owned["f:metadata"] = metadata
    return owned


def owns(field_set: FieldSet, path: Sequence[str | Mapping[str, Any] | Element]) -> bool:
    """Whether the value at the path, a whole that contains it, or a part of it is owned.

    A step is the name of a field or key, the keys that identify an element of a list, or an `Element` of a set.
    """
    owned = field_set
    for position, step in enumerate(path):
        if position and _is_leaf(owned):
            return True
        below = owned.get(_step(step))
        if below is None:
            return False
        owned = below
    return bool(path) or bool(field_set)


def _step(step: str | Mapping[str, Any] | Element) -> str:
    if isinstance(step, str):
        return f"f:{step}"
    return f"v:{_compact(step.value)}" if isinstance(step, Element) else f"k:{_compact(dict(sorted(step.items())))}"


def _is_leaf(owned: FieldSet) -> bool:
    return not owned


def _compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def element_key(shape: Shape, element: Json) -> str:
    """The `k:` or `v:` step of an element of a merged list. Raises `ValueError` where it has no key."""
    if shape.is_set:
        return f"v:{_compact(element)}"
    if not isinstance(element, dict):
        raise ValueError(f"expected a map with the fields {', '.join(shape.keys)}, found {_compact(element)[:60]}")
    keys = {key: element.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(shape.keys)}
    missing = [key for key, found in keys.items() if found is None]
    if missing:
        raise ValueError(f"an element of the list lacks the field `{missing[0]}`, which tells it from the others")
    return f"k:{_compact(keys)}"


def is_merged(shape: Shape, elements: Iterable[Json]) -> bool:
    """Whether the list merges by element; one that names an element twice does not."""
    return _keys(shape, elements) is not None


def _keys(shape: Shape, elements: Iterable[Json]) -> list[str] | None:
    """Of the elements of a list, where it merges by them."""
    if not (shape.keys or shape.is_set):
        return None
    keys = [element_key(shape, element) for element in elements]
    return keys if len(set(keys)) == len(keys) else None


def _owned(shape: Shape, value: Json) -> FieldSet:
    if shape.atomic:
        return {}
    if shape.form in ("record", "map") and isinstance(value, dict):
        return {
            f"f:{name}": _owned(below, item)
            for name, item in value.items()
            if item is not None and (below := child_shape(shape, name)) is not None
        }
    if isinstance(value, list | tuple) and (keys := _keys(shape, value)) is not None:
        item_shape = shape.item
        assert item_shape is not None
        return {key: {".": {}} | _owned_element(item_shape, item) for key, item in zip(keys, value, strict=True)}
    return {}


def _owned_element(shape: Shape, element: Json) -> FieldSet:
    return _owned(shape, element) if isinstance(element, dict) else {}


_ANY = Shape("any")


def child_shape(shape: Shape, name: str) -> Shape | None:
    """The shape of a field of a record or a key of a map."""
    if shape.form == "map":
        return shape.item
    field = shape.fields.get(name)
    return field.shape if field is not None else _ANY


def _merged(shape: Shape, live: Json, declared: Json) -> Json:
    if isinstance(declared, dict) and shape.form in ("record", "map"):
        under: dict[str, Any] = dict(live) if isinstance(live, dict) and not shape.atomic else {}
        if shape.retain_keys:
            under = {name: item for name, item in under.items() if name in declared}
        for name, item in declared.items():
            if item is not None:
                under[name] = _merged(child_shape(shape, name) or _ANY, under.get(name), item)
        return under
    if isinstance(declared, list | tuple) and (keys := _keys(shape, declared)) is not None:
        return _merged_list(
            shape, live if isinstance(live, list | tuple) else (), dict(zip(keys, declared, strict=True))
        )
    return declared


def _merged_list(shape: Shape, live: Sequence[Json], declared: Mapping[str, Json]) -> list[Json]:
    item_shape = shape.item or _ANY
    under = {element_key(shape, item): item for item in live}
    one = structs.replace(item_shape, retain_keys=shape.retain_keys)
    elements = {key: _merged(one, under.get(key), item) for key, item in declared.items()}
    return interleaved(shape, elements, live)


def interleaved(shape: Shape, elements: Mapping[str, Json], live: Iterable[Json]) -> list[Json]:
    """The elements in their order; each that only the live list has stays behind the one it stood behind."""
    behind: dict[str, list[Json]] = {"": []}
    anchor = ""
    for item in live:
        key = element_key(shape, item)
        if key in elements:
            anchor = key
        else:
            behind.setdefault(anchor, []).append(item)
    merged = list(behind[""])
    for key, element in elements.items():
        merged += [element, *behind.get(key, ())]
    return merged


def _dropped(shape: Shape, live: Json, before: FieldSet, now: FieldSet, others: FieldSet) -> Json:
    """The live value without what was owned before and is not now, nor by others."""
    if isinstance(live, dict) and shape.form in ("record", "map"):
        kept = {}
        for name, item in live.items():
            left = _left(child_shape(shape, name) or _ANY, item, before, now, others, f"f:{name}")
            if left is not None:
                kept[name] = left
        return kept
    if isinstance(live, list | tuple) and (shape.keys or shape.is_set):
        item_shape = shape.item or _ANY
        kept_items = []
        for item in live:
            key = element_key(shape, item)
            if key not in before or not (key in now or key in others or is_member(before[key])):
                kept_items.append(item)
            elif key in now or key in others:
                below = before[key], now.get(key, {}), others.get(key, {})
                kept_items.append(_dropped(item_shape, item, *below))
        return kept_items
    return live


def _left(shape: Shape, item: Json, before: FieldSet, now: FieldSet, others: FieldSet, step: str) -> Json:
    """What is left of a field, None for nothing."""
    if step not in before:
        return item
    if step in now:
        if shape.form == "list" and _is_leaf(before[step]) and not _is_leaf(now[step]):
            return None  # Taken as a whole before, by element now.
        return _dropped(shape, item, before[step], now[step], others.get(step, {}))
    if step in others:
        return item if _is_leaf(before[step]) else _dropped(shape, item, before[step], {}, others[step])
    if _is_leaf(before[step]) or shape.atomic:
        return None
    return _nothing_or(_undeclared(shape, item, before[step]))


def _undeclared(shape: Shape, live: Json, before: FieldSet) -> Json:
    """What nobody is known to own in a value that is no longer declared at all: keys of maps and elements of lists.

    The other fields of a record are its defaults, which mean nothing without what was declared.
    """
    if shape.form != "record" or not isinstance(live, dict):
        return _dropped(shape, live, before, {}, {})
    kept = {}
    for name, item in live.items():
        child = child_shape(shape, name) or _ANY
        owned = before.get(f"f:{name}")
        if owned is None:
            left = item if child.form == "map" or child.keys or child.is_set else None
        else:
            left = None if _is_leaf(owned) or child.atomic else _undeclared(child, item, owned)
        if _nothing_or(left) is not None:
            kept[name] = left
    return kept


def _nothing_or(value: Json) -> Json:
    return None if value in ({}, []) else value
