"""What policies make of pods that fail, and of indexes that succeed."""

from collections.abc import Sequence

import pytest

from reconciler.controllers.jobpods import FAILURES, INDEX, TRACKING
from schemas.batch import (
    Job,
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from tests.unit.reconciler.controllers.jobs import (
    COMPLETE,
    FAILED,
    a_job,
    a_rule,
    a_spec,
    active_pods,
    conditions_of,
    end_pods,
    said,
    started,
    the_job,
    with_a_node,
)
from tests.unit.reconciler.controllers.world import World


def _fails(world: World, spec: JobSpec, code: int = 1, conditions: Sequence[str] = ()) -> Job:
    started(world, a_job(spec))
    end_pods(world, active_pods(world)[:1], "Failed", code, conditions, ago=3600)
    world.settle()
    return the_job(world)


@pytest.mark.parametrize(
    ("rule", "failed", "reason"),
    [
        pytest.param(a_rule("FailJob", 42), 3, "PodFailurePolicy", id="FailJob"),
        pytest.param(a_rule("Ignore", 42), 0, "", id="Ignore"),
        pytest.param(a_rule("Count", 42), 1, "", id="Count"),
        pytest.param(a_rule("Ignore", 1), 1, "", id="no rule matches"),
        pytest.param(a_rule("Ignore", condition="DisruptionTarget"), 0, "", id="a disruption is ignored"),
    ],
)
def test_the_policy_says_what_a_failure_means(rule: PodFailurePolicyRule, failed: int, reason: str) -> None:
    """KEP-3329. When the Job fails, pods that still run count as failed."""
    spec = a_spec(completions=3, parallelism=3, pod_failure_policy=PodFailurePolicy((rule,)))
    found = _fails(with_a_node(), spec, 42, ["DisruptionTarget"])
    assert found.status.failed == failed
    assert [one.reason for one in found.status.conditions] == ([reason] * 2 if reason else [])


def test_the_message_names_the_container_the_pod_and_the_rule() -> None:
    world = with_a_node()
    policy = PodFailurePolicy((a_rule("Ignore", 7), a_rule("FailJob", 42)))
    found = _fails(world, a_spec(pod_failure_policy=policy), 42)
    name = world.pods()[0].metadata.name
    expected = f"Container c for pod default/{name} failed with exit code 42 matching FailJob rule at index 1"
    assert {one.message for one in found.status.conditions} == {expected}
    assert ("Warning", "PodFailurePolicy", expected) in said(world)


def test_an_index_fails_by_itself() -> None:
    """KEP-3850."""
    world = with_a_node()
    spec = a_spec(completions=2, parallelism=2, completion_mode="Indexed", backoff_limit_per_index=1)
    started(world, a_job(spec))
    for _ in range(2):
        end_pods(
            world, [pod for pod in active_pods(world) if pod.metadata.annotations[INDEX] == "0"], "Failed", ago=3600
        )
        world.settle()
    found = the_job(world)
    assert (found.status.failed_indexes, found.status.failed, found.status.active) == ("0", 2, 1)
    end_pods(world, active_pods(world), "Succeeded")
    world.settle()
    assert conditions_of(the_job(world)) == [(*one, "FailedIndexes") for one in FAILED]


def test_the_successor_of_a_failed_pod_counts_on() -> None:
    world = with_a_node()
    spec = a_spec(completions=1, parallelism=1, completion_mode="Indexed", backoff_limit_per_index=3)
    started(world, a_job(spec))
    end_pods(world, active_pods(world), "Failed")
    world.settle()
    assert active_pods(world) == []
    assert TRACKING in world.pods()[0].metadata.finalizers, "it has to be there until its successor is"
    world.advance(10)
    assert [pod.metadata.annotations[FAILURES] for pod in active_pods(world)] == ["1"]
    assert the_job(world).status.failed == 1


def test_too_many_failed_indexes_fail_the_job() -> None:
    spec = a_spec(
        completions=3,
        parallelism=3,
        completion_mode="Indexed",
        backoff_limit_per_index=0,
        max_failed_indexes=0,
    )
    found = _fails(with_a_node(), spec)
    assert conditions_of(found) == [(*one, "MaxFailedIndexesExceeded") for one in FAILED]


@pytest.mark.parametrize(
    ("rule", "succeeds", "met"),
    [
        pytest.param(SuccessPolicyRule(succeeded_count=1), ["2"], True, id="so many"),
        pytest.param(SuccessPolicyRule(succeeded_indexes="0,2"), ["2"], False, id="not all of them"),
        pytest.param(SuccessPolicyRule(succeeded_indexes="0,2"), ["0", "2"], True, id="all of them"),
        pytest.param(SuccessPolicyRule(1, "0,2"), ["2"], True, id="so many of them"),
        pytest.param(SuccessPolicyRule(1, "0,2"), ["1"], False, id="none of them"),
    ],
)
def test_a_job_may_succeed_before_all_indexes_have(rule: SuccessPolicyRule, succeeds: list[str], met: bool) -> None:
    """KEP-3998."""
    world = with_a_node()
    spec = a_spec(completions=3, parallelism=3, completion_mode="Indexed", success_policy=SuccessPolicy((rule,)))
    started(world, a_job(spec))
    end_pods(world, [pod for pod in world.pods() if pod.metadata.annotations[INDEX] in succeeds], "Succeeded")
    world.settle()
    found = the_job(world)
    assert conditions_of(found) == ([(*one, "SuccessPolicy") for one in COMPLETE] if met else [])
    assert found.status.failed == 0
