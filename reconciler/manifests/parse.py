"""The bytes of one file as documents: YAML or JSON, several in a file, lists of objects flattened.

Pure. Built on the events of PyYAML's C parser, which cost half of its nodes and bound depth and aliases while
reading: nothing that a file holds can exhaust the stack or the memory. Positions are looked for a second time,
and only where a fault asks for them.
"""

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import msgspec
import yaml

from reconciler.manifests import scalars
from reconciler.manifests.positions import YamlEvent, YamlEvents, line_of, lines, repeated
from schemas.faults import Path

MAX_BYTES = 4 * 1024 * 1024
DEEPEST = 100
"""Levels of nesting. No kind needs 40."""
MOST_ALIASED = 100_000
"""Values that the aliases of one document may stand for: what grows a small file into a large one."""
_CONFLICT = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_MERGE = object()

Value: TypeAlias = Any
"""What JSON can hold."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a file at a line of it.

    `is_duplicate`: a key is there twice, and the document holds the last one, as Kubernetes would.
    """

    line: int
    message: str
    is_duplicate: bool = False


class Document(msgspec.Struct, frozen=True):
    """One document, or one element of a list document.

    `line` is that of its first key, `index` and `path` say where in the file it is (for `lines`); `problems`
    are those that spoil this document alone.
    """

    line: int
    index: int
    path: Path
    data: Value
    problems: tuple[Problem, ...] = ()


class Parsed(msgspec.Struct, frozen=True):
    """With `refused`, nothing is known of what the file holds."""

    documents: tuple[Document, ...] = ()
    refused: Problem | None = None


class _Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, message)


def parse(content: bytes, *, json_only: bool = False) -> Parsed:
    """All documents of a file, empty ones left out."""
    if len(content) > MAX_BYTES:
        return Parsed(refused=too_large(len(content)))
    try:
        text = _text(content)
        if json_only or text.lstrip()[:1] == "{":
            try:
                documents = list(_json(text))
            except _Refused:
                if json_only:
                    raise
                documents = list(_yaml(text))
        else:
            documents = list(_yaml(text))
        return Parsed(tuple(_flattened(content, documents)))
    except _Refused as refused:
        return Parsed(refused=refused.problem)


def too_large(size: int) -> Problem:
    """The fault of a file that is not even read."""
    return Problem(1, f"the file has {size} bytes, more than the {MAX_BYTES} allowed; split it, or move it elsewhere")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Refused(line, "the file is not UTF-8; save it in that encoding") from None


# JSON


def _json(text: str) -> Iterator[Document]:
    twice: list[str] = []
    line = 1

    def paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    twice.append(name)
                seen.add(name)
        return found

    def no_number(word: str) -> NoReturn:
        raise _Refused(line, f"{word} is no JSON number")

    decoder = json.JSONDecoder(object_pairs_hook=paired, parse_constant=no_number)
    at, index = _skip(text, 0), 0
    while at < len(text):
        start, line = at, text.count("\n", 0, at) + 1
        try:
            data, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _Refused(error.lineno, f"this is not JSON: {error.msg}") from None
        except (RecursionError, ValueError):
            raise _Refused(line, f"nested deeper than {DEEPEST} levels, or a number beyond bounds") from None
        if _measure(data, {}, 0)[1] > DEEPEST:
            raise _Refused(line, _too_deep())
        if data is not None:
            problems = tuple(_repeated(text[start:at], line, twice)) if twice else ()
            yield Document(line, index, (), data, problems)
        twice.clear()
        index += 1
        at = _skip(text, at)


def _repeated(text: str, first: int, twice: Iterable[str]) -> Iterator[Problem]:
    placed = list(repeated(text))
    yield from (_twice(first + line - 1, name) for name, line in placed)
    unplaced = Counter(twice) - Counter(name for name, _ in placed)
    yield from (_twice(first, name) for name in unplaced.elements())


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


# YAML


