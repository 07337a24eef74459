"""A document of a file as the object it declares, or what is wrong with it.

Pure, and without a cluster: `wherry validate` asks the same. Faults are values. A document whose kind, namespace
and name are plain is a claim to that object even where the rest of it is broken, so that the object can keep its
last good version; any other broken document hides what it declares, and its file is told apart for that.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import structs

from reconciler.manifests.identity import is_foreign, is_unknown, kind_of, label_of, ref_of
from reconciler.manifests.parse import Document, Problem, Value, parse
from reconciler.manifests.positions import lines
from schemas import dependson
from schemas.conversion import convert
from schemas.decode import Decoded, FieldValidation, decode
from schemas.defaults import defaulted
from schemas.dependson import PATH, needed
from schemas.faults import Fault, Path, field_name
from schemas.kinds import Kind
from schemas.meta import Ref
from schemas.support import unsupported
from schemas.validation import validate

MOST_FAULTS = 200
"""Faults kept of one file: enough to mend it by, and a bound on memory."""
STAMPED = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_NAME = re.compile(r"""\bname["']?\s*:\s*["']?([A-Za-z0-9][A-Za-z0-9.-]*)""")


class SourceFault(msgspec.Struct, frozen=True):
    """What is wrong in a file, and where. `object` is `Kind/name`, both it and `field` may be empty."""

    file: str
    line: int
    object: str
    field: str
    message: str
    severity: Literal["error", "warning"] = "error"
    is_unknown_kind: bool = False
    """The document is of a kind that is not served, which is all that is known of it."""

    def __str__(self) -> str:
        parts = (f"{self.file}:{self.line}", self.object, self.field, self.message)
        return ": ".join(part for part in parts if part)


class Claim(msgspec.Struct, frozen=True):
    """A document that declares an object. `data` is its JSON as written, None where the document is broken."""

    ref: Ref
    line: int
    data: bytes | None
    depends_line: int = 0
    """Where it says what it depends on (`schemas.dependson`), 0 where it does not."""


class FileState(msgspec.Struct, frozen=True):
    """What one file says. `hides`: it may declare more than its claims; `mentions` are the names found in it then."""

    claims: tuple[Claim, ...] = ()
    faults: tuple[SourceFault, ...] = ()
    hides: bool = False
    mentions: frozenset[str] = frozenset()
    documents: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether it says all that the file declares: nothing of what came before it matters any more."""
        return not self.hides and all(claim.data is not None for claim in self.claims)


class _Read(msgspec.Struct, frozen=True):
    """One document, read: its claim if it has one, and faults by path."""

    label: str
    claim: Claim | None
    faults: tuple[Fault, ...] = ()
    is_unknown_kind: bool = False
    hides: bool = False
    """It may declare an object without saying so."""

    @property
    def depends_path(self) -> Path:
        """Where it says what it depends on; empty where it does not."""
        return PATH if self.claim and self.claim.data and needed(self.claim.ref, self.claim.data) else ()


def load(file: str, content: bytes, validation: FieldValidation = "Strict") -> FileState:
    """All that a file declares, and every fault of it. `file` is its path relative to the folder."""
    parsed = parse(content, json_only=file.endswith(".json"))
    if parsed.refused:
        return broken(file, parsed.refused, content)
    read = [(document, _read(document, validation)) for document in parsed.documents]
    places = {
        (document.index, document.path + path)
        for document, one in read
        for path in (*(fault.path for fault in one.faults), one.depends_path)
        if path
    }
    found = lines(content, places) if places else {}
    faults: list[SourceFault] = []
    for document, one in read:
        faults += _of_problems(file, one.label, document.problems, validation)
        for fault in one.faults:
            line = found.get((document.index, document.path + fault.path), document.line)
            field = field_name(fault.path)
            faults.append(SourceFault(file, line, one.label, field, fault.message, fault.severity, one.is_unknown_kind))
    hides = any(one.hides for _, one in read)
    return FileState(
        claims=tuple(_located(one, document, found) for document, one in read if one.claim),
        faults=_bounded(file, faults),
        hides=hides,
        mentions=_mentions(content) if hides else frozenset(),
        documents=len(read),
    )


def _located(one: _Read, document: Document, found: Mapping[tuple[int, Path], int]) -> Claim:
    assert one.claim is not None
    if not one.depends_path:
        return one.claim
    line = found.get((document.index, document.path + PATH), document.line)
    return structs.replace(one.claim, depends_line=line)


def _of_problems(
    file: str, label: str, problems: Iterable[Problem], validation: FieldValidation
) -> Iterable[SourceFault]:
    for problem in problems:
        if not problem.is_duplicate or validation == "Strict":
            yield SourceFault(file, problem.line, label, "", problem.message)
        elif validation == "Warn":
            yield SourceFault(file, problem.line, label, "", f"{problem.message} (the last one counts)", "warning")


def broken(file: str, problem: Problem, content: bytes = b"") -> FileState:
    """A file of which nothing is known but why."""
    fault = SourceFault(file, problem.line, "", "", problem.message)
    return FileState(faults=(fault,), hides=True, mentions=_mentions(content))


def _mentions(content: bytes) -> frozenset[str]:
    return frozenset(_NAME.findall(content.decode(errors="replace")))


def _bounded(file: str, faults: list[SourceFault]) -> tuple[SourceFault, ...]:
    if len(faults) <= MOST_FAULTS:
        return tuple(faults)
    faults.sort(key=lambda fault: (fault.severity, fault.is_unknown_kind))
    kept, first = faults[:MOST_FAULTS], faults[MOST_FAULTS]
    rest = f"{len(faults) - MOST_FAULTS} more faults are left out; mend these first"
    return (*kept, SourceFault(file, first.line, "", "", rest, "warning"))


def _read(document: Document, validation: FieldValidation) -> _Read:
    data = document.data
    if not isinstance(data, dict):
        what = "nothing" if data is None else f"a {'list' if isinstance(data, list) else type(data).__name__}"
        fault = Fault((), f"expected a mapping with apiVersion and kind, found {what}")
        return _Read("", None, () if document.problems else (fault,), hides=True)
    version, name = data.get("apiVersion"), data.get("kind")
    converted = convert(version, name, data) if isinstance(version, str) and isinstance(name, str) else None
    if converted is None:
        return _of_version(document, data, validation)
    read = _of_version(document, converted.document, validation)
    faults = (structs.replace(fault, path=converted.as_written(fault.path)) for fault in read.faults)
    # What the old version implied from another place is found wrong in both.
    return structs.replace(read, faults=tuple(dict.fromkeys((*converted.warnings, *faults))))


def _of_version(document: Document, data: dict[str, Value], validation: FieldValidation) -> _Read:
    """A document that is in the version served, if its kind is served at all."""
    label = label_of(data)
    kind = kind_of(data)
    if isinstance(kind, Fault):
        unknown = is_unknown(data)
        # A custom resource can be no object of ours, whatever was in its place before.
        return _Read(
            label, None, (kind,), is_unknown_kind=unknown, hides=not (unknown and is_foreign(data["apiVersion"]))
        )
    ref = ref_of(kind, data)
    if isinstance(ref, Fault):
        others = decode(kind, data, validation).faults
        return _Read(label, None, (ref, *(fault for fault in others if fault.path != ref.path)), hides=True)
    label = f"{ref.kind}/{ref.name}"
    if not all(problem.is_duplicate for problem in document.problems):
        return _Read(label, Claim(ref, document.line, None))
    declared, warnings = _declared(kind, ref, data)
    decoded = decode(kind, declared, validation)
    faults = (*warnings, *_faults(ref, decoded))
    refused = bool(document.problems) and validation == "Strict"
    sound = not refused and not any(fault.severity == "error" for fault in faults)
    encoded = msgspec.json.encode(_as_stored(decoded.document)) if sound else None
    return _Read(label, Claim(ref, document.line, encoded), faults)


def _declared(kind: Kind, ref: Ref, data: dict[str, Value]) -> tuple[dict[str, Any], list[Fault]]:
    """What the document declares, without what the cluster itself writes; and warnings of that."""
    metadata = dict(data["metadata"])
    declared = {**data, "metadata": metadata}
    warnings: list[Fault] = []
    if declared.pop("status", None):
        warnings.append(_ignored(("status",)))
    stamped = [field for field in STAMPED if metadata.pop(field, None) is not None]
    warnings += [_ignored(("metadata", field)) for field in stamped]
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    elif metadata.pop("namespace", None):
        message = f"is left out: a {kind.name} belongs to no namespace"
        warnings.append(Fault(("metadata", "namespace"), message, "warning"))
    return declared, warnings


def _as_stored(declared: dict[str, Value]) -> dict[str, Value]:
    """A Secret's `stringData` is only a way to write `data`: what is stored, owned and compared is `data`."""
    if not (texts := declared.get("stringData")) or declared["kind"] != "Secret":
        return declared
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    kept = {name: value for name, value in declared.items() if name != "stringData"}
    return {**kept, "data": {**declared.get("data", {}), **encoded}}


def _ignored(path: Path) -> Fault:
    return Fault(path, "is written by the cluster and left out here; remove it from the file", "warning")


def _faults(ref: Ref, decoded: Decoded) -> Iterable[Fault]:
    yield from decoded.faults
    if decoded.object is not None:
        yield from dependson.faults(ref, decoded.object.metadata.annotations)
        yield from validate(defaulted(decoded.object))
        yield from unsupported(decoded.object)
