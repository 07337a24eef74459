"""What `wherry validate` says of what was read: faults within files and across them, for people and for machines.

Pure. Across files it asks what the daemon asks, so that what passes here is taken there.
"""

import json
from collections.abc import Mapping
from typing import Literal

import msgspec

from reconciler.manifests import dependencies
from reconciler.manifests.documents import FileState, SourceFault
from reconciler.manifests.ledger import Ledger

Output = Literal["text", "json", "github"]

FAULTS = 1
"""Exit code where anything is wrong; bad usage exits with 2, as everywhere."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Faults in the order of files and lines. `skipped`: documents of kinds that are not served, passed over."""

    files: int
    documents: int
    faults: tuple[SourceFault, ...]
    skipped: int = 0

    @property
    def errors(self) -> int:
        return sum(fault.severity == "error" for fault in self.faults)

    @property
    def exit_code(self) -> int:
        return FAULTS if self.errors else 0


def judge(states: Mapping[str, FileState], *, skip_unknown: bool = False) -> Report:
    """Everything that is wrong with these files, each alone and all together."""
    ledger = Ledger()
    ledger.take(states, lambda _: "")
    faults = [fault for state in states.values() for fault in state.faults]
    faults += [fault for duplicates in ledger.duplicates.values() for fault in duplicates]
    faults += dependencies.faults(ledger.declared.values())
    kept = [fault for fault in faults if not (skip_unknown and fault.is_unknown_kind)]
    return Report(
        files=len(states),
        documents=sum(state.documents for state in states.values()),
        faults=tuple(sorted(kept, key=lambda fault: (fault.file, fault.line))),
        skipped=len(faults) - len(kept),
    )


def say(report: Report, output: Output) -> str:
    """The report as asked for; empty where there is nothing to say."""
    if output == "json":
        return _json(report)
    say_fault = _github if output == "github" else _text
    return "\n".join(say_fault(fault) for fault in report.faults)


def summary(report: Report) -> str:
    """One line for people."""
    warnings = len(report.faults) - report.errors
    parts = [f"{_count(report.documents, 'document')} in {_count(report.files, 'file')}"]
    parts.append(_count(report.errors, "fault") if report.errors else "no faults")
    if warnings:
        parts.append(_count(warnings, "warning"))
    if report.skipped:
        parts.append(f"{report.skipped} of kinds that are not served passed over")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(fault: SourceFault) -> str:
    return f"{fault} (warning)" if fault.severity == "warning" else str(fault)


def _json(report: Report) -> str:
    names = ("file", "line", "object", "field", "message", "severity")
    faults = [{name: getattr(fault, name) for name in names} for fault in report.faults]
    return json.dumps({"documents": report.documents, "faults": faults}, indent=2, ensure_ascii=False)


def _github(fault: SourceFault) -> str:
    """A workflow command: the fault shows on its line in a pull request.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    properties = {"file": fault.file, "line": str(fault.line), "title": fault.object or "manifest"}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = f"{fault.field}: {fault.message}" if fault.field else fault.message
    return f"::{fault.severity} {written}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
