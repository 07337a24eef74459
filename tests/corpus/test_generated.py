"""Documents made of the kinds' shapes, sound and broken, against the official schemas."""

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import decode
from schemas.faults import Path, field_name
from schemas.kinds import KINDS, Kind
from schemas.meta import Object
from schemas.shape import Json, Shape, shape_of
from tests.corpus import official
from tests.corpus.agreement import Outcome, judge
from tests.unit.schemas.generated import document

SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_what_the_shapes_allow_is_accepted_by_both_and_loses_nothing(kind: Kind, seed: int) -> None:
    judged = judge(document(kind, Random(seed)))
    assert (judged.outcome, judged.detail, judged.is_lost) == (Outcome.ACCEPTED, "", False)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_what_is_broken_is_judged_alike_and_by_the_same_field(kind: Kind, seed: int) -> None:
    random = Random(seed)
    written = {name: value for name, value in document(kind, random).items() if name != "status"}
    shape, path = random.choice(list(places(shape_of(kind.type), written, ())))
    value = random.choice(WRONG) if random.random() < 0.8 else MISSING
    broken = changed(written, path, value)
    theirs = official.refused(broken)
    assert theirs is not None
    ours = {fault.path for fault in decode(kind, broken).faults}
    what = f"{field_name(path)} ({shape.form}) = {value!r}"
    assert theirs - {("metadata",)} <= ours, what  # without metadata no manifest comes this far
    if ours and not theirs:
        assert value is None or path == ("spec",) or is_beyond(shape, value), what


def is_beyond(shape: Shape, value: Json) -> bool:
    """Whether Kubernetes' decoding refuses the value, though the schemas do not.

    They also let a null be where something is required, and do not ask for the spec of most kinds.
    """
    match shape.form:
        case "integer" | "int_or_string":
            return isinstance(value, int | float)
        case "quantity" | "bytes" | "time":
            return isinstance(value, str)
        case "map" if shape.item is not None and isinstance(value, dict):
            return any(is_beyond(shape.item, item) for item in value.values())
    return False


WRONG: tuple[Json, ...] = (
    None,
    "",
    "many",
    "1",
    0,
    1,
    -1,
    1.5,
    2**33,
    2**70,
    True,
    [],
    [1],
    ["x"],
    {},
    {"a": 1},
    {"a": "b"},
)
MISSING = object()


def places(shape: Shape, value: Json, path: Path) -> Iterator[tuple[Shape, Path]]:
    """Every place of the document but kinds of objects, and one unknown field of each map."""
    if shape.form == "record":
        for name, item in value.items():
            if name not in ("apiVersion", "kind") or not issubclass(shape.record or Object, Object):
                yield from places(shape.fields[name].shape, item, (*path, name))
        yield Shape("any"), (*path, "nonsense")
    elif shape.item is not None:
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(shape.item, item, (*path, step))
    if path:
        yield shape, path


def changed(written: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    copy = deepcopy(written)
    owner: Any = copy
    for step in path[:-1]:
        owner = owner[step]
    if value is not MISSING:
        owner[path[-1]] = value
    elif not isinstance(owner, dict) or path[-1] in owner:
        del owner[path[-1]]
    return copy
