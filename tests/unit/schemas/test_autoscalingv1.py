"""The older form of an autoscaler, and back."""

from typing import Any

import pytest

from schemas import autoscalingv1
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.decode import decode
from schemas.kinds import BY_NAME

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}},
}
PODS = {"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
OBJECT = {
    "type": "Object",
    "object": {
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "x"},
        "metric": {"name": "hits", "selector": {"matchLabels": {"a": "b"}}},
        "target": {"type": "Value", "value": "7"},
    },
}
BEHAVIOUR = {"scaleDown": {"stabilizationWindowSeconds": 60}}


def scaler(metrics: list[Any], annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop"} | (
        {"annotations": annotations} if annotations else {}
    )
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"maxReplicas": 5, "scaleTargetRef": TARGET, **({"metrics": metrics} if metrics else {}), **spec},
    }


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(scaler([CPU]), id="cpu"),
        pytest.param(scaler([MEMORY, PODS, OBJECT]), id="others"),
        pytest.param(scaler([MEMORY, CPU], {"mine": "1"}), id="both"),
        pytest.param(scaler([CPU], behavior=BEHAVIOUR), id="behaviour"),
        pytest.param(scaler([]), id="none"),
    ],
)
def test_what_the_older_form_has_no_fields_for_is_not_lost(stored: dict[str, Any]) -> None:
    shown = autoscalingv1.shown_document(stored)
    assert shown["apiVersion"] == "autoscaling/v1"
    back = autoscalingv1.stored_document(shown)
    assert {**back, "status": {}} == {**stored, "status": {}}


def test_the_older_form_has_a_field_for_the_processor_and_annotations_for_the_rest() -> None:
    shown = autoscalingv1.shown_document(scaler([CPU, MEMORY], behavior=BEHAVIOUR))
    assert shown["spec"] == {"maxReplicas": 5, "scaleTargetRef": TARGET, "targetCPUUtilizationPercentage": 70}
    assert shown["metadata"]["annotations"] == {
        "autoscaling.alpha.kubernetes.io/metrics": (
            '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"100Mi"}}]'
        ),
        "autoscaling.alpha.kubernetes.io/behavior": '{"scaleDown":{"stabilizationWindowSeconds":60}}',
    }


def test_a_stored_autoscaler_is_shown_whole() -> None:
    decoded = decode(BY_NAME["HorizontalPodAutoscaler"], scaler([CPU]))
    assert isinstance(decoded.object, HorizontalPodAutoscaler)
    found = autoscalingv1.shown(decoded.object)
    assert isinstance(found, autoscalingv1.HorizontalPodAutoscaler)
    assert (found.spec.target_cpu_utilization_percentage, found.metadata.name) == (70, "web")


def test_an_annotation_that_is_broken_is_left_alone() -> None:
    written = {
        "apiVersion": "autoscaling/v1",
        "metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}},
        "spec": {"maxReplicas": 1},
    }
    assert autoscalingv1.stored_document(written)["metadata"] == written["metadata"]
