"""Typed access to a map of the file: what is of the wrong type is reported, and taken as absent.

A value that came from a variable is a text; numbers and booleans are therefore read from texts, too.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.syntax import pair, seconds, size
from schemas.faults import Path

Read = TypeVar("Read")
_TRUE = frozenset(("true", "yes", "on", "y"))
_FALSE = frozenset(("false", "no", "off", "n"))


class Fields:
    """The entries of one map."""

    def __init__(self, node: Node, path: Path, report: Report) -> None:
        self.node = node
        self.path = path
        self.report = report
        if not isinstance(node.value, dict) and node.value is not None:
            report.error(node, path, f"expected a map, found {found(node)}")

    def get(self, key: str) -> Node | None:
        """The entry, unless it is absent or null."""
        child = self.node.map.get(key)
        return None if child is None or child.value is None else child

    def at(self, key: str) -> Node:
        """The entry's place, or the map's own where it is absent."""
        return self.node.map.get(key, self.node)

    def error(self, key: str, message: str) -> None:
        self.report.error(self.at(key), (*self.path, key), message)

    def warning(self, key: str, message: str) -> None:
        self.report.warning(self.at(key), (*self.path, key), message)

    def below(self, key: str) -> "Fields":
        """The map under the key; an empty one where it is absent."""
        child = self.node.map.get(key) or self.node.with_value(None)
        return Fields(child, (*self.path, key), self.report)

    def read(self, key: str, reader: Callable[[Node], Read]) -> Read | None:
        """What `reader` makes of the entry; its `ValueError` is the fault."""
        if (child := self.get(key)) is None:
            return None
        return attempt(child, (*self.path, key), self.report, reader)

    def text(self, key: str) -> str:
        """A text; empty where there is none."""
        return self.read(key, as_text) or ""

    def boolean(self, key: str) -> bool | None:
        return self.read(key, as_boolean)

    def integer(self, key: str, least: int = 0) -> int | None:
        return self.read(key, lambda node: as_integer(node, least))

    def seconds(self, key: str) -> float | None:
        return self.read(key, lambda node: seconds(as_text(node)))

    def size(self, key: str) -> int | None:
        return self.read(key, lambda node: size(as_scalar(node)))

    def texts(self, key: str) -> list[str]:
        """A list of texts, or one of them."""
        return [text for _, _, text in self.each(key)]

    def each(self, key: str) -> list[tuple[Node, Path, str]]:
        """The same, each with its place."""
        texts = []
        for node, path in self.items(key):
            text = attempt(node, path, self.report, as_text)
            if text is not None:
                texts.append((node, path, text))
        return texts

    def items(self, key: str) -> list[tuple[Node, Path]]:
        """The elements of a list, or the one element that stands without one."""
        if (child := self.get(key)) is None:
            return []
        if isinstance(child.value, dict):
            self.error(key, f"expected a list, found {found(child)}")
            return []
        if not isinstance(child.value, list):
            return [(child, (*self.path, key))]
        return [(item, (*self.path, key, index)) for index, item in enumerate(child.value)]

    def pairs(self, key: str, separators: str = "=") -> dict[str, tuple[Node, str | None]]:
        """A map, or a list of `NAME=value`; None is a name alone."""
        child = self.get(key)
        pairs: dict[str, tuple[Node, str | None]] = {}
        if child is None:
            return pairs
        if not isinstance(child.value, dict | list):
            self.error(key, f"expected a map, or a list of NAME{separators[0]}value, found {found(child)}")
        for name, node in child.map.items():
            value = attempt(node, (*self.path, key, name), self.report, _as_value)
            pairs[name] = node, value
        for index, node in enumerate(child.list):
            at = (*self.path, key, index)
            if part := attempt(node, at, self.report, lambda node: pair(as_text(node), separators)):
                pairs[part[0]] = node, part[1]
        return pairs


def attempt(node: Node, path: Path, report: Report, reader: Callable[[Node], Read]) -> Read | None:
    """What `reader` makes of the node, or a fault."""
    try:
        return reader(node)
    except ValueError as error:
        report.error(node, path, str(error))
        return None


def section(tree: Node, name: str, report: Report) -> dict[str, Node]:
    """What the file has under one of its top keys, by name."""
    node = tree.map.get(name)
    return dict(Fields(node, (name,), report).node.map) if node is not None else {}


def found(node: Node) -> str:
    """What is there, in words for a person."""
    if isinstance(node.value, dict):
        return "a map"
    if isinstance(node.value, list):
        return "a list"
    return "nothing" if node.value is None else repr(node.value) if isinstance(node.value, str) else str(node.value)


def as_scalar(node: Node) -> str | int | float | bool:
    if isinstance(node.value, dict | list) or node.value is None:
        raise ValueError(f"expected one value, found {found(node)}")
    return node.value


def as_text(node: Node) -> str:
    """Also of a number or boolean, as Compose has it."""
    value = as_scalar(node)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_value(node: Node) -> str | None:
    return None if node.value is None else as_text(node)


def as_boolean(node: Node) -> bool:
    text = as_text(node).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"expected true or false, found {found(node)}")
    return text in _TRUE


def as_integer(node: Node, least: int) -> int:
    text = as_text(node)
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, found {found(node)}") from None
    if not least <= number < 2**31:
        raise ValueError(f"expected a number from {least} on, found {number}")
    return number


def one_of(value: str, known: Iterable[str]) -> str:
    """The value, which has to be one of the known ones."""
    if value not in (names := tuple(known)):
        raise ValueError(f"expected {', '.join(names[:-1])} or {names[-1]}, found {value!r}")
    return value
