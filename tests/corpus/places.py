"""The places of one document of a file, with the type that each has: where a fault can be put.

Positions are those of the text, so that an edit changes nothing but what it means to. What an alias or a merge key
brings in is no place of its own, and is left out.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import yaml

from schemas.faults import Path
from schemas.shape import Field, Shape


class Place(msgspec.Struct, frozen=True):
    """A key of a mapping with its value, or an element of a list (`key` is None then).

    `place` is the position of the pair among those of its mapping. `field` is None where the kind knows no such
    field, and for the keys of free maps.
    """

    path: Path
    key: Any
    value: Any
    siblings: tuple[tuple[Any, Any], ...]
    place: int
    owner: Shape
    shape: Shape | None
    field: Field | None
    is_flow: bool
    around: int
    """Where the mapping or list is that holds it: the position of its own key, if it has one."""

    @property
    def name(self) -> str:
        return str(self.path[-1])


def places(text: str, index: int, path: Path, shape: Shape) -> list[Place]:
    """All places of the document, or of the element of a list document that `path` names."""
    documents: Any = yaml.compose_all(text, yaml.CSafeLoader)
    node: Any = next(islice(documents, index, None))
    for step in path:
        node = _child(node, step)
    return list(_below(node, shape, (), node.start_mark.index, set()))


def _child(node: Any, step: str | int) -> Any:  # noqa: ANN401 - PyYAML's nodes have no types
    if isinstance(step, int):
        return node.value[step]
    return next(value for key, value in node.value if key.value == step)


def _below(node: Any, shape: Shape | None, path: Path, around: int, seen: set[int]) -> Iterator[Place]:  # noqa: ANN401
    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return
    seen.add(id(node))
    forms = ("list",) if isinstance(node, yaml.SequenceNode) else ("record", "map")
    owner = shape if shape and shape.form in forms else Shape("any")
    pairs: tuple[tuple[Any, Any], ...]
    if isinstance(node, yaml.SequenceNode):
        pairs = tuple((None, item) for item in node.value)
    else:
        pairs = tuple(node.value)
        if any(key.value == "<<" or not isinstance(key, yaml.ScalarNode) for key, _ in pairs):
            return
    for at, (key, value) in enumerate(pairs):
        step: str | int = at if key is None else key.value
        field = owner.fields.get(str(step)) if owner.form == "record" else None
        below = field.shape if field else owner.item
        if id(value) not in seen:
            yield Place((*path, step), key, value, pairs, at, owner, below, field, bool(node.flow_style), around)
            start = (key or value).start_mark.index
            yield from _below(value, below, (*path, step), start, seen)


def end_of(node: Any) -> int:  # noqa: ANN401
    """Where the text of the node ends, without what follows the last line of a block."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return end_of(last[1] if isinstance(last, tuple) else last)
