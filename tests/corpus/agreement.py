"""One document, by Wherry and by the official schemas: whether they agree."""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import structs

from schemas.conversion import Converted, convert
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.faults import Fault, Path, field_name
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.support import unsupported
from schemas.validation import validate
from tests.corpus import official
from tests.corpus.roundtrip import lost


class Outcome(StrEnum):
    """What became of a document."""

    ACCEPTED = "accepted"
    REFUSED_ALIKE = "refused alike"
    BEYOND = "refused beyond the schemas"
    """The schemas know types, not ranges and formats: a port of 70,000, a quantity `lots`, base64 that is none."""
    DIFFERING = "differing"
    UNKNOWN = "kind not served"
    OLD = "old version"


class Judged(msgspec.Struct, frozen=True):
    """`rules`: faults by the API server's rules; `gaps`: what is refused for want of an implementation."""

    outcome: Outcome
    detail: str = ""
    is_lost: bool = False
    rules: tuple[Fault, ...] = ()
    gaps: tuple[Fault, ...] = ()


def judge(data: dict[str, Any]) -> Judged:
    """The document of a kind that may or may not be served. Its status is the cluster's, and left out of a manifest."""
    data = {name: value for name, value in data.items() if name != "status"}
    version, name = str(data.get("apiVersion")), str(data.get("kind"))
    theirs = official.refused(data)
    if converted := convert(version, name, data):
        return _old(theirs, converted)
    kind = BY_GROUP_VERSION_KIND.get((version, name))
    if kind is None:
        return Judged(Outcome.UNKNOWN)
    decoded = decode(kind, data)
    if theirs is None:
        return Judged(Outcome.DIFFERING, "the official schemas do not have this kind")
    if theirs:
        return _refused(theirs, decoded.faults)
    if decoded.object is None:
        outcome = Outcome.BEYOND if all(map(_is_format, decoded.faults)) else Outcome.DIFFERING
        return Judged(outcome, "; ".join(map(str, decoded.faults)))
    object_ = decoded.object
    return Judged(
        Outcome.ACCEPTED,
        is_lost=lost(object_, data),
        rules=tuple(fault for fault in validate(defaulted(object_)) if fault.severity == "error"),
        gaps=tuple(fault for fault in unsupported(object_) if fault.severity == "error"),
    )


def _old(theirs: set[Path] | None, converted: Converted) -> Judged:
    """Of the versions that are converted the official schemas know one, autoscaling/v1."""
    kind = BY_GROUP_VERSION_KIND[converted.api_version, converted.document["kind"]]
    faults = decode(kind, converted.document).faults
    written = tuple(structs.replace(fault, path=converted.as_written(fault.path)) for fault in faults)
    if theirs:
        return _refused(theirs, written)
    if faults and theirs is not None:
        return Judged(Outcome.DIFFERING, "; ".join(map(str, written)))
    return Judged(Outcome.OLD, "; ".join(map(str, written)))


def _refused(theirs: set[Path], ours: tuple[Fault, ...]) -> Judged:
    unseen = theirs - {fault.path for fault in ours}
    if not unseen:
        return Judged(Outcome.REFUSED_ALIKE)
    fields = ", ".join(sorted(field_name(path) for path in unseen))
    return Judged(Outcome.DIFFERING, f"only the official schemas refuse {fields}")


def _is_format(fault: Fault) -> bool:
    """Whether it is about a value of the right type that Kubernetes' own decoding refuses, or a spec that lacks."""
    return fault.message.startswith(_FORMATS) or (fault.path == ("spec",) and fault.message == "Required value")


_FORMATS = ("the number is out of range", "not base64", "expected a quantity", "Invalid RFC3339")
