"""Validation, held against the complaints of a real Kubernetes 1.36."""

import re
from typing import Any

import pytest
import yaml

from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.validation import validate
from tests.unit.schemas.oracle import kubectl_steps

ELSEWHERE = {
    "pod-ephemeral": "reconciler.api.rules, for a pod that runs may have them",
    "pod-priority": "admission, which knows the PriorityClasses",
    "pod-rtclass": "admission, which knows the RuntimeClasses",
    "svc-clusterip": "allocation, which knows the service range",
    "svc-dual": "allocation, which knows the families",
    "event-v1": "reconciler.api.rules, which knows the group that an event comes by",
}
"""Cases that are not the business of validation."""

OTHERWISE = {
    "pod-qty": "Kubernetes names neither the field nor the amount",
    "deploy-nosel": "decoding stops at the missing selector",
    "deploy-notemplate": "decoding stops at the missing template",
    "pod-volnfs": "decoding stops at the missing path",
    "pod-podaff": "decoding stops at the missing topology key",
    "pod-owner": "decoding stops at the missing name",
    "crash-json": "Kubernetes quotes Go's JSON parser",
    "crash-json-novalidate": "Kubernetes quotes Go's JSON parser",
    "cm-b64": "Kubernetes does not name the field",
    "sec-b64": "Kubernetes does not name the field",
    "ing-pathtype": "decoding stops at the missing path type",
    "pod-memfrac": "requests from limits are filled in the same way, but warned about once",
}
"""Cases where a fault is found too, but said in other words."""


UID = "00000000-0000-4000-8000-000000000000"


def placed(document: dict[str, Any]) -> dict[str, Any]:
    """With what the API server knows when it looks: the namespace of the request, and the uid that it will have."""
    kind = BY_GROUP_VERSION_KIND[document["apiVersion"], document["kind"]]
    if kind.namespaced:
        document["metadata"].setdefault("namespace", "errs")
    return {**document, "metadata": {**document["metadata"], "uid": UID}}


def found_in(document: dict[str, Any]) -> tuple[Fault, ...]:
    kind = BY_GROUP_VERSION_KIND[document["apiVersion"], document["kind"]]
    decoded = decode(kind, placed(document))
    return decoded.faults if decoded.object is None else validate(defaulted(decoded.object))


def complaints(stderr: str) -> set[str]:
    """The lines of kubectl's answer, each `field: message`; runs of spaces were normalised when recorded."""
    text = re.sub(r"^The \w+ \"[^\"]*\" is invalid: ?", "", stderr.strip())
    lines = [line.removeprefix("* ").removeprefix("Warning: ") for line in text.splitlines()]
    return {re.sub(r"\s+", " ", line) for line in lines if line}


def cases() -> list[Any]:
    try:
        steps = kubectl_steps("errors")
    except pytest.skip.Exception as reason:
        return [pytest.param("", None, "", marks=pytest.mark.skip(reason=str(reason)), id="absent")]
    selected = []
    for step in steps:
        name = step["id"].removeprefix("errors/")
        if "--dry-run=server" not in step["argv"] or not step.get("stdin") or name in ELSEWHERE:
            continue
        document = yaml.safe_load(step["stdin"])
        if isinstance(document, dict) and (document.get("apiVersion"), document.get("kind")) in BY_GROUP_VERSION_KIND:
            selected.append(pytest.param(name, document, step["stderr"], id=name))
    return selected


@pytest.mark.parametrize(("name", "document", "stderr"), cases())
def test_what_a_real_api_server_refuses_is_refused_in_its_words(
    name: str, document: dict[str, Any], stderr: str
) -> None:
    refused = any(line and not line.startswith("Warning:") for line in stderr.splitlines())
    faults = [fault for fault in found_in(document) if fault.severity == "error" or not refused]
    found = {re.sub(r"\s+", " ", str(fault)).replace(UID, "<uid>") for fault in faults}
    if name in OTHERWISE:
        assert bool(found) == bool(stderr)
    else:
        assert found == complaints(stderr)
