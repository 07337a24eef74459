"""The three patches of the Kubernetes API: JSON Patch, JSON Merge Patch, strategic merge patch.

Each takes a JSON-shaped document and returns a new one; the one given is left as it was. What cannot be done raises
`ValueError` with a sentence, and then nothing was done.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.apply import element_key, interleaved
from schemas.meta import Record
from schemas.shape import Json, Shape, shape_of

MOST_OPERATIONS = 10_000
"""Of one JSON Patch, as in the Kubernetes API server."""


class UnknownDirective(ValueError):
    """A `$patch` that is none of delete, replace and merge; told in the words of Kubernetes."""


def _plain(value: Json) -> Json:
    """A copy that may be written to. Tuples, as the API types have them, become lists."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def merge_patch(document: Json, patch: Json) -> Json:
    """RFC 7386: maps are merged, a null removes, everything else is replaced."""
    if not isinstance(patch, dict):
        return _plain(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for name, item in patch.items():
        if item is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), item)
    return dict(sorted(merged.items()))  # the order in which a fault quotes them


def json_patch(document: Json, operations: Sequence[Mapping[str, Any]]) -> Json:
    """RFC 6902: a list of `add`, `remove`, `replace`, `move`, `copy` and `test`. Raises `ValueError`."""
    if not isinstance(operations, list | tuple):
        raise ValueError("a JSON patch must be a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise ValueError(
            f"a JSON patch must have no more than {MOST_OPERATIONS} operations, this has {len(operations)}"
        )
    patched = {"": _plain(document)}
    for index, operation in enumerate(operations):
        try:
            _operate(patched, operation)
        except ValueError as error:
            raise ValueError(f"operation {index} of the JSON patch: {error}") from None
    return patched[""]


