"""Tells people of faults, each once for as long as it stays: a line in the log and a Warning Event."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.manifests.documents import SourceFault
from reconciler.manifests.ledger import Ledger
from reconciler.manifests.prune import HeldBack
from reconciler.store.changes import Emit
from reconciler.store.events import present_event
from reconciler.store.view import View
from schemas.core.reference import ObjectReference
from schemas.meta import Object, Ref

log = logging.getLogger(__name__)

COMPONENT = "wherry-manifests"
MOST_AT_ONCE = 200
"""Events of one pass. The log and the status have them all."""

_Key = tuple[str, str, str, str]


class Reports:
    """Remembers which faults were told. A fault that only moved to another line is the same one.

    As long as `is_starting`, an Event that is there already was told before the restart.
    """

    def __init__(self) -> None:
        self.is_starting = True
        self._told: frozenset[_Key] = frozenset()
        self._held: frozenset[Ref] = frozenset()

    def news(self, faults: Iterable[SourceFault], ledger: Ledger, view: View, commit: str) -> list[Emit]:
        """The Events for the faults that are new, and their lines in the log. Faults that went may be told again."""
        by_key = {(fault.file, fault.object, fault.field, fault.message): fault for fault in faults}
        fresh = [fault for key, fault in by_key.items() if key not in self._told]
        mended = len(self._told - by_key.keys())
        self._told = frozenset(by_key)
        for fault in fresh:
            level = logging.ERROR if fault.severity == "error" else logging.WARNING
            log.log(level, "manifest fault: %s", fault)
        if mended:
            log.info("manifest faults mended count=%d left=%d", mended, len(by_key))
        return self._untold((_event(fault, ledger, view, commit) for fault in fresh[:MOST_AT_ONCE]), view)

    def held(self, held_back: Sequence[HeldBack], view: View, commit: str) -> list[Emit]:
        """The same for deletions that are held back."""
        fresh = [one for one in held_back if one.ref not in self._held]
        self._held = frozenset(one.ref for one in held_back)
        for reason, count in Counter(one.reason for one in fresh).items():
            log.warning("deletions held back count=%d reason=%r", count, reason)
        emits = []
        for one in fresh[:MOST_AT_ONCE]:
            if (live := view.find(one.ref)) is not None:
                message = f"no manifest declares this any more, its deletion is held back: {one.reason}"
                emits.append(Emit(live, "Warning", "PruneHeldBack", message, COMPONENT, commit=commit))
        return self._untold(emits, view)

    def _untold(self, emits: Iterable[Emit], view: View) -> list[Emit]:
        return [emit for emit in emits if not self.is_starting or present_event(emit, view) is None]


def _event(fault: SourceFault, ledger: Ledger, view: View, commit: str) -> Emit:
    reason = "InvalidManifest" if fault.severity == "error" else "ManifestWarning"
    return Emit(_regarding(fault, ledger, view), "Warning", reason, str(fault), COMPONENT, commit=commit)


def _regarding(fault: SourceFault, ledger: Ledger, view: View) -> Object | ObjectReference:
    """The live object that the fault is about, else the file."""
    state = ledger.files.get(fault.file)
    for claim in state.claims if state and fault.object else ():
        if f"{claim.ref.kind}/{claim.ref.name}" == fault.object and (live := view.find(claim.ref)) is not None:
            return live
    return ObjectReference(kind="Source", namespace="default", name=event_name(fault.file))


def event_name(file: str) -> str:
    """The file's path as a name that an object may have."""
    return re.sub(r"[^a-z0-9]+", "-", file.lower()).strip("-")[:63].strip("-") or "folder"
