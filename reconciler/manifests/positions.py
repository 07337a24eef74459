"""Where in a file something is: read a second time, only for a file that has a fault."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import yaml

from schemas.faults import Path

YamlEvent: TypeAlias = Any
"""An event of PyYAML's C parser, whose stubs leave out that every one but the stream's has a mark."""
YamlEvents: TypeAlias = Any
"""The C parser itself."""

_NODES = frozenset((yaml.ScalarEvent, yaml.AliasEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent))


def line_of(event: YamlEvent) -> int:
    """The line that the event starts on, from 1."""
    return int(event.start_mark.line) + 1


def lines(content: bytes, wanted: Iterable[tuple[int, Path]]) -> dict[tuple[int, Path], int]:
    """The line of each place (document and path), or of the nearest one around it that the file has."""
    places = list(wanted)
    around = {(index, path[:length]) for index, path in places for length in range(len(path) + 1)}
    last = max((index for index, _ in places), default=-1)
    found: dict[tuple[int, Path], int] = {}
    loader = yaml.CSafeLoader(content.decode("utf-8-sig"))
    try:
        for place, line in _places(loader):
            if place[0] > last:
                break
            if place in around:
                # Of a key that is there twice, the last one counts; what was found before an error counts too.
                found[place] = line
    except yaml.YAMLError:
        pass  # JSON that is not YAML: what was found so far is the nearest
    finally:
        loader.dispose()
    nearest = {}
    for index, path in places:
        for length in range(len(path), -1, -1):
            if (index, path[:length]) in found:
                nearest[index, path] = found[index, path[:length]]
                break
    return nearest


def repeated(text: str) -> Iterator[tuple[str, int]]:
    """Each key that its mapping has already, with its line: what a JSON parser finds but cannot place."""
    loader = yaml.CSafeLoader(text)
    seen: list[set[Path]] = [set()]
    try:
        for (_, path), line in _places(loader):
            del seen[len(path) + 1 :]
            seen += [set() for _ in range(len(path) + 1 - len(seen))]
            if path and path in seen[len(path)] and isinstance(path[-1], str):
                yield path[-1], line
            seen[len(path)].add(path)
    except yaml.YAMLError:
        pass  # JSON that is not YAML: the rest has no place
    finally:
        loader.dispose()


def _places(loader: YamlEvents) -> Iterator[tuple[tuple[int, Path], int]]:
    """Every place of the file with its line, in order. Every level is (path, next step or None for a mapping's key)."""
    index, levels = -1, list[list[Any]]()
    while (kind := type(event := loader.get_event())) is not yaml.StreamEndEvent:
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            levels.pop()
        elif kind is yaml.DocumentStartEvent:
            index, levels = index + 1, []
        elif kind in _NODES:
            path: Path = ()
            if levels:
                level = levels[-1]
                if level[1] is None and kind is yaml.ScalarEvent:
                    level[1] = event.value
                    yield (index, (*level[0], event.value)), line_of(event)
                    continue
                path = (*level[0], level[1])
                level[1] = level[1] + 1 if isinstance(level[1], int) else None
                if isinstance(path[-1], int):
                    yield (index, path), line_of(event)
            else:
                yield (index, ()), line_of(event)
            if kind is yaml.MappingStartEvent:
                levels.append([path, None])
            elif kind is yaml.SequenceStartEvent:
                levels.append([path, 0])
