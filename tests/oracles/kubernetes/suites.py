"""Replays what was recorded over plain HTTP, on one Wherry: each suite goes on where the one before it left off."""

import json
from pathlib import Path

from tests.oracles.kubernetes import exchanges, judging, watching
from tests.oracles.kubernetes.judging import Verdict
from tests.oracles.kubernetes.normalising import Normaliser
from tests.oracles.kubernetes.responses import body_of, difference
from tests.oracles.kubernetes.wherry import Wherry, running
from tests.waiting import eventually

DEFAULT_CLASS = "/apis/storage.k8s.io/v1/storageclasses/local-path"
NAMESPACES = ("samples", "samples-limits")
_SETTLE_SECONDS = 3.0
_END_SECONDS = 15.0


def replay(folder: Path) -> list[Verdict]:
    """On a fresh Wherry."""
    with running() as wherry:
        normaliser = Normaliser(folder, wherry.server)
        wherry.call("DELETE", DEFAULT_CLASS)  # the recorded cluster had none
        found = [_read(wherry, normaliser, "discovery", path) for path in _files(folder / "api" / "discovery")]
        for namespace in NAMESPACES:
            wherry.done("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        found += [_default(wherry, normaliser, path) for path in _files(folder / "defaults")]
        _settle(wherry)
        found += [_read(wherry, normaliser, "tables", path) for path in _files(folder / "api" / "tables")]
        found += exchanges.replay(wherry, normaliser, folder / "api" / "http.jsonl")
        _until_gone(wherry, "/api/v1/namespaces/http")  # or its end shows in the watches
        found += watching.replay(wherry, normaliser, _files(folder / "api" / "watch"))
        return found


def _read(wherry: Wherry, normaliser: Normaliser, suite: str, path: Path) -> Verdict:
    case = json.loads(path.read_text())
    asked = case["request"]
    answer = wherry.call(asked["method"], asked["path"], user=asked.get("user"), headers=asked["headers"])
    found = difference(case["response"], answer, normaliser, varies=case.get("varies", False))
    return Verdict(suite, path.stem, found)


def _default(wherry: Wherry, normaliser: Normaliser, path: Path) -> Verdict:
    case = json.loads(path.read_text())
    answer = wherry.call("POST", case["path"], case["in"])
    found = [judging.documents("body", case["out"], body_of(answer, normaliser))]
    warning = case.get("warning")
    found.append(judging.headers({"Warning": warning} if warning else {}, answer.headers, ["Warning"]))
    return Verdict("defaults", path.stem, "\n".join(filter(None, found)))


def _settle(wherry: Wherry) -> None:
    """Waits, not for long, for the sample pods to run."""

    def settled() -> bool:
        pods = wherry.call("GET", "/api/v1/namespaces/samples/pods").json().get("items", [])
        jobs = wherry.call("GET", "/apis/batch/v1/namespaces/samples/jobs").json().get("items", [])
        runs = all(pod.get("status", {}).get("phase") in ("Running", "Succeeded") for pod in pods)
        return bool(pods) and runs and any("completionTime" in job.get("status", {}) for job in jobs)

    try:
        eventually(settled, _SETTLE_SECONDS)
    except AssertionError:
        return  # what does not run shows in the tables


def _until_gone(wherry: Wherry, path: str) -> None:
    try:
        eventually(lambda: wherry.call("GET", path).status == 404, _END_SECONDS)
    except AssertionError:
        return  # it shows in the watches


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))
