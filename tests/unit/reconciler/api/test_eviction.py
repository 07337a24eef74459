from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from reconciler.api.eviction import budgeted
from reconciler.api.status import StatusError
from reconciler.store.cache import Cache
from reconciler.store.changes import UpdateStatus
from schemas.core.pod import Pod
from schemas.core.podstatus import PodCondition, PodStatus
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetStatus
from tests.unit.reconciler.api.builders import object_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _pod(phase: str = "Running", ready: str = "True") -> Pod:
    metadata = {"name": "web-1", "namespace": "default", "labels": {"app": "web"}}
    found: Pod = object_of({"kind": "Pod", "metadata": metadata, "spec": {"containers": []}})
    status = PodStatus(phase=phase, conditions=(PodCondition(type="Ready", status=ready),))
    return structs.replace(found, status=status)


def _budget(name: str = "guard", policy: str = "", **status: Any) -> PodDisruptionBudget:  # noqa: ANN401
    metadata = {"name": name, "namespace": "default", "uid": name, "generation": 1}
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}, "unhealthyPodEvictionPolicy": policy}
    found: PodDisruptionBudget = object_of({"kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec})
    usual = {"observed_generation": 1, "current_healthy": 2, "desired_healthy": 2}
    return structs.replace(found, status=PodDisruptionBudgetStatus(**(usual | status)))


def _view(*budgets: PodDisruptionBudget) -> Cache:
    cache = Cache()
    cache.load(budgets)
    return cache


def test_an_eviction_takes_one_from_the_budget() -> None:
    (change,) = budgeted(_pod(), _view(_budget(disruptions_allowed=2)), NOW)
    assert isinstance(change, UpdateStatus)
    assert isinstance(change.object, PodDisruptionBudget)
    status = change.object.status
    assert (status.disruptions_allowed, status.disrupted_pods) == (1, {"web-1": NOW})
    (last,) = budgeted(_pod(), _view(_budget(disruptions_allowed=1)), NOW)
    assert isinstance(last, UpdateStatus)
    assert isinstance(last.object, PodDisruptionBudget)
    assert [(one.type, one.status, one.reason) for one in last.object.status.conditions] == [
        ("DisruptionAllowed", "False", "InsufficientPods")
    ]


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        pytest.param({}, "The disruption budget guard needs 2 healthy pods and has 2 currently", id="nothing left"),
        pytest.param(
            {"observed_generation": 0},
            "The disruption budget guard is still being processed by the server.",
            id="not looked at yet",
        ),
    ],
)
def test_a_budget_that_allows_nothing_says_why(status: dict[str, Any], cause: str) -> None:
    with pytest.raises(StatusError) as caught:
        budgeted(_pod(), _view(_budget(**status)), NOW)
    error = caught.value.status()
    assert (error["code"], error["reason"]) == (429, "TooManyRequests")
    assert error["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert error["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]


@pytest.mark.parametrize(
    ("pod", "budget"),
    [
        pytest.param(_pod("Pending"), _budget(), id="pending"),
        pytest.param(_pod("Succeeded"), _budget(), id="ended"),
        pytest.param(_pod(ready="False"), _budget(), id="not ready, and enough are"),
        pytest.param(_pod(ready="False"), _budget(policy="AlwaysAllow", current_healthy=0), id="not ready, allowed"),
    ],
)
def test_a_pod_that_serves_nobody_may_go(pod: Pod, budget: PodDisruptionBudget) -> None:
    assert budgeted(pod, _view(budget), NOW) == ()


def test_a_pod_that_is_not_ready_stays_where_too_few_are() -> None:
    with pytest.raises(StatusError):
        budgeted(_pod(ready="False"), _view(_budget(current_healthy=1)), NOW)


def test_two_budgets_on_one_pod_are_one_too_many() -> None:
    with pytest.raises(StatusError, match="more than one PodDisruptionBudget"):
        budgeted(_pod(), _view(_budget("a"), _budget("b")), NOW)
