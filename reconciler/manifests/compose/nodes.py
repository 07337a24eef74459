"""The text of a Compose file as values that know where they stand.

Pure. What is refused of a manifest (not UTF-8, too large, too deep, aliases without end, conflict markers) is refused
here, too: the manifests' parser looks first. Words that YAML 1.1 reads as booleans (`yes`, `no`, `on`, `off`) stay
words, as in Compose: `restart: no` is one of its values.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
import yaml

from reconciler.manifests import scalars
from reconciler.manifests.parse import Problem, parse
from schemas.faults import Path

RESET = "!reset"
OVERRIDE = "!override"
_TAGS = frozenset((RESET, OVERRIDE))
_WORDS = frozenset(f(word) for word in ("y", "n", "yes", "no", "on", "off") for f in (str.lower, str.upper, str.title))
_YAML = "tag:yaml.org,2002:"


class Node(msgspec.Struct, frozen=True):
    """A value, the file and line of it, and the folder that paths in it are relative to.

    The line is that of the key or dash before it. `value` holds further nodes where it is a map or a list.
    """

    value: "Value"
    file: str
    line: int
    base: str
    tag: str = ""

    @property
    def map(self) -> Mapping[str, "Node"]:
        """The entries of a map; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def list(self) -> "list[Node]":
        """The elements of a list; none of anything else."""
        return self.value if isinstance(self.value, list) else []

    def with_value(self, value: "Value") -> "Node":
        """The same place with another value."""
        return msgspec.structs.replace(self, value=value)


Value: TypeAlias = "dict[str, Node] | list[Node] | scalars.Scalar"
YamlNode: TypeAlias = Any
"""A node of PyYAML, whose stubs leave out what its C parser adds."""


class File(msgspec.Struct, frozen=True):
    """The documents of one file, or why it is not one; `problems` are those that spoil a place of it alone."""

    documents: tuple[Node, ...] = ()
    refused: Problem | None = None
    problems: tuple[Problem, ...] = ()


def read_file(file: str, content: bytes, base: str) -> File:
    """All documents of a Compose file; paths in it are relative to `base`."""
    if refused := parse(content).refused:
        return File(refused=refused)
    builder = _Builder(file, base)
    found: Iterator[YamlNode] = yaml.compose_all(content.decode("utf-8-sig"), Loader=yaml.CSafeLoader)
    documents = tuple(builder.node(one, one.start_mark.line + 1) for one in found if one is not None)
    return File(documents, None, tuple(builder.problems))


class _Builder:
    """Nodes from those of PyYAML. What an anchor names is built once, and shared."""

    def __init__(self, file: str, base: str) -> None:
        self.file = file
        self.base = base
        self.problems: list[Problem] = []
        self.built: dict[int, Value] = {}

    def node(self, source: YamlNode, line: int) -> Node:
        key = id(source)
        if key not in self.built:
            self.built[key] = self.value(source)
        tag = source.tag if source.tag in _TAGS else ""
        return Node(self.built[key], self.file, line, self.base, tag)

    def value(self, source: YamlNode) -> Value:
        if isinstance(source, yaml.ScalarNode):
            return self.scalar(source)
        expected = "map" if isinstance(source, yaml.MappingNode) else "seq"
        if source.tag not in (*_TAGS, f"{_YAML}{expected}"):
            self.problems.append(_unknown_tag(source))
        if isinstance(source, yaml.MappingNode):
            return self.mapping(source)
        return [self.node(item, item.start_mark.line + 1) for item in source.value]

    def scalar(self, source: YamlNode) -> scalars.Scalar:
        text: str = source.value
        if source.tag in _TAGS:
            return None if text in ("", "null", "~") else text
        try:
            if not _is_plain(source) or source.tag == f"{_YAML}str":
                return text
            if not source.tag.startswith(_YAML):
                return scalars.tagged(source.tag, text)
            return text if text in _WORDS else scalars.plain(text)
        except scalars.BadScalar as error:
            self.problems.append(Problem(source.start_mark.line + 1, str(error)))
            return None

    def mapping(self, source: YamlNode) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: list[Node] = []
        for key, value in source.value:
            line = key.start_mark.line + 1
            node = self.node(value, line)
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and _is_plain(key):
                merged += node.list or [node]
            elif (name := self.key(key)) is None:
                continue
            elif name in found:
                self.problems.append(Problem(line, f"the key {name!r} is there twice; keep one"))
            else:
                found[name] = node
        for other in merged:
            for name, value in other.map.items():
                found.setdefault(name, value)
        return found

    def key(self, source: YamlNode) -> str | None:
        value = self.scalar(source)
        try:
            return source.value if isinstance(value, bool | float) else scalars.key(value)
        except scalars.BadScalar as error:
            self.problems.append(Problem(source.start_mark.line + 1, str(error)))
            return None


def _is_plain(source: YamlNode) -> bool:
    return source.style in (None, "")


def _unknown_tag(source: YamlNode) -> Problem:
    message = f"the YAML tag {source.tag.replace(_YAML, '!!')} is not known; Compose has !reset and !override"
    return Problem(source.start_mark.line + 1, message)


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The node and all below it, each with its path."""
    yield path, node
    for key, child in node.map.items():
        yield from walk(child, (*path, key))
    for index, child in enumerate(node.list):
        yield from walk(child, (*path, index))
