"""Makes two answers comparable: what no two clusters have in common becomes a placeholder, as in the recordings.

The rules of the recordings (`normalise.json`) come after what depends on columns, and before the spacing.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_AGES = ("AGE", "LAST SEEN", "FIRST SEEN", "DURATION", "LAST SCHEDULE")
_TABLE_AGES = frozenset(name.title() for name in _AGES)
_HEADER = re.compile(r"[A-Z][A-Z0-9()/_.%-]*(?: [A-Z][A-Z0-9()/_.%-]*)*(?: {2,}[A-Z][A-Z0-9()/_.% -]*)*\s*")
_AGE = re.compile(r"<unknown>|<invalid>|\d+[smhdy](?:\d+[smhd])*(?: \(x\d+ over [^)]*\))?")
_TRAILING_AGE = re.compile(r"(?<=  )\d+[smhdy](?:\d+[smhd])*\s*$")
_CLIENT = {"v1.36.4": "v1.36.2", "go1.26.5": "go1.26.6"}
"""The kubectl at hand is a little newer than the recorded one, and says so."""
_API_ENDPOINT = re.compile(r'("?IPv4"?,?\s+"?6443"?,?\s+"?)127\.0\.0\.1')
"""Where the API is, in a slice: the recorded one had an address that is no loopback."""
_TEMPLATE_HASH = re.compile(r"(?<=[a-z0-9])-[bcdfghjklmnpqrstvwxz]{10}\b")
"""Of a ReplicaSet, where it happens to hold no digit: the rules of the recordings know it by one."""
_POD_RANGES = re.compile(r"^PodCIDRs?:.*\n|^ +podCIDR: .*\n +podCIDRs:\n +- .*\n", re.MULTILINE)
"""Of a node. The recorded controller manager was not told to hand any out (`--allocate-node-cidrs`)."""
_NO_LIMIT = re.compile(r"resources:\n +limits:\n +memory: 9007199254740988Ki")
"""What cgroup v1 of the recorded node-1 tells of a pod without a limit; with cgroup v2, as here, there is none."""
_PACKAGE = re.compile(r"(containerd://[\d.]+)~\w+")
"""A distributor's suffix."""
_OURS = re.compile(r"\b(v1\.36\.2)-wherry[\w.+]*")
"""A node says what its agent is, behind the version of the API that it speaks."""


class Normaliser:
    """The rules of one folder of recordings, and what is known of the cluster that answered."""

    def __init__(self, folder: Path, server: str = "", facts: Mapping[str, str] | None = None) -> None:
        """`facts`: words for what the machine of node-1 is, and the placeholders that the recordings have there."""
        rules = json.loads((folder / "normalise.json").read_text())
        self._rules = [(re.compile(pattern, re.MULTILINE), replacement) for pattern, replacement in rules]
        self._server = server
        self._facts = facts or {}

    def text(self, text: str) -> str:
        """Any text, by the rules alone."""
        if self._server:
            text = text.replace(f"https://{self._server}", "https://<server>").replace(self._server, "<server>")
            text = re.sub(rf"\b{self._server.rpartition(':')[2]}\b", "6443", text)
            text = text.replace("https://0x7f.1:6443", "https://<server>")
            text = _API_ENDPOINT.sub(r"\1<ip>", text)
        text = _PACKAGE.sub(r"\1", _OURS.sub(r"\1", text))
        for fact, placeholder in self._facts.items():
            text = text.replace(fact, placeholder)
        for here, recorded in _CLIENT.items():
            text = text.replace(here, recorded)
        text = _TEMPLATE_HASH.sub("-<hash>", text)
        for pattern, replacement in self._rules:
            text = pattern.sub(replacement, text)
        return text

    def output(self, text: str, *, has_header: bool = True) -> str:
        """What kubectl printed: ages by column, the rules, and three spaces where there were two or more."""
        lines = _POD_RANGES.sub("", text).split("\n")
        aged = _aged(lines) if has_header else [_TRAILING_AGE.sub("<age>", line) for line in lines]
        return "\n".join(_respaced(line) for line in self.text("\n".join(aged)).split("\n"))

    def document(self, document: Any) -> Any:  # noqa: ANN401 - JSON
        """A document of JSON: the rules work on its text, and on nothing but its values."""
        text = self.text(json.dumps(without_descriptions(document), indent=1, ensure_ascii=False))
        return json.loads(text)


def recorded(text: str) -> str:
    """What kubectl printed there, less what was so for the recorded machine alone, and has no placeholder."""
    return _NO_LIMIT.sub("resources: {}", text)


def facts_of(node: Mapping[str, Any]) -> dict[str, str]:
    """Of a Node that stands on this machine."""
    status, names = node["status"], ("memory", "ephemeral-storage")
    sizes = {status[amounts][name]: f"<{name}>" for amounts in ("capacity", "allocatable") for name in names}
    info = status["nodeInfo"]
    return {info["osImage"]: "<os-image>", info["kernelVersion"]: "<kernel>", **sizes}


def _aged(lines: Sequence[str]) -> Iterator[str]:
    """With `<age>` in the cells of such columns."""
    columns: list[tuple[str, int]] = []
    for line in lines:
        if not line.strip():
            columns = []
        elif _HEADER.fullmatch(line) and any(re.search(rf"(^|  ){name}(  |\s*$)", line) for name in _AGES):
            columns = [(found.group(), found.start()) for found in re.finditer(r"\S+(?: \S+)*", line)]
        elif columns:
            yield _with_ages(line, columns)
            continue
        yield line


def _with_ages(line: str, columns: Sequence[tuple[str, int]]) -> str:
    for (name, start), end in reversed(list(zip(columns, [at for _, at in columns[1:]] + [len(line)], strict=True))):
        cell = line[start:end]
        if name in _AGES and _AGE.fullmatch(cell.strip()):
            line = f"{line[:start]}<age>   {line[end:]}"
    return line


def _respaced(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return (line[:indent] + re.sub(r" {2,}", "   ", line[indent:])).rstrip()


def without_descriptions(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Tables with `<age>` in such cells, and without descriptions of columns: those are each project's own words."""
    if isinstance(document, list):
        return [without_descriptions(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    if document.get("kind") != "Table":
        return {name: without_descriptions(value) for name, value in document.items()}
    return _aged_table(document)


def _aged_table(table: dict[str, Any]) -> dict[str, Any]:
    definitions = table.get("columnDefinitions") or []
    columns = [{key: value for key, value in each.items() if key != "description"} for each in definitions]
    aged = {at for at, column in enumerate(columns) if column.get("name") in _TABLE_AGES}
    rows = []
    for row in table.get("rows") or []:
        cells = [
            "<age>" if at in aged and isinstance(cell, str) and _AGE.fullmatch(cell) else cell
            for at, cell in enumerate(row.get("cells") or [])
        ]
        rows.append(row | {"cells": cells})
    return table | ({"columnDefinitions": columns} if definitions else {}) | {"rows": rows}
