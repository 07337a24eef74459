"""Defaults, held against what a real Kubernetes 1.36 filled in."""

import copy
import json
from typing import Any

import msgspec
import pytest

from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_GROUP_VERSION_KIND
from tests.unit.schemas.oracle import shared

STAMPED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
ADMITTED_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def as_wire(document: dict[str, Any]) -> dict[str, Any]:
    """The document through our types and back, which settles the order and the zero values."""
    kind = BY_GROUP_VERSION_KIND[document["apiVersion"], document["kind"]]
    decoded = decode(kind, document)
    assert decoded.object is not None, decoded.faults
    found: dict[str, Any] = msgspec.to_builtins(decoded.object)
    return found


def without_the_clusters_own(document: dict[str, Any]) -> dict[str, Any]:
    """Less what admission, allocation and the store add; that is not the business of defaults."""
    document = copy.deepcopy(document)
    for field in STAMPED:
        document["metadata"].pop(field, None)
    spec = document.get("spec", {})
    if document["kind"] == "Pod":
        document.pop("status", None)
        for field in ("serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"):
            spec.pop(field, None)
        spec["tolerations"] = [each for each in spec["tolerations"] if each.get("key") not in ADMITTED_TOLERATIONS]
        spec["volumes"] = [each for each in spec.get("volumes", ()) if not each["name"].startswith("kube-api-access")]
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            mounts = container.pop("volumeMounts", ())
            container["volumeMounts"] = [each for each in mounts if not each["name"].startswith("kube-api-access")]
    if document["kind"] == "Service":
        for field in ALLOCATED:
            spec.pop(field, None)
        for port in spec.get("ports", ()):
            port.pop("nodePort", None)
        document.pop("status")
    if document["kind"] == "Node":
        spec.pop("taints")
        document.pop("status")
    if document["kind"] == "DaemonSet":
        document["metadata"].pop("annotations")  # A number that only old API versions showed.
    if document["kind"] == "HorizontalPodAutoscaler":
        document["status"].pop("currentMetrics")  # A null.
    if document["kind"] in ("PersistentVolume", "PersistentVolumeClaim"):
        document["metadata"].pop("finalizers")
        document["status"].pop("lastPhaseTransitionTime", None)
    if document["kind"] == "Ingress":
        document.pop("status")
    if document["kind"] == "Event":
        document.pop("source")
    return document


def recorded() -> list[Any]:
    try:
        folder = shared("transcripts", "defaults")
    except pytest.skip.Exception as reason:
        return [pytest.param(None, marks=pytest.mark.skip(reason=str(reason)), id="absent")]
    examples = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    return [
        pytest.param(example, id=name)
        for name, example in examples
        if (example["in"]["apiVersion"], example["in"]["kind"]) in BY_GROUP_VERSION_KIND
    ]


@pytest.mark.parametrize("example", recorded())
def test_defaults_are_those_of_a_real_api_server(example: dict[str, Any]) -> None:
    kind = BY_GROUP_VERSION_KIND[example["in"]["apiVersion"], example["in"]["kind"]]
    given = copy.deepcopy(example["in"])
    given["metadata"]["uid"] = "<uid>"  # A Job is labelled with it.
    decoded = decode(kind, given)
    assert decoded.object is not None, decoded.faults
    found = msgspec.to_builtins(defaulted(decoded.object))
    del found["metadata"]["uid"]
    if kind.name == "Service":
        for field in ALLOCATED:
            found["spec"].pop(field, None)
    expected = json.dumps(without_the_clusters_own(example["out"]))
    expected = expected.replace("@sha256:<hash>", "@sha256:" + "a" * 64)  # Digests were blotted out in the record.
    assert found == as_wire(json.loads(expected))
