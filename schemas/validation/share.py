"""Rules of what is a number of pods or a share of them, such as `1` or `25%`."""

from schemas import names
from schemas.faults import Path
from schemas.validation.report import Faults, at_least, invalid

Share = int | str


def share(path: Path, value: Share | None) -> Faults:
    if isinstance(value, int):
        yield from at_least(path, value)
    elif value is not None:
        for complaint in names.percent(value):
            yield invalid(path, value, complaint)


def not_above_all(path: Path, value: Share | None) -> Faults:
    if isinstance(value, str) and _percent(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def is_zero(value: Share | None) -> bool:
    """Said in so many words; what is left out or malformed is not zero."""
    return value == 0 or (isinstance(value, str) and _percent(value) == 0)


def _percent(value: str) -> int:
    return -1 if names.percent(value) or len(value) > 12 else int(value[:-1])
