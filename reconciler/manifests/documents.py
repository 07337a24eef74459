"""A document of a file as the object it declares, or what is wrong with it.

Pure, and without a cluster: `wherry validate` asks the same. Faults are values. A document whose kind, namespace
and name are plain is a claim to that object even where the rest of it is broken, so that the object can keep its
last good version; any other broken document hides what it declares, and its file is told apart for that.
"""

import base64
import difflib
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from reconciler.manifests.parse import Document, Problem, Value, parse
from reconciler.manifests.positions import lines
from schemas.decode import Decoded, FieldValidation, decode
from schemas.defaults import defaulted
from schemas.faults import Fault, Path, field_name
from schemas.kinds import BY_GROUP_VERSION_KIND, KINDS, Kind
from schemas.meta import Ref
from schemas.support import unsupported
from schemas.validation import validate

DEFAULT_NAMESPACE = "default"
MOST_FAULTS = 200
"""Faults kept of one file: enough to mend it by, and a bound on memory."""
_STAMPED = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_MISSPELT = 0.8
"""How alike a kind has to be to a served one of the same API group, to be taken for it."""
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


def load(file: str, content: bytes, validation: FieldValidation = "Strict") -> FileState:
    """All that a file declares, and every fault of it. `file` is its path relative to the folder."""
    parsed = parse(content, json_only=file.endswith(".json"))
    if parsed.refused:
        return broken(file, parsed.refused, content)
    read = [(document, _read(document, validation)) for document in parsed.documents]
    places = {
        (document.index, document.path + fault.path) for document, one in read for fault in one.faults if fault.path
    }
    found = lines(content, places) if places else {}
    faults: list[SourceFault] = []
    for document, one in read:
        faults += _of_problems(file, one.label, document.problems, validation)
        for fault in one.faults:
            line = found.get((document.index, document.path + fault.path), document.line)
            field = field_name(fault.path)
            faults.append(
                SourceFault(file, line, one.label, field, fault.message, fault.severity, one.is_unknown_kind)
            )
    hides = any(one.claim is None for _, one in read)
    return FileState(
        claims=tuple(one.claim for _, one in read if one.claim),
        faults=_bounded(file, faults),
        hides=hides,
        mentions=_mentions(content) if hides else frozenset(),
        documents=len(read),
    )


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
        return _Read("", None, () if document.problems else (fault,))
    label = _label(data)
    kind = _kind(data)
    if isinstance(kind, Fault):
        return _Read(label, None, (kind,), is_unknown_kind=_is_unknown(data))
    ref = _ref(kind, data)
    if isinstance(ref, Fault):
        others = decode(kind, data, validation).faults
        return _Read(label, None, (ref, *(fault for fault in others if fault.path != ref.path)))
    label = f"{ref.kind}/{ref.name}"
    if not all(problem.is_duplicate for problem in document.problems):
        return _Read(label, Claim(ref, document.line, None))
    declared, warnings = _declared(kind, ref, data)
    decoded = decode(kind, declared, validation)
    faults = (*warnings, *_faults(decoded))
    refused = bool(document.problems) and validation == "Strict"
    sound = not refused and not any(fault.severity == "error" for fault in faults)
    encoded = msgspec.json.encode(_as_stored(decoded.document)) if sound else None
    return _Read(label, Claim(ref, document.line, encoded), faults)


def _label(data: dict[str, Value]) -> str:
    metadata = data.get("metadata")
    kind, name = data.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None
    return "/".join(part for part in (kind, name) if isinstance(part, str) and part)


def _kind(data: dict[str, Value]) -> Kind | Fault:
    if "sops" in data:
        return Fault(("sops",), "this document is encrypted with SOPS; put the decrypted one here (sops --decrypt)")
    version, name = data.get("apiVersion", ""), data.get("kind", "")
    for field, value in (("apiVersion", version), ("kind", name)):
        if not value:
            path, hint = _misspelt(data, field)
            return Fault(path, f"{field} is missing; {hint or 'a manifest starts with apiVersion and kind'}")
        if not isinstance(value, str):
            return Fault((field,), f"has to be a string, found {value!r}")
    if kind := BY_GROUP_VERSION_KIND.get((version, name)):
        return kind
    served = [kind for kind in KINDS if kind.name == name]
    if served and not _is_foreign(version):
        return Fault(("apiVersion",), f"{name} is not served as {version}; write apiVersion: {served[0].api_version}")
    close = difflib.get_close_matches(name, [kind.name for kind in KINDS], n=1) if not _is_foreign(version) else []
    hint = f"; did you mean {close[0]}?" if close else "; take it out of the folder, or list it in .wherryignore"
    return Fault(("kind",), f"the kind {name} ({version}) is not served{hint}")


def _is_foreign(version: str) -> bool:
    """Whether the API group is none of which anything is served."""
    group = version.partition("/")[0] if "/" in version else ""
    return all(kind.group != group for kind in KINDS)


def _is_unknown(data: dict[str, Value]) -> bool:
    """Whether the kind is simply not served, rather than misspelt: what `--skip-unknown` passes over."""
    version, name = data.get("apiVersion"), data.get("kind")
    if not (isinstance(version, str) and version and isinstance(name, str) and name) or "sops" in data:
        return False
    names = [kind.name for kind in KINDS]
    return _is_foreign(version) or not difflib.get_close_matches(name, names, n=1, cutoff=_MISSPELT)


def _ref(kind: Kind, data: dict[str, Value]) -> Ref | Fault:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        path, hint = (("metadata",), "") if "metadata" in data else _misspelt(data, "metadata")
        return Fault(path, f"metadata.name is missing: {hint or 'every manifest names its object'}")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not name and "generateName" in metadata:
        return Fault(("metadata", "generateName"), "git names what is wanted: a manifest needs a fixed metadata.name")
    if not isinstance(name, str) or not name:
        what = f"has to be a string, found {name!r}: put it in quotes" if name not in (None, "") else "is missing"
        path, hint = _misspelt(metadata, "name") if name is None else ((), "")
        return Fault(("metadata", *(path or ("name",))), f"{what}; {hint or 'every manifest names its object'}")
    if not kind.namespaced:
        return Ref(kind.name, "", name)
    if namespace is None or namespace == "":
        return Ref(kind.name, DEFAULT_NAMESPACE, name)
    if not isinstance(namespace, str):
        return Fault(("metadata", "namespace"), f"has to be a string, found {namespace!r}: put it in quotes")
    return Ref(kind.name, namespace, name)


def _misspelt(data: dict[str, Value], field: str) -> tuple[Path, str]:
    """Where a field that is missing seems to be, under another name."""
    close = difflib.get_close_matches(field.lower(), {name.lower(): name for name in data}, n=1, cutoff=0.7)
    for name in data:
        if close and name.lower() == close[0] and name != field:
            return (name,), f"did you mean `{field}`?"
    return (), ""


def _declared(kind: Kind, ref: Ref, data: dict[str, Value]) -> tuple[dict[str, Any], list[Fault]]:
    """What the document declares, without what the cluster itself writes; and warnings of that."""
    metadata = dict(data["metadata"])
    declared = {**data, "metadata": metadata}
    warnings: list[Fault] = []
    if declared.pop("status", None):
        warnings.append(_ignored(("status",)))
    stamped = [field for field in _STAMPED if metadata.pop(field, None) is not None]
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


def _faults(decoded: Decoded) -> Iterable[Fault]:
    yield from decoded.faults
    if decoded.object is not None:
        yield from validate(defaulted(decoded.object))
        yield from unsupported(decoded.object)
