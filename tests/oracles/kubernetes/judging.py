"""What came of replaying: which cases are equal, and what is different about the others."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

SHOWN_LINES = 40


class Verdict(msgspec.Struct, frozen=True):
    """One case; `difference` is empty where it is equal."""

    suite: str
    id: str
    difference: str = ""


def summary(verdicts: Iterable[Verdict]) -> dict[str, dict[str, Any]]:
    """By suite, as the program prints it last."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.suite, []).append(verdict)
    return {
        suite: {
            "cases": len(cases),
            "equal": sum(not case.difference for case in cases),
            "differs": [case.id for case in cases if case.difference],
        }
        for suite, cases in found.items()
    }


def texts(name: str, expected: str, actual: str, *, any_order: bool = False) -> str:
    """The lines of one that the other lacks; rows with generated names come in any order."""
    if expected == actual or _settled(expected, any_order) == _settled(actual, any_order):
        return ""
    wanted, got = expected.split("\n"), actual.split("\n")
    lines = list(difflib.unified_diff(wanted, got, f"{name} recorded", f"{name} here", lineterm="", n=0))
    shown = [line for line in lines if not line.startswith("@@")]
    more = [f"… and {len(shown) - SHOWN_LINES} more lines"] if len(shown) > SHOWN_LINES else []
    return "\n".join(shown[:SHOWN_LINES] + more)


def documents(name: str, expected: Any, actual: Any) -> str:  # noqa: ANN401 - JSON
    """As `texts`, of JSON; the order of `managedFields` is no difference."""
    return texts(name, _written(expected), _written(actual))


def headers(expected: Mapping[str, str], actual: Mapping[str, str], kept: Iterable[str]) -> str:
    """Those that were kept in the recordings."""
    here = {name.lower(): value for name, value in actual.items()}
    wanted = {name.lower(): value for name, value in expected.items()}
    names = [name for name in kept if wanted.get(name.lower()) != here.get(name.lower())]
    return "\n".join(
        f"header {name}: recorded {wanted.get(name.lower())!r}, here {here.get(name.lower())!r}" for name in names
    )


def _settled(text: str, any_order: bool) -> list[str]:
    lines = text.split("\n")
    return sorted(lines) if any_order else list(_sorted_runs(lines))


def _sorted_runs(lines: Iterable[str]) -> Iterator[str]:
    run: list[str] = []
    for line in lines:
        if re.search(r"<suffix>|-<hash>", line):
            run.append(line)
            continue
        yield from sorted(run)
        run.clear()
        yield line
    yield from sorted(run)


def _written(document: Any) -> str:  # noqa: ANN401 - JSON
    return document if isinstance(document, str) else json.dumps(_ordered(document), indent=1, sort_keys=True)


def _ordered(document: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(document, list):
        return [_ordered(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    found = {name: _ordered(value) for name, value in document.items()}
    if isinstance(found.get("managedFields"), list):
        found["managedFields"].sort(key=lambda entry: json.dumps(entry, sort_keys=True))
    return found
