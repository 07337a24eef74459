"""Every key of the Compose Specification, and what becomes of it: `docs/compose.md` is generated from this table.

Pure. A key that has no counterpart is named in a fault wherever it is used: a warning where the service runs without
it, an error where it would not work. A key that is not here is unknown.
"""

import difflib
from collections import defaultdict
from typing import Literal

import msgspec

from reconciler.manifests.compose.faults import Report
from reconciler.manifests.compose.keytable import ROWS
from reconciler.manifests.compose.nodes import Node
from schemas.faults import Path

Fate = Literal["carried", "warning", "error"]


class Key(msgspec.Struct, frozen=True):
    """One key: `services.*.ports[].target`, where `*` is a name that the user chose."""

    path: str
    does: Fate
    text: str
    """What it becomes, or why it has no effect and what to do."""


KEYS: tuple[Key, ...] = tuple(Key(path, does, text) for path, does, text in ROWS)
_BY_PATH = {key.path: key for key in KEYS}
_BELOW: dict[str, list[str]] = defaultdict(list)
for _key in KEYS:
    _parent, _, _name = _key.path.rpartition(".")
    _BELOW[_parent].append(_name)


def check(node: Node, report: Report, path: Path = (), pattern: str = "") -> None:
    """Reports every key that is unknown or has no counterpart."""
    for index, item in enumerate(node.list):
        check(item, report, (*path, index), f"{pattern}[]")
    names = _BELOW.get(pattern)
    if not names:
        return
    for name, child in node.map.items():
        if name.startswith("x-"):
            continue
        at = (*path, name)
        if (known := name if name in names else "*" if "*" in names else None) is None:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
            hint = f"did you mean `{near[0]}`?" if near else "an own key has to begin with `x-`"
            report.error(child, at, f"unknown key: {hint}")
            continue
        below = f"{pattern}.{known}" if pattern else known
        key = _BY_PATH[below]
        if key.does == "carried":
            check(child, report, at, below)
        elif not _says_nothing(child):
            (report.error if key.does == "error" else report.warning)(child, at, key.text)


def _says_nothing(node: Node) -> bool:
    return node.value in (None, False, "", "false") or node.value in ([], {})
