"""Validation, held against the objects that a real Kubernetes 1.36 took while its controllers were recorded."""

import json
from typing import Any

from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate
from tests.unit.schemas.oracle import shared


def refusals(document: dict[str, Any]) -> list[str]:
    metadata = {**document["metadata"], "ownerReferences": ()}  # Written in short; not what this is about.
    kind = BY_NAME[document["kind"]]
    decoded = decode(kind, {**document, "apiVersion": kind.api_version, "metadata": metadata})
    faults = decoded.faults if decoded.object is None else validate(defaulted(decoded.object))
    return [str(fault) for fault in faults if fault.severity == "error"]


def test_what_a_real_api_server_took_and_refused_is_taken_and_refused() -> None:
    seen = set()
    for path in sorted(shared("controller-cases").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            for step in json.loads(line)["steps"]:
                created = [action["create"] for action in step["do"] if "create" in action]
                known = [document for document in created if document["kind"] in BY_NAME]
                answers = [one["message"] for one in step["then"].get("refused") or () if one["code"] == 422]
                for document in known:
                    key = json.dumps(document)
                    if key in seen:
                        continue
                    seen.add(key)
                    found = refusals(document)
                    assert bool(found) == any(answer.startswith(document["kind"]) for answer in answers), document
                    assert all(any(fault in answer for answer in answers) for fault in found)
    assert len(seen) > 1000