def _yaml(text: str) -> Iterator[Document]:
    loader = yaml.CSafeLoader(text)
    try:
        index = 0
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            builder = _Builder(loader)
            start: YamlEvent = loader.get_event()
            data = builder.node(start, 0)
            if data is not None or builder.problems:
                yield Document(line_of(start), index, (), data, tuple(builder.problems))
            index += 1
    except yaml.YAMLError as error:
        raise _Refused(*_explained(text, error)) from None
    except _Refused as refused:
        line = text.split("\n")[refused.problem.line - 1]
        if _TEMPLATE.search(line):
            raise _Refused(refused.problem.line, _template()) from None
        raise
    finally:
        loader.dispose()


class _Builder:
    """Values from the events of one document."""

    def __init__(self, loader: YamlEvents) -> None:
        self.next = loader.get_event
        self.problems: list[Problem] = []
        self.anchors: dict[str, Any] = {}
        self.sizes: dict[int, tuple[int, int]] = {}
        self.aliased = 0

    def node(self, event: YamlEvent, depth: int) -> Value:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self.alias(event, depth)
        if kind is yaml.ScalarEvent:
            value = self.scalar(event)
        elif depth >= DEEPEST:
            raise _Refused(line_of(event), _too_deep())
        elif kind is yaml.MappingStartEvent:
            value = self.mapping(event, depth + 1)
        else:
            self.check_tag(event, "seq")
            value = []
            while type(item := self.next()) is not yaml.SequenceEndEvent:
                value.append(self.node(item, depth + 1))
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def scalar(self, event: YamlEvent) -> Value:
        try:
            if event.tag is None:
                return scalars.plain(event.value) if event.implicit[0] else event.value
            return scalars.tagged(event.tag, event.value)
        except scalars.BadScalar as error:
            self.problems.append(Problem(line_of(event), str(error)))
            return None

    def check_tag(self, event: YamlEvent, name: str) -> None:
        if event.tag not in (None, "!", f"tag:yaml.org,2002:{name}"):
            message = f"the YAML tag {event.tag} is not known; write the value itself"
            self.problems.append(Problem(line_of(event), message))

    def mapping(self, start: YamlEvent, depth: int) -> dict[str, Any]:
        self.check_tag(start, "map")
        found: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while type(event := self.next()) is not yaml.MappingEndEvent:
            name = self.key(event)
            value = self.node(self.next(), depth)
            if name is _MERGE:
                merged += self.to_merge(event, value)
            elif isinstance(name, str):
                if name in found:
                    self.problems.append(_twice(line_of(event), name))
                found[name] = value
        for other in merged:
            for name, value in other.items():
                found.setdefault(name, value)
        return found

    def key(self, event: YamlEvent) -> object:
        line = line_of(event)
        if type(event) is yaml.ScalarEvent:
            if event.value == "<<" and event.tag is None and event.implicit[0]:
                return _MERGE
            value = self.scalar(event)
            if event.anchor is not None:
                self.anchors[event.anchor] = value
        elif type(event) is yaml.AliasEvent:
            value = self.alias(event, 0)
        else:
            raise _Refused(line, "a key has to be a plain word, not a list or mapping")
        try:
            return scalars.key(value)
        except scalars.BadScalar as error:
            self.problems.append(Problem(line, str(error)))
            return None

    def alias(self, event: YamlEvent, depth: int) -> Value:
        line = line_of(event)
        if event.anchor not in self.anchors:
            raise _Refused(line, f"*{event.anchor} names no anchor before it; write &{event.anchor} at the first use")
        value = self.anchors[event.anchor]
        nodes, height = _measure(value, self.sizes, 0)
        self.aliased += nodes
        if self.aliased > MOST_ALIASED:
            raise _Refused(line, f"aliases stand for more than {MOST_ALIASED} values; write out what is meant")
        if depth + height > DEEPEST:
            raise _Refused(line, _too_deep())
        return value

    def to_merge(self, event: YamlEvent, value: Value) -> Sequence[dict[str, Any]]:
        candidates = value if isinstance(value, list) else [value]
        if all(isinstance(candidate, dict) for candidate in candidates):
            return candidates
        self.problems.append(Problem(line_of(event), "<< merges mappings only; name one, or a list of them"))
        return ()


