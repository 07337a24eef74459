"""What validation says of a document, as the tests ask for it."""

from typing import Any

from schemas.validation import validate, validate_update
from tests.unit.schemas.build import decoded


def faults(written: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in validate(decoded(written))]


def only_fault(written: dict[str, Any]) -> str:
    (fault,) = faults(written)
    return fault


def faults_of_change(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in validate_update(decoded(new), decoded(old))]
