"""The annotation `wherry.dev/depends-on`: which other objects have to be healthy first.

Its value names them as `Kind/name` (in the object's own namespace) or `Kind/namespace/name`, apart by commas or new
lines. Who waits, and for how long, is decided where manifests are carried into the cluster.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from schemas.faults import Fault, Path
from schemas.kinds import BY_NAME
from schemas.meta import Ref

DEPENDS_ON = "wherry.dev/depends-on"
PATH: Path = ("metadata", "annotations", DEPENDS_ON)
_FORM = "write Kind/name, or Kind/namespace/name for an object of another namespace"


def named(ref: Ref, text: str) -> Iterator[Ref | str]:
    """What the annotation of the object `ref` names, and in place of each entry that names nothing what is wrong."""
    entries = (entry.strip() for entry in re.split(r"[,\n]", text))
    return (_entry(ref, entry) for entry in entries if entry)


def _entry(ref: Ref, entry: str) -> Ref | str:
    word, _, place = entry.partition("/")
    namespace, separator, name = place.rpartition("/")
    kind = BY_NAME.get(word)
    if kind is None:
        close = difflib.get_close_matches(word, BY_NAME, n=1)
        return f"{entry!r}: there is no kind {word!r}; " + (f"did you mean {close[0]}?" if close else _FORM)
    if not name or "/" in namespace or (separator and not namespace):
        return f"{entry!r} names no object; {_FORM}"
    if not kind.namespaced:
        return f"{entry!r}: a {word} is in no namespace; write {word}/{name}" if namespace else Ref(word, "", name)
    if not namespace and not ref.namespace:
        return f"{entry!r}: a {ref.kind} is in no namespace itself; write {word}/NAMESPACE/{name}"
    found = Ref(word, namespace or ref.namespace, name)
    return f"{entry!r} is the object itself; take it out" if found == ref else found


def faults(ref: Ref, annotations: Mapping[str, str]) -> Iterator[Fault]:
    """What is wrong with the annotation as it is written."""
    for found in named(ref, annotations.get(DEPENDS_ON, "")):
        if isinstance(found, str):
            yield Fault(PATH, found)


class _Metadata(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


class _Document(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def needed(ref: Ref, document: bytes) -> tuple[Ref, ...]:
    """The objects that a declaration (as JSON) waits for; those that it does not name rightly are left out."""
    if DEPENDS_ON.encode() not in document:
        return ()  # nearly always
    return _needed(ref, msgspec.json.decode(document, type=_Document).metadata.annotations.get(DEPENDS_ON, ""))


@lru_cache(maxsize=1024)
def _needed(ref: Ref, text: str) -> tuple[Ref, ...]:
    return tuple(dict.fromkeys(found for found in named(ref, text) if not isinstance(found, str)))


def needed_by(ref: Ref, annotations: Mapping[str, str]) -> tuple[Ref, ...]:
    """The same of an object that is there."""
    text = annotations.get(DEPENDS_ON)
    return _needed(ref, text) if text else ()
