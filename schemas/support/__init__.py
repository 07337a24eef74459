"""What Wherry does not do with an object, said by name: no field is ever dropped in silence.

The gaps are data (`schemas.support.gaps`); `docs/support.md` is generated from them by `python -m schemas.support`.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from schemas.faults import Fault, Path
from schemas.meta import Object, Record
from schemas.shape import Field, Json, Shape, shape_of
from schemas.support.gaps import GAPS, Gap


def unsupported(object_: Object) -> tuple[Fault, ...]:
    """Every field of the object that is not implemented: errors where it is refused, warnings where it is ignored."""
    return tuple(_below(object_, ()))


_BY_FIELD: dict[str, list[Gap]] = defaultdict(list)
for _gap in GAPS:
    _BY_FIELD[".".join(_gap.field.split(".")[:2])].append(_gap)


class _Watched(msgspec.Struct, frozen=True):
    """A field that has gaps, or something below it that has."""

    field: Field
    gaps: tuple[Gap, ...]
    covered: bool
    """The gaps speak for all that is below."""


@lru_cache(maxsize=256)
def _watched(type_: type[Record]) -> tuple[_Watched, ...]:
    found = []
    for name, field in shape_of(type_).fields.items():
        if name == "status" and issubclass(type_, Object):
            continue
        gaps = tuple(_BY_FIELD.get(f"{type_.__name__}.{name}", ()))
        covered = any(gap.field.count(".") == 1 for gap in gaps)
        record = record_of(field.shape)
        below = record is not None and not covered and bool(_watched(record))
        if gaps or below:
            found.append(_Watched(field, gaps, covered or not below))
    return tuple(found)


def record_of(shape: Shape) -> type[Record] | None:
    """The type of the records that the shape holds, if it does."""
    return shape.record if shape.item is None else record_of(shape.item)


def _below(record: Record, path: Path) -> Iterator[Fault]:
    for watched in _watched(type(record)):
        value = getattr(record, watched.field.attribute)
        if value is None or value in ("", (), {}):
            continue
        at = (*path, watched.field.name)
        parts = tuple(_parts(watched.field.shape, value))
        for gap in watched.gaps:
            for step, part in parts if gap.only is not None else (((), value),):
                if gap.only is None or gap.only(part):
                    yield _fault(gap, (*at, *step, *gap.field.split(".")[2:]))
        if not watched.covered:
            for step, part in parts:
                yield from _below(part, (*at, *step))


def _parts(shape: Shape, value: Json) -> Iterator[tuple[Path, Any]]:
    """What a gap is asked about: elements of a list of records, keys of a map, else the value itself."""
    if shape.form == "list" and record_of(shape) is not None:
        for index, element in enumerate(value):
            yield (index,), element
    elif shape.form == "map":
        for key in value:
            yield (key,), key
    else:
        yield (), value


def _fault(gap: Gap, path: Path) -> Fault:
    if gap.does == "warn":
        return Fault(path, f"not supported yet, and ignored: {gap.reason}", "warning")
    return Fault(path, f"not supported yet: {gap.reason}")