def _measure(value: Value, known: dict[int, tuple[int, int]], depth: int) -> tuple[int, int]:
    """How many values these are, written out, and how deep they nest. Linear in what is really there."""
    if not isinstance(value, dict | list) or depth > DEEPEST:
        return 1, int(depth > DEEPEST)
    if (size := known.get(id(value))) is None:
        nodes, height = 1, 0
        for child in value.values() if isinstance(value, dict) else value:
            more, below = _measure(child, known, depth + 1)
            nodes, height = nodes + more, max(height, below)
        size = known[id(value)] = nodes, height + 1
    return size


def _twice(line: int, name: str) -> Problem:
    return Problem(line, f"the key {name!r} is there twice; keep one", is_duplicate=True)


def _too_deep() -> str:
    return f"nested deeper than {DEEPEST} levels; no manifest needs that"


def _template() -> str:
    return "this is a template ({{ … }}), not a manifest; render it first (helm template, envsubst, …)"


def _explained(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    """Line and words for a file that is not YAML: the usual reasons first, then the parser's own."""
    if found := _CONFLICT.search(text):
        return text.count("\n", 0, found.start()) + 1, "a merge conflict of git is not resolved here; resolve it"
    if found := _TEMPLATE.search(text):
        return text.count("\n", 0, found.start()) + 1, _template()
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        return (mark.line + 1 if mark else 1), f"this is not YAML: {error.problem}{context}"
    position = getattr(error, "position", 0)
    line = text.encode().count(b"\n", 0, position) + 1 if isinstance(position, int) else 1
    return line, f"this is not YAML: {getattr(error, 'reason', error)}"


# Lists


def _flattened(content: bytes, documents: Iterable[Document]) -> Iterator[Document]:
    for document in documents:
        if not _is_list(document.data):
            yield document
            continue
        items = list(_items(document.data, document.path))
        found = lines(content, {(document.index, path) for path, _ in items}) if items else {}
        yield from _elements(document, items, [found.get((document.index, path), document.line) for path, _ in items])


def _elements(document: Document, items: Sequence[tuple[Path, Any]], starts: Sequence[int]) -> Iterator[Document]:
    """Each with its own problems; one of the list itself is told by a document that declares nothing."""
    own = [bisect_right(starts, problem.line) - 1 for problem in document.problems]
    if around := tuple(problem for problem, at in zip(document.problems, own, strict=True) if at < 0):
        yield Document(document.line, document.index, document.path, None, around)
    for position, (path, data) in enumerate(items):
        problems = tuple(problem for problem, at in zip(document.problems, own, strict=True) if at == position)
        yield Document(starts[position], document.index, path, data, problems)


def _is_list(data: Value) -> bool:
    """Whether these are the objects of a list, of which there may be none."""
    if not isinstance(data, dict) or not str(data.get("kind", "")).endswith("List"):
        return False
    items = data.get("items")
    return isinstance(items, list) or (items is None and ("items" in data or data["kind"] == "List"))


def _items(data: Value, path: Path) -> Iterator[tuple[Path, Any]]:
    """The objects of a `List`, or of a `ConfigMapList`, whose elements need not name their kind."""
    if not _is_list(data):
        return
    kind = data["kind"].removesuffix("List")
    implied = {"apiVersion": data.get("apiVersion"), "kind": kind} if kind else {}
    for position, item in enumerate(data.get("items") or ()):
        place = (*path, "items", position)
        if _is_list(item):
            yield from _items(item, place)
        else:
            yield place, {**implied, **item} if isinstance(item, dict) else item