def _operate(root: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """Carries one operation out. The document is the value of the root's empty key, which makes it like any other."""
    if not isinstance(operation, dict):
        raise ValueError("expected a map with `op` and `path`")
    name, path = operation.get("op"), _pointer(operation, "path")
    match name:
        case "add":
            _add(root, path, _plain(_value(operation)))
        case "remove":
            _take(root, path)
        case "replace":
            _take(root, path)
            _add(root, path, _plain(_value(operation)))
        case "move":
            source = _pointer(operation, "from")
            if path[: len(source)] == source and path != source:
                raise ValueError(f"cannot move {_shown(source)} into itself")
            _add(root, path, _take(root, source))
        case "copy":
            _add(root, path, _plain(_get(root, _pointer(operation, "from"))))
        case "test":
            if not _equal(_get(root, path), _value(operation)):
                raise ValueError(f"the test failed: {_shown(path)} has another value")
        case _:
            raise ValueError(f"unknown `op` {name!r}: expected add, remove, replace, move, copy or test")


def _value(operation: Mapping[str, Any]) -> Json:
    if "value" not in operation:
        raise ValueError("`value` is missing")
    return operation["value"]


def _pointer(operation: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The steps of a JSON pointer (RFC 6901) from the root down."""
    text = operation.get(name)
    if not isinstance(text, str):
        raise ValueError(f"`{name}` is missing")
    if text and not text.startswith("/"):
        raise ValueError(f"`{name}` is {text!r}: expected a pointer such as /spec/replicas")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/"))


def _shown(path: tuple[str, ...]) -> str:
    return "/".join(path) or "the document"


def _index(container: list[Any], step: str, path: tuple[str, ...], *, end: bool = False) -> int:
    if end and step == "-":
        return len(container)
    sound = step.isascii() and step.isdecimal() and len(step) < 10 and (step == "0" or not step.startswith("0"))
    if not sound or int(step) >= len(container) + end:
        raise ValueError(f"{_shown(path)} is not there: the list has {len(container)} elements")
    return int(step)


def _get(root: dict[str, Any], path: tuple[str, ...]) -> Json:
    found: Any = root
    for position, step in enumerate(path):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list):
            found = found[_index(found, step, path[: position + 1])]
        else:
            raise ValueError(f"{_shown(path[: position + 1])} is not there")
    return found


def _add(root: dict[str, Any], path: tuple[str, ...], value: Json) -> None:
    container, step = _get(root, path[:-1]), path[-1]
    if isinstance(container, dict):
        container[step] = value
    elif isinstance(container, list):
        container.insert(_index(container, step, path, end=True), value)
    else:
        raise ValueError(f"{_shown(path[:-1])} is neither a map nor a list")


def _take(root: dict[str, Any], path: tuple[str, ...]) -> Json:
    found, container, step = _get(root, path), _get(root, path[:-1]), path[-1]
    del container[int(step) if isinstance(container, list) else step]
    return found


def _equal(one: Json, other: Json) -> bool:
    """As JSON: true is not 1."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(item, other[name]) for name, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


_ANY = Shape("any")
_DELETE_VALUES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(type_: type[Record], document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Kubernetes' own patch: lists merge by the key that the type gives them. Raises `ValueError`.

    Knows the directives `$patch` (delete, replace, merge), `$setElementOrder/…`, `$deleteFromPrimitiveList/…` and
    `$retainKeys`.
    """
    if not isinstance(patch, dict):
        raise ValueError("a strategic merge patch must be a map")
    return _strategic(shape_of(type_), _plain(document), patch)


def _in_go(value: Json) -> str:
    """A value as Go prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_in_go(item)}" for name, item in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_in_go, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _strategic(shape: Shape, document: Json, patch: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get("$patch")
    if directive not in (None, "merge", "replace", "delete"):
        raise UnknownDirective(f"unknown patch type: {_in_go(directive)} in map: {_in_go(patch)}")
    if directive == "delete":
        return {}
    if directive == "replace":
        return {name: _plain(item) for name, item in patch.items() if name != "$patch"}
    merged = dict(document) if isinstance(document, dict) else {}
    if (retained := patch.get("$retainKeys")) is not None:
        merged = {name: item for name, item in merged.items() if name in retained}
    for name, item in patch.items():
        if not name.startswith("$"):
            _merge_field(_child(shape, name), merged, name, item, patch)
    for name, values in patch.items():
        field = name.partition("/")[2]
        if name.startswith(_DELETE_VALUES) and field in merged:
            merged[field] = [item for item in merged[field] if item not in values]
        elif name.startswith(_ORDER) and isinstance(merged.get(field), list):
            merged[field] = _ordered(_child(shape, field), merged[field], values)
        elif name.startswith("$") and name not in ("$patch", "$retainKeys") and not field:
            raise ValueError(f"unknown directive `{name}`")
    return merged


def _child(shape: Shape, name: str) -> Shape:
    if shape.form == "map":
        return shape.item or _ANY
    field = shape.fields.get(name)
    return field.shape if field is not None else _ANY


def _merge_field(shape: Shape, merged: dict[str, Any], name: str, item: Json, patch: Mapping[str, Any]) -> None:
    if item is None:
        merged.pop(name, None)
    elif isinstance(item, dict):
        merged[name] = _strategic(shape, merged.get(name), item)
        if item.get("$patch") == "delete":
            del merged[name]
    elif isinstance(item, list) and shape.form == "list" and isinstance(merged.get(name, []), list):
        found = _strategic_list(shape, merged.get(name, []), item)
        told = f"{_ORDER}{name}" in patch
        merged[name] = found if told else _as_patched(shape, merged.get(name, []), item, found)
    else:
        merged[name] = _plain(item)


def _strategic_list(shape: Shape, live: list[Any], patch: list[Any]) -> list[Any]:
    if shape.is_set:
        return [*live, *(item for item in patch if item not in live)]
    if shape.patch_key is None or any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [_plain(item) for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    merged = list(live)
    for item in patch:
        _merge_element(shape, merged, item)
    return merged


def _as_patched(shape: Shape, live: list[Any], patch: list[Any], merged: list[Any]) -> list[Any]:
    """The merged elements as Kubernetes orders them where the patch does not say how: in the order of the patch, and
    those that it does not name in their own, each before the first named one that it stood before, or else at the end.
    """
    key = None if shape.is_set else shape.patch_key
    if not shape.is_set and key is None:
        return merged

    def identity(element: Json) -> Json:
        return element.get(key) if key is not None and isinstance(element, dict) else element

    named = [identity(element) for element in patch]
    before = [identity(element) for element in live]
    patched = sorted((one for one in merged if identity(one) in named), key=lambda one: named.index(identity(one)))
    others = [one for one in merged if identity(one) not in named]
    found: list[Any] = []
    while patched and others:
        at = before.index(identity(patched[0])) if identity(patched[0]) in before else -1
        found.append((others if before.index(identity(others[0])) < at else patched).pop(0))
    return [*found, *patched, *others]


def _merge_element(shape: Shape, merged: list[Any], item: Json) -> None:
    key = shape.patch_key
    if not isinstance(item, dict) or item.get(key or "") is None:
        raise ValueError(f"an element of the patch lacks the field `{key}`, which tells it from the others")
    places = [place for place, found in enumerate(merged) if found.get(key) == item[key]]
    if item.get("$patch") == "delete":
        for place in reversed(places):
            del merged[place]
    elif places:
        merged[places[0]] = _strategic(shape.item or _ANY, merged[places[0]], item)
    else:
        merged.append(_strategic(shape.item or _ANY, {}, item))


def _ordered(shape: Shape, elements: list[Any], order: list[Any]) -> list[Any]:
    """The elements in this order; those that it does not name stay behind the one they stood behind."""
    by_key = shape if shape.is_set else Shape("list", item=shape.item, keys=(shape.patch_key or "",))
    there = {element_key(by_key, element): element for element in elements}
    named = [element_key(by_key, element) for element in order]
    return interleaved(by_key, {key: there[key] for key in named if key in there}, elements)
