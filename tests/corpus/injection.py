"""Faults put into a sound document, one at a time, and the line where each has to be found.

The choice is random but repeatable: it follows from the seed alone.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Literal, get_args

import msgspec
import yaml

from reconciler.manifests.documents import STAMPED
from tests.corpus.places import Place, end_of

Kind = Literal["misspelt key", "wrong type", "missing field", "bad quantity", "duplicate key"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Injected(msgspec.Struct, frozen=True):
    """The text with the fault; `name` is the key that the report has to mention."""

    kind: Kind
    text: str
    line: int
    name: str


def inject(text: str, found: list[Place], seed: str) -> Iterator[Injected]:
    """One fault of each kind that the document has a place for."""
    ours = [place for place in found if not _is_the_clusters(place)]
    for kind, injector in _INJECTORS.items():
        random = Random(f"{seed} {kind}")
        candidates = [place for place in ours if _CAN[kind](place)]
        if candidates:
            start, end, new, at, name = injector(text, random.choice(candidates), random)
            changed = text[:start] + new + text[end:]
            yield Injected(kind, changed, changed.count("\n", 0, at) + 1, name)


_Edit = tuple[int, int, str, int, str]
"""What is replaced, by what, where the fault is then, and which key it is about."""


def _is_the_clusters(place: Place) -> bool:
    """Whether it is left out with a warning anyway."""
    return place.path[0] == "status" or (place.path[0] == "metadata" and place.name in STAMPED)


def _misspelt(text: str, place: Place, random: Random) -> _Edit:
    start, end = place.key.start_mark.index, place.key.end_mark.index
    taken = {*place.owner.fields, *(key.value for key, _ in place.siblings)}
    spellings = [word for word in _spellings(place.name) if word not in taken]
    word = random.choice(spellings)
    return start, end, text[start:end].replace(place.name, word), start, word


def _spellings(name: str) -> Iterator[str]:
    """As fingers slip: a letter left out, doubled, swapped with the next one, or in the other case."""
    for at in range(1, len(name)):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + name[at] + name[at:]
        yield name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :]
        yield name[:at] + name[at].swapcase() + name[at + 1 :]


def _wrong_type(text: str, place: Place, _: Random) -> _Edit:
    assert place.shape is not None
    wrong = _WRONG.get(place.shape.form, '["wrong"]')
    start, end = place.value.start_mark.index, end_of(place.value)
    is_block = isinstance(place.value, yaml.ScalarNode) and place.value.style in ("|", ">")
    if place.key is not None and isinstance(place.value, yaml.CollectionNode) and not place.value.flow_style:
        start, wrong = text.index(":", place.key.end_mark.index) + 1, f" {wrong}"
        is_block = text[end - 1] == "\n"
    at = place.key.start_mark.index if place.key is not None else start
    return start, end, wrong + ("\n" if is_block else ""), at, place.name


_WRONG = {"integer": '"many"', "boolean": '"maybe"', "list": '"wrong"', "map": '"wrong"', "record": '"wrong"'}


def _missing(text: str, place: Place, _: Random) -> _Edit:
    start, end, new = place.key.start_mark.index, end_of(place.value), ""
    if len(place.siblings) == 1:
        new = "{}" if not place.is_flow else ""
        new += "\n" if text[end - 1] == "\n" else ""
    elif place.place + 1 < len(place.siblings):
        end = place.siblings[place.place + 1][0].start_mark.index
    else:
        start = end_of(place.siblings[place.place - 1][1])
    return start, end, new, place.around, place.name


def _bad_quantity(text: str, place: Place, _: Random) -> _Edit:
    start, end = place.value.start_mark.index, place.value.end_mark.index
    return start, end, '"12 apples"', (place.key or place.value).start_mark.index, place.name


def _duplicate(text: str, place: Place, _: Random) -> _Edit:
    end = place.value.end_mark.index
    key = text[place.key.start_mark.index : place.key.end_mark.index]
    between = ", " if place.is_flow else "\n" + " " * place.key.start_mark.column
    value = text[place.value.start_mark.index : end]
    return end, end, f"{between}{key}: {value}", end + len(between), place.name


def _is_scalar(place: Place) -> bool:
    value = place.value
    return isinstance(value, yaml.ScalarNode) and value.end_mark.index > value.start_mark.index


def _can_be_misspelt(place: Place) -> bool:
    return place.field is not None and len(place.name) > 2


def _can_be_of_a_wrong_type(place: Place) -> bool:
    typed = place.shape is not None and place.shape.form != "any"
    return typed and end_of(place.value) > place.value.start_mark.index


def _can_be_missed(place: Place) -> bool:
    always = place.path in (("apiVersion",), ("kind",), ("metadata", "name"))
    return always or (place.field is not None and place.field.required)


def _can_be_a_bad_quantity(place: Place) -> bool:
    return place.shape is not None and place.shape.form == "quantity" and _is_scalar(place)


def _can_be_doubled(place: Place) -> bool:
    one_line = place.value.start_mark.line == place.value.end_mark.line
    return place.key is not None and _is_scalar(place) and one_line


_CAN: dict[Kind, Callable[[Place], bool]] = {
    "misspelt key": _can_be_misspelt,
    "wrong type": _can_be_of_a_wrong_type,
    "missing field": _can_be_missed,
    "bad quantity": _can_be_a_bad_quantity,
    "duplicate key": _can_be_doubled,
}
_INJECTORS: dict[Kind, Callable[[str, Place, Random], _Edit]] = {
    "misspelt key": _misspelt,
    "wrong type": _wrong_type,
    "missing field": _missing,
    "bad quantity": _bad_quantity,
    "duplicate key": _duplicate,
}
