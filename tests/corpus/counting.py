"""Counts what becomes of the documents of a folder, file by file."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from reconciler.manifests.documents import FileState, load
from reconciler.manifests.parse import Document, parse
from reconciler.manifests.source import SUFFIXES
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.shape import shape_of
from tests.corpus.agreement import Judged, Outcome, judge
from tests.corpus.injection import Injected, inject
from tests.corpus.places import places

COLUMNS = (
    "files",
    "documents",
    "templates",
    "not read",
    "no manifest",
    "kind not served",
    "old version",
    "served",
    "accepted",
    "refused alike",
    "beyond",
    "differing",
    "lost",
    "rules",
    "gaps",
    "taken",
)


class Tally(msgspec.Struct):
    """Of one folder, or of all. Lists hold `file:line: …`."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    gaps: Counter[str] = msgspec.field(default_factory=Counter)
    rules: list[str] = []
    old: list[str] = []
    beyond: list[str] = []
    differing: list[str] = []
    lost: list[str] = []
    not_read: list[str] = []

    def add(self, other: "Tally") -> None:
        for name in self.__struct_fields__:
            mine = getattr(self, name)
            mine += getattr(other, name)


def files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every manifest below, hidden folders left out, by its path and content."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and (path := Path(folder, name)).is_file():
                yield path.relative_to(root).as_posix(), path.read_bytes()


def tally(file: str, content: bytes) -> Tally:
    """What one file adds."""
    found = Tally()
    found.counts["files"] += 1
    parsed = parse(content, json_only=file.endswith(".json"))
    if parsed.refused:
        is_template = "template" in parsed.refused.message
        found.counts["templates" if is_template else "not read"] += 1
        if not is_template:
            found.not_read.append(f"{file}:{parsed.refused.line}: {parsed.refused.message}")
    for document in parsed.documents:
        found.counts["documents"] += 1
        _take(found, f"{file}:{document.line}", document.data)
    found.counts["taken"] += sum(claim.data is not None for claim in load(file, content).claims)
    return found


def _take(found: Tally, where: str, data: Any) -> None:  # noqa: ANN401 - what YAML holds
    if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in ("apiVersion", "kind")):
        found.counts["no manifest"] += 1
        return
    name = data["kind"]
    judged = judge(data)
    if judged.outcome == Outcome.UNKNOWN:
        found.counts["kind not served"] += 1
        found.unknown[f"{name} ({data['apiVersion']})"] += 1
        return
    if judged.outcome == Outcome.OLD:
        found.counts["old version"] += 1
        found.old += [f"{where}: {name}: {judged.detail}"] if judged.detail else []
        return
    found.counts["served"] += 1
    _judge(found, f"{where}: {name}", judged)


def _judge(found: Tally, where: str, judged: Judged) -> None:
    found.counts["beyond" if judged.outcome == Outcome.BEYOND else judged.outcome.value] += 1
    if judged.outcome == Outcome.DIFFERING:
        found.differing.append(f"{where}: {judged.detail}")
    if judged.outcome == Outcome.BEYOND:
        found.beyond.append(f"{where}: {judged.detail}")
    if judged.is_lost:
        found.counts["lost"] += 1
        found.lost.append(where)
    if judged.rules:
        found.counts["rules"] += 1
        found.rules.append(f"{where}: {judged.rules[0]}")
    if judged.gaps:
        found.counts["gaps"] += 1
        found.gaps.update({fault.message for fault in judged.gaps})


class Found(msgspec.Struct, frozen=True):
    """A fault that was put in, and whether it was reported at its line; else what was said instead."""

    injected: Injected
    where: str
    is_reported: bool
    said: str = ""


def injections(file: str, content: bytes, only: str = "") -> Iterator[Found]:
    """Faults put into each document of a served kind, and what was said of them. `only`: of that kind."""
    before = load(file, content)
    parsed = parse(content, json_only=file.endswith(".json"))
    text = content.decode("utf-8-sig", errors="replace")
    for number, document in enumerate(parsed.documents):
        for injected in _of(document, text, f"{file} {number}"):
            if only in ("", injected.kind):
                after = load(file, injected.text.encode())
                yield _judged(f"{file}:{document.line}", injected, before, after)


def _of(document: Document, text: str, seed: str) -> Iterator[Injected]:
    if isinstance(data := document.data, dict):
        kind = BY_GROUP_VERSION_KIND.get((str(data.get("apiVersion")), str(data.get("kind"))))
        if kind is not None and "sops" not in data:
            yield from inject(text, places(text, document.index, document.path, shape_of(kind.type)), seed)


def _judged(where: str, injected: Injected, before: FileState, after: FileState) -> Found:
    known = {(fault.line, fault.field, fault.message) for fault in before.faults}
    new = [
        fault
        for fault in after.faults
        if fault.severity == "error" and (fault.line, fault.field, fault.message) not in known
    ]
    hit = any(fault.line == injected.line and injected.name in f"{fault.field} {fault.message}" for fault in new)
    said = "" if hit else "; ".join(map(str, new[:2])) or "nothing"
    return Found(injected, where, hit, said)
