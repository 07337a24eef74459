"""Compares a response with a recorded one: status, the headers that were kept, and the body."""

import json
from collections.abc import Mapping
from typing import Any

from tests.oracles.kubernetes import judging
from tests.oracles.kubernetes.normalising import Normaliser, without_descriptions
from tests.oracles.kubernetes.wherry import Answer

KEPT_HEADERS = ("Content-Type", "Cache-Control", "Warning", "Retry-After", "Location", "Allow", "Vary")


def difference(recorded: Mapping[str, Any], answer: Answer, normaliser: Normaliser, *, varies: bool = False) -> str:
    """Between a recorded response and an answer; where it varies, only the kind of answer and its columns count."""
    found = (
        [] if recorded["status"] == answer.status else [f"status: recorded {recorded['status']}, here {answer.status}"]
    )
    found.append(judging.headers(recorded["headers"], answer.headers, KEPT_HEADERS))
    expected, actual = without_descriptions(recorded["body"]), body_of(answer, normaliser)
    if isinstance(expected, dict) and "base64_prefix" in expected:
        actual = expected if answer.body.startswith(b"k8s\0") and len(answer.body) > len(b"k8s\0") else actual
    if varies and isinstance(expected, dict) and isinstance(actual, dict):
        expected, actual = _outline(expected), _outline(actual)
    found.append(judging.documents("body", expected, actual))
    return "\n".join(filter(None, found))


def body_of(answer: Answer, normaliser: Normaliser) -> Any:  # noqa: ANN401 - JSON
    """The body, normalised; as a document where it is JSON."""
    text = answer.body.decode(errors="replace")
    if "json" in answer.headers.get("Content-Type", "") or text.startswith('{"'):
        try:
            return normaliser.document(json.loads(text))
        except ValueError:
            return normaliser.text(text)
    return normaliser.text(text)


def _outline(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document.get(name) for name in ("kind", "apiVersion", "columnDefinitions")}
