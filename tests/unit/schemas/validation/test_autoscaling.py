from typing import Any

import pytest

from tests.unit.schemas.build import autoscaler, document
from tests.unit.schemas.validation.found import faults, only_fault


def metric(type_: str, source: dict[str, Any], **others: Any) -> dict[str, Any]:  # noqa: ANN401
    field = type_[0].lower() + type_[1:]
    return autoscaler(metrics=[{"type": type_, field: source, **others}])


def target(type_: str = "AverageValue", **amounts: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"target": {"type": type_, **(amounts or {"averageValue": "10"})}}


NAMED = {"metric": {"name": "m"}}
SERVICE = {"describedObject": {"apiVersion": "v1", "kind": "Service", "name": "a"}}
HALF = target("Utilization", averageUtilization=50)


def scaling_up(**rules: Any) -> dict[str, Any]:  # noqa: ANN401
    return autoscaler(behavior={"scaleUp": rules})


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(autoscaler(), id="by processor time"),
        pytest.param(metric("Resource", {"name": "memory", **target()}), id="by memory"),
        pytest.param(metric("ContainerResource", {"name": "cpu", "container": "c", **HALF}), id="by a container"),
        pytest.param(metric("Pods", {**NAMED, **target()}), id="by pods"),
        pytest.param(metric("Object", {**NAMED, **SERVICE, **target("Value", value="1")}), id="by an object"),
        pytest.param(metric("External", {**NAMED, **target("Value", value="1500u")}), id="by something else"),
        pytest.param(scaling_up(selectPolicy="Disabled", tolerance="0.1"), id="never up"),
        pytest.param(
            autoscaler(scaleTargetRef={"apiVersion": "v1", "kind": "ReplicationController", "name": "a"}),
            id="a controller of the core group",
        ),
    ],
)
def test_a_sound_autoscaler_has_no_faults(written: dict[str, Any]) -> None:
    assert faults(written) == []


METRIC = "spec.metrics[0]"
UP = "spec.behavior.scaleUp"


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        pytest.param(
            autoscaler(scaleTargetRef={"apiVersion": "a/b/c", "kind": "D", "name": "a"}),
            'spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
            id="version of the target",
        ),
        pytest.param(
            autoscaler(scaleTargetRef={"apiVersion": "apps/v1", "kind": "D", "name": "a/b"}),
            "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'",
            id="name of the target",
        ),
        pytest.param(
            metric("Pods", {**NAMED, **HALF}),
            f"{METRIC}.pods.target.averageValue: Required value: must specify a positive target averageValue",
            id="pods have an average",
        ),
        pytest.param(
            metric("External", {**NAMED, **target("Value", value="1", averageValue="1")}),
            f"{METRIC}.external.target.value: Forbidden: "
            "may not set both a target value for metric and a per-pod target",
            id="two targets",
        ),
        pytest.param(
            metric("External", {**NAMED, **HALF}),
            f"{METRIC}.external.target.averageValue: Required value: "
            "must set either a target value for metric or a per-pod target",
            id="no target",
        ),
        pytest.param(
            metric("Object", {**NAMED, **SERVICE, **HALF}),
            f"{METRIC}.object.target.averageValue: Required value: must set either a target value or averageValue",
            id="no target of an object",
        ),
        pytest.param(
            metric("Object", {"metric": {"name": ""}, **SERVICE, **target()}),
            f"{METRIC}.object.metric.name: Required value: must specify a metric name",
            id="no name",
        ),
        pytest.param(
            metric("Resource", {"name": "cpu", **target("Utilization", averageUtilization=5, averageValue="1")}),
            f"{METRIC}.resource.target.averageValue: Forbidden: "
            "may not set both a target raw value and a target utilization",
            id="share and amount",
        ),
        pytest.param(
            metric("Resource", {"name": "cpu", **target("Utilization", averageUtilization=0)}),
            f"{METRIC}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
            id="no share",
        ),
        pytest.param(
            metric("Resource", {"name": "cpu", **target("AverageValue", averageValue="0")}),
            f'{METRIC}.resource.target.averageValue: Invalid value: "0": must be positive',
            id="nothing",
        ),
        pytest.param(
            metric("Resource", {"name": "cpu", **target("Odd", averageUtilization=5)}),
            f'{METRIC}.resource.target.type: Invalid value: "Odd": must be either Utilization, Value, or AverageValue',
            id="type of target",
        ),
        pytest.param(
            metric("ContainerResource", {"name": "cpu", "container": "", **HALF}),
            f"{METRIC}.containerResource.container: Required value: must specify a container",
            id="which container",
        ),
        pytest.param(
            metric("ContainerResource", {"name": "pods", "container": "c", **HALF}),
            f'{METRIC}.containerResource.name: Invalid value: "pods": must be a standard resource for containers',
            id="not of a container",
        ),
        pytest.param(
            metric("Resource", {"name": "cpu", **HALF}, pods={**NAMED, **target()}),
            f"{METRIC}.pods: Forbidden: must populate the given metric source only",
            id="two sources",
        ),
        pytest.param(
            scaling_up(selectPolicy="Odd"),
            f'{UP}.selectPolicy: Unsupported value: "Odd": supported values: "Disabled", "Max", "Min"',
            id="choice",
        ),
        pytest.param(
            scaling_up(stabilizationWindowSeconds=-1),
            f"{UP}.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero",
            id="window",
        ),
        pytest.param(
            scaling_up(policies=[{"type": "Pods", "value": 1, "periodSeconds": 1801}]),
            f"{UP}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
            id="period",
        ),
        pytest.param(
            scaling_up(tolerance="-100u"),
            f'{UP}.tolerance: Invalid value: "-100u": must be greater than or equal to 0',
            id="tolerance",
        ),
        pytest.param(
            autoscaler(metrics=metric("External", {**NAMED, **target()})["spec"]["metrics"], minReplicas=0),
            "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
            id="down to none",
        ),
    ],
)
def test_a_broken_rule_of_autoscalers_is_told_in_the_words_of_kubernetes(
    written: dict[str, Any], complaint: str
) -> None:
    assert only_fault(written) == complaint


def budget(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return document("policy/v1", "PodDisruptionBudget", spec=spec)


@pytest.mark.parametrize(
    ("written", "complaints"),
    [
        pytest.param(budget(minAvailable="50%", selector={}), [], id="half"),
        pytest.param(budget(maxUnavailable=0), [], id="all"),
        pytest.param(
            budget(maxUnavailable="101%"),
            ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
            id="more than all",
        ),
        pytest.param(
            budget(minAvailable=1, maxUnavailable="1%", unhealthyPodEvictionPolicy="AlwaysAllow"),
            [
                'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"1%",'
                '"UnhealthyPodEvictionPolicy":"AlwaysAllow"}: minAvailable and maxUnavailable cannot be both set'
            ],
            id="both",
        ),
        pytest.param(
            budget(minAvailable=1, selector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
            [
                "spec.selector.matchExpressions[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'"
            ],
            id="selector",
        ),
    ],
)
def test_a_disruption_budget_says_one_thing(written: dict[str, Any], complaints: list[str]) -> None:
    assert faults(written) == complaints
