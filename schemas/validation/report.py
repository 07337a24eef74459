"""The forms in which the API server complains about a field (`k8s.io/apimachinery/pkg/util/validation/field`)."""

import json
from collections.abc import Callable, Iterable, Iterator

import msgspec

from schemas.faults import Fault, Path, field_name
from schemas.shape import Json

Faults = Iterator[Fault]

IMMUTABLE = "field is immutable"


def shown(value: Json) -> str:
    """A value as Kubernetes shows it: as JSON, without spaces."""
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":"), ensure_ascii=False)


def invalid(path: Path, value: Json, message: str) -> Fault:
    return Fault(path, f"Invalid value: {shown(value)}: {message}")


def required(path: Path, message: str = "") -> Fault:
    return Fault(path, f"Required value: {message}" if message else "Required value")


def forbidden(path: Path, message: str) -> Fault:
    return Fault(path, f"Forbidden: {message}")


def duplicate(path: Path, value: Json) -> Fault:
    return Fault(path, f"Duplicate value: {shown(value)}")


def not_found(path: Path, value: Json) -> Fault:
    return Fault(path, f"Not found: {shown(value)}")


def unsupported(path: Path, value: Json, supported: Iterable[str]) -> Fault:
    return Fault(path, f"Unsupported value: {shown(value)}: supported values: {', '.join(map(shown, supported))}")


def too_long(path: Path, most: int) -> Fault:
    return Fault(path, f"Too long: may not be more than {most} bytes")


def too_many(path: Path, found: int, most: int) -> Fault:
    return Fault(path, f"Too many: {found}: must have at most {most} items")


def well_formed(path: Path, text: str, rule: Callable[[str], Iterable[str]]) -> Faults:
    """The complaints of one of the rules in `schemas.names`."""
    for complaint in rule(text):
        yield invalid(path, text, complaint)


def one_of(path: Path, value: str, supported: Iterable[str]) -> Faults:
    """A word of a fixed set. An empty one is left to the defaults."""
    choices = tuple(supported)
    if value and value not in choices:
        yield unsupported(path, value, choices)


def at_least(path: Path, value: int | None, least: int = 0) -> Faults:
    if value is not None and value < least:
        yield invalid(path, value, f"must be greater than or equal to {least}")


def between(path: Path, value: int | None, least: int, most: int) -> Faults:
    if value is not None and not least <= value <= most:
        yield invalid(path, value, f"must be between {least} and {most}, inclusive")


def port_number(path: Path, value: int) -> Faults:
    yield from between(path, value, 1, 65535)


def written_as(written: Path, faults: Faults) -> Faults:
    """Faults that Kubernetes tells of another path than that of the field."""
    for fault in faults:
        yield msgspec.structs.replace(fault, written=field_name(written))


def unique(path: Path, values: Iterable[str], *leaf: str) -> Faults:
    """No value twice; empty ones are left out."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value and value in seen:
            yield duplicate((*path, index, *leaf), value)
        seen.add(value)
