"""Rules of quotas, limits, priorities and leases that no recorded answer shows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.shape import Json
from tests.unit.schemas.build import decoded, document
from tests.unit.schemas.validation.found import faults, faults_of_change


def quota(**spec: Json) -> dict[str, Any]:
    return document("v1", "ResourceQuota", spec=spec)


def limits(*items: dict[str, Any]) -> dict[str, Any]:
    return document("v1", "LimitRange", spec={"limits": list(items)})


def priority(name: str = "a", **fields: Json) -> dict[str, Any]:
    return {**document("scheduling.k8s.io/v1", "PriorityClass", **{"value": 1, **fields}), "metadata": {"name": name}}


def lease(**spec: Json) -> dict[str, Any]:
    return document("coordination.k8s.io/v1", "Lease", spec=spec)


def matching(scope: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"scopeName": scope, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(quota(), id="nothing"),
        pytest.param(quota(hard={"requests.cpu": "1", "limits.memory": "1Gi", "count/jobs.batch": "5"}), id="amounts"),
        pytest.param(quota(hard={"requests.nvidia.com/gpu": "4", "hugepages-2Mi": "1Gi"}), id="devices"),
        pytest.param(quota(hard={"gold.storageclass.storage.k8s.io/requests.storage": "1Gi"}), id="storage of a class"),
        pytest.param(quota(hard={"pods": "5"}, scopes=["BestEffort", "NotTerminating"]), id="scopes"),
        pytest.param(quota(hard={"cpu": "5"}, scopeSelector=matching("PriorityClass", "In", "high")), id="selector"),
        pytest.param(document("v1", "LimitRange"), id="no limits at all"),
        pytest.param(limits({"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}}), id="limits"),
        pytest.param(limits({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}), id="size of claims"),
        pytest.param(
            limits({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "4"}}),
            id="ratio",
        ),
        pytest.param(priority(value=-5), id="low priority"),
        pytest.param(priority("system-node-critical", value=2000001000), id="priority of the system"),
        pytest.param(lease(), id="lease"),
        pytest.param(lease(strategy="example.com/s", preferredHolder="b"), id="lease to pass on"),
    ],
)
def test_sound_bounds_are_taken(written: dict[str, Any]) -> None:
    assert faults(written) == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            quota(hard={"pods": "1500m"}),
            ['spec.hard[pods]: Invalid value: "1500m": must be an integer'],
            id="half a pod",
        ),
        pytest.param(
            quota(scopes=["BestEffort", "NotBestEffort"]),
            ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
            id="scopes of nothing",
        ),
        pytest.param(
            quota(scopes=["Odd"]), ['spec.scopes: Invalid value: ["Odd"]: unsupported scope'], id="unknown scope"
        ),
        pytest.param(
            quota(scopeSelector=matching("PriorityClass", "In")),
            [
                "spec.scopeSelector.matchExpressions[0].values: Required value: must be at least one value when "
                "`operator` is 'In' or 'NotIn' for scope selector"
            ],
            id="selector without values",
        ),
        pytest.param(
            limits({"type": "PersistentVolumeClaim"}),
            [
                "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
                "but neither was provided"
            ],
            id="no size of claims",
        ),
        pytest.param(
            limits({"type": "Pod"}, {"type": "Pod"}), ['spec.limits[1].type: Duplicate value: "Pod"'], id="type twice"
        ),
        pytest.param(
            limits({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "5"}}),
            [
                'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "5": '
                "ratio 5 is greater than max/min = 4.000000"
            ],
            id="ratio out of reach",
        ),
        pytest.param(
            limits({"type": "Container", "max": {"odd": "1"}}),
            [
                f'spec.limits[0].{field}[odd]: Invalid value: "odd": must be a standard resource{rest}'
                for field in ("max", "default", "defaultRequest")
                for rest in (" type or fully qualified", " for containers")
            ],
            id="unknown resource, that defaults carry on",
        ),
        pytest.param(
            priority(value=1000000001),
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
            id="too high",
        ),
        pytest.param(
            priority("system-mine"),
            [
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use "
                "only. error: system-mine is not a known system priority class"
            ],
            id="name of the system",
        ),
        pytest.param(
            lease(preferredHolder="b"),
            ["spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"],
            id="holder without a strategy",
        ),
    ],
)
def test_a_broken_bound_is_told_in_the_words_of_kubernetes(written: dict[str, Any], expected: list[str]) -> None:
    assert faults(written) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(quota(hard={"pods": "1"}), quota(hard={"pods": "2"}), [], id="amount"),
        pytest.param(
            quota(),
            quota(scopes=["BestEffort"]),
            ['spec.scopes: Invalid value: ["BestEffort"]: field is immutable'],
            id="scopes",
        ),
        pytest.param(priority(), priority(globalDefault=True), [], id="default"),
        pytest.param(
            priority(), priority(value=2), ["value: Forbidden: may not be changed in an update."], id="priority"
        ),
        pytest.param(
            priority(),
            priority(preemptionPolicy="Never"),
            ['preemptionPolicy: Invalid value: "Never": field is immutable'],
            id="preemption",
        ),
    ],
)
def test_what_of_a_bound_may_change(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert faults_of_change(old, new) == expected


AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.integers(0, 5).map(str), max_size=2)


@given(most=AMOUNTS, least=AMOUNTS, limit=AMOUNTS, request=AMOUNTS)
@settings(max_examples=60)
def test_a_limit_range_is_taken_exactly_where_its_defaults_keep_its_bounds(
    most: dict[str, str], least: dict[str, str], limit: dict[str, str], request: dict[str, str]
) -> None:
    item = {"type": "Container", "max": most, "min": least, "default": limit, "defaultRequest": request}
    filled: Any = decoded(limits(item))
    (bounds,) = filled.spec.limits
    order = [bounds.min, bounds.default_request, bounds.default, bounds.max]
    in_order = all(
        int(lesser[name]) <= int(greater[name])
        for position, lesser in enumerate(order)
        for greater in order[position + 1 :]
        for name in lesser.keys() & greater.keys()
    )
    assert (faults(limits(item)) == []) == in_order
