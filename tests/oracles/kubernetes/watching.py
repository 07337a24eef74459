"""Replays the recorded watches: those without changes at once, then those with, over one round of changes."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.oracles.kubernetes import judging
from tests.oracles.kubernetes.judging import Verdict
from tests.oracles.kubernetes.normalising import Normaliser
from tests.oracles.kubernetes.wherry import Answer, Wherry

MAPS = "/api/v1/namespaces/watched/configmaps"
KEPT_HEADERS = ("Content-Type", "Transfer-Encoding")
MERGE = "application/merge-patch+json"
_FIRST_CHANGE_SECONDS, _NEXT_CHANGE_SECONDS = 1.0, 0.3


def replay(wherry: Wherry, normaliser: Normaliser, files: Sequence[Path]) -> list[Verdict]:
    wherry.done("POST", "/api/v1/namespaces", {"metadata": {"name": "watched"}})
    for name, value in (("w1", "1"), ("w2", "2")):
        wherry.done("POST", MAPS, {"metadata": {"name": name}, "data": {"a": value}})
    cases = {path.stem: json.loads(path.read_text()) for path in files}
    changing = {name: case for name, case in cases.items() if case["changes_during"]}
    quiet = {name: case for name, case in cases.items() if name not in changing}
    answers = _watch(wherry, quiet, changes=False) | _watch(wherry, changing, changes=True)
    return [Verdict("watch", name, _difference(case, answers[name], normaliser)) for name, case in cases.items()]


def _watch(wherry: Wherry, cases: Mapping[str, Mapping[str, Any]], *, changes: bool) -> dict[str, Answer]:
    revision = wherry.call("GET", MAPS).json()["metadata"]["resourceVersion"]

    def ask(case: Mapping[str, Any]) -> Answer:
        asked = case["request"]
        return wherry.call(asked["method"], asked["path"].replace("<rv>", revision), headers=asked["headers"])

    with ThreadPoolExecutor(len(cases)) as pool:
        asked = {name: pool.submit(ask, case) for name, case in cases.items()}
        if changes:
            _change(wherry)
        return {name: future.result() for name, future in asked.items()}


def _change(wherry: Wherry) -> None:
    """What was done while the recorded streams ran."""
    time.sleep(_FIRST_CHANGE_SECONDS)
    wherry.done("POST", MAPS, {"metadata": {"name": "w3", "labels": {"l": "1"}}})
    for patch in ({"data": {"x": "1"}}, {"metadata": {"labels": {"l": None}}}):
        time.sleep(_NEXT_CHANGE_SECONDS)
        wherry.done("PATCH", f"{MAPS}/w3", patch, MERGE)
    time.sleep(_NEXT_CHANGE_SECONDS)
    wherry.done("DELETE", f"{MAPS}/w3")


def _difference(case: Mapping[str, Any], answer: Answer, normaliser: Normaliser) -> str:
    recorded = case["response"]
    found = (
        [] if recorded["status"] == answer.status else [f"status: recorded {recorded['status']}, here {answer.status}"]
    )
    found.append(judging.headers(recorded["headers"], answer.headers, KEPT_HEADERS))
    lines = _lines(answer.body.decode(errors="replace"), normaliser)
    expected = recorded["lines"]
    if case.get("varies"):  # where the bookmarks came
        lines, expected = ([each for each in those if not _is_bookmark(each)] for those in (lines, expected))
    found.append(judging.documents("lines", expected, lines))
    return "\n".join(filter(None, found))


def _lines(body: str, normaliser: Normaliser) -> list[Any]:
    """The stream, normalised. The first line alone names the columns of a table, and with it which cells are ages."""
    found: list[Any] = []
    columns = None
    for text in body.splitlines():
        if not text.startswith("{"):
            found.append(normaliser.text(text))
            continue
        line = json.loads(text)
        table = line.get("object", {})
        is_bare = table.get("kind") == "Table" and not table.get("columnDefinitions")
        columns = columns or table.get("columnDefinitions")
        line = normaliser.document(line | {"object": table | {"columnDefinitions": columns}} if is_bare else line)
        found.append(line | {"object": line["object"] | {"columnDefinitions": None}} if is_bare else line)
    return found


def _is_bookmark(line: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(line, dict) and line.get("type") == "BOOKMARK"
