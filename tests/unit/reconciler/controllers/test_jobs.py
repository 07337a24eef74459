"""Jobs step by step. What a real controller manager does in generated cases is replayed elsewhere."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec import structs

from reconciler.controllers import nodelifecycle
from reconciler.controllers.jobbackoff import ANNOTATION
from reconciler.controllers.jobpods import INDEX, TRACKING
from reconciler.controllers.nodezones import nodezones
from reconciler.provenance import SOURCE
from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from schemas.batch import (
    Job,
    JobSpec,
    JobStatus,
    PodFailurePolicy,
    UncountedTerminatedPods,
)
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import OwnerReference, Ref, ref_of
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.builders import pod as a_pod
from tests.unit.reconciler.controllers.jobs import (
    COMPLETE,
    CONTROLLERS,
    FAILED,
    a_job,
    a_rule,
    a_spec,
    active_pods,
    conditions_of,
    end_pods,
    job_template,
    said,
    started,
    the_job,
    with_a_node,
)
from tests.unit.reconciler.controllers.world import World, make_ready


def _bound(world: World, pods: Sequence[Pod]) -> list[Pod]:
    for pod in pods:
        world.apply((Update(structs.replace(pod, spec=structs.replace(pod.spec, node_name="n1"))),))
    return [world.get(Pod, "default", pod.metadata.name) for pod in pods]


def _edit(world: World, **fields: object) -> None:
    found = the_job(world)
    world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, **fields))),))
    world.settle()


def test_a_job_runs_one_pod_to_its_end() -> None:
    world = with_a_node()
    found = started(world, a_job())
    assert (found.status.active, found.status.start_time) == (1, world.now)
    end_pods(world, active_pods(world), "Succeeded")
    world.settle()
    found = the_job(world)
    assert conditions_of(found) == [(*one, "CompletionsReached") for one in COMPLETE]
    assert (found.status.succeeded, found.status.active, found.status.completion_time) == (1, 0, world.now)
    assert [pod.metadata.finalizers for pod in world.pods()] == [()]
    assert ("Normal", "Completed", "Job completed") in said(world)


def test_a_pod_of_an_indexed_job_knows_its_index() -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode"""
    world = with_a_node()
    started(world, a_job(a_spec(completions=3, parallelism=2, completion_mode="Indexed")))
    first, second = sorted(world.pods(), key=lambda pod: pod.metadata.annotations[INDEX])
    assert first.metadata.generate_name == "work-0-"
    assert second.metadata.labels[INDEX] == second.metadata.annotations[INDEX] == "1"
    assert second.spec.hostname == "work-1"
    variable = second.spec.containers[0].env[0]
    assert variable.name == "JOB_COMPLETION_INDEX"
    assert variable.value_from is not None
    assert variable.value_from.field_ref is not None
    assert variable.value_from.field_ref.field_path == f"metadata.labels['{INDEX}']"
    assert TRACKING in first.metadata.finalizers


def test_the_lowest_missing_indexes_come_first() -> None:
    world = with_a_node()
    started(world, a_job(a_spec(completions=5, parallelism=2, completion_mode="Indexed")))
    end_pods(world, [pod for pod in world.pods() if pod.metadata.annotations[INDEX] == "1"], "Succeeded")
    world.settle()
    assert sorted(pod.metadata.annotations[INDEX] for pod in active_pods(world)) == ["0", "2"]
    assert the_job(world).status.completed_indexes == "1"


def test_a_queue_of_work_ends_when_one_pod_says_so_and_the_others_have_ended() -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#parallel-jobs"""
    world = with_a_node()
    started(world, a_job(a_spec(completions=None, parallelism=3)))
    first, *others = world.pods()
    end_pods(world, [first], "Succeeded")
    world.settle()
    assert (len(active_pods(world)), the_job(world).status.conditions) == (2, ())
    end_pods(world, others, "Succeeded")
    world.settle()
    assert conditions_of(the_job(world))[-1][0] == "Complete"


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [pytest.param(1, 10, id="first"), pytest.param(2, 20, id="doubled"), pytest.param(8, 600, id="at most")],
)
def test_pods_are_replaced_with_growing_delays(failures: int, seconds: int) -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy"""
    world = with_a_node()
    started(world, a_job(a_spec(backoff_limit=10)))
    for turn in range(failures):
        assert len(active_pods(world)) == 1
        end_pods(world, active_pods(world), "Failed")
        world.settle()
        before = world.now
        world.advance(601) if turn + 1 < failures else None
    assert active_pods(world) == []
    world.restart([found for found in (the_job(world), *world.pods())])
    world.settle()
    world.advance(seconds - 1)
    assert active_pods(world) == []
    world.advance(1)
    assert len(active_pods(world)) == 1
    assert world.now - before == timedelta(seconds=seconds)


def test_a_success_begins_the_delays_anew() -> None:
    world = with_a_node()
    started(world, a_job(a_spec(completions=3)))
    end_pods(world, active_pods(world), "Failed")
    world.settle()
    world.advance(10)
    assert the_job(world).metadata.annotations[ANNOTATION].startswith("1 ")
    end_pods(world, active_pods(world), "Succeeded")
    world.settle()
    assert ANNOTATION not in the_job(world).metadata.annotations
    assert len(active_pods(world)) == 1


def test_a_pod_that_vanishes_counts_as_failed_and_is_waited_for() -> None:
    world = with_a_node()
    started(world, a_job())
    world.delete(ref_of(world.pods()[0]), grace_seconds=0)
    world.settle()
    assert (list(world.pods()), the_job(world).status.failed) == ([], 1)
    world.advance(10)
    assert len(active_pods(world)) == 1


def test_a_job_that_takes_too_long_fails_and_ends_its_pods() -> None:
    world = with_a_node()
    started(world, a_job(a_spec(active_deadline_seconds=30)))
    world.advance(29)
    assert len(active_pods(world)) == 1
    world.advance(1)
    assert (list(world.pods()), conditions_of(the_job(world))) == ([], [(*one, "DeadlineExceeded") for one in FAILED])


def test_a_job_has_failed_only_when_none_of_its_pods_runs_any_more() -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#termination-of-job-pods"""
    world = with_a_node()
    started(world, a_job(a_spec(active_deadline_seconds=30)))
    make_ready(world, _bound(world, world.pods()))
    world.advance(30)
    assert [one[0] for one in conditions_of(the_job(world))] == ["FailureTarget"]
    world.delete(ref_of(world.pods()[0]), grace_seconds=0)
    world.settle()
    assert [one[0] for one in conditions_of(the_job(world))] == ["FailureTarget", "Failed"]


def test_restarts_in_place_count_against_the_limit() -> None:
    world = with_a_node()
    started(world, a_job(structs.replace(JobSpec(job_template("OnFailure")), backoff_limit=2)))
    pod = world.pods()[0]
    end_pods(world, [pod], "Running")
    told = world.get(Pod, "default", pod.metadata.name)
    restarted = structs.replace(told.status.container_statuses[0], restart_count=2)
    world.apply(
        (UpdateStatus(structs.replace(told, status=structs.replace(told.status, container_statuses=(restarted,)))),)
    )
    world.settle()
    assert conditions_of(the_job(world)) == [(*one, "BackoffLimitExceeded") for one in FAILED]


def test_a_suspended_job_has_no_pods_and_its_time_does_not_run() -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job"""
    world = with_a_node()
    started(world, a_job(a_spec(completions=2, parallelism=2, active_deadline_seconds=60)))
    _edit(world, suspend=True)
    found = the_job(world)
    assert (list(world.pods()), found.status.start_time, found.status.failed) == ([], None, 0)
    assert conditions_of(found) == [("Suspended", "True", "JobSuspended")]
    world.advance(100)
    _edit(world, suspend=False)
    found = the_job(world)
    assert conditions_of(found) == [("Suspended", "False", "JobResumed")]
    assert (found.status.start_time, len(active_pods(world))) == (world.now, 2)
    assert {one[1:] for one in said(world) if one[1] in ("Suspended", "Resumed")} == {
        ("Suspended", "Job suspended"),
        ("Resumed", "Job resumed"),
    }


@pytest.mark.parametrize(
    ("policy", "made"), [pytest.param("TerminatingOrFailed", 1, id="at once"), pytest.param("Failed", 0, id="waits")]
)
def test_a_pod_that_is_told_to_end_is_replaced_as_the_policy_says(policy: str, made: int) -> None:
    """KEP-3939."""
    world = with_a_node()
    started(world, a_job(a_spec(pod_replacement_policy=policy)))
    bound = _bound(world, world.pods())
    world.delete(ref_of(bound[0]))
    world.settle()
    world.advance(10)
    found = the_job(world)
    assert (len(active_pods(world)), found.status.terminating, found.status.failed) == (made, 1, made)


def test_scaling_down_counts_nobody_as_failed() -> None:
    world = with_a_node()
    started(world, a_job(a_spec(completions=4, parallelism=4)))
    _edit(world, parallelism=1)
    found = the_job(world)
    assert (found.status.active, found.status.failed, len(world.pods())) == (1, 0, 1)


def test_a_job_that_somebody_else_runs_is_left_alone() -> None:
    world = with_a_node()
    found = started(world, a_job(a_spec(managed_by="example.com/queue")))
    assert (list(world.pods()), found.status) == ([], JobStatus())


def test_what_a_status_of_elsewhere_has_not_counted_yet_is_counted_once() -> None:
    world = with_a_node()
    found = started(world, a_job(a_spec(completions=5, parallelism=2)))
    first = world.pods()[0]
    end_pods(world, [first], "Succeeded")
    uncounted = UncountedTerminatedPods(succeeded=(first.metadata.uid, "gone"))
    world.apply(
        (
            UpdateStatus(
                structs.replace(found, status=structs.replace(found.status, uncounted_terminated_pods=uncounted))
            ),
        )
    )
    world.settle()
    found = the_job(world)
    assert (found.status.succeeded, found.status.uncounted_terminated_pods) == (2, UncountedTerminatedPods())


def test_the_pods_of_a_deleted_job_can_go() -> None:
    world = with_a_node()
    started(world, a_job())
    world.apply((Delete(Ref("Job", "default", "work")),))
    world.settle()
    assert not world.pods()


def test_a_pod_that_matches_is_adopted_and_counted() -> None:
    world = with_a_node()
    found = started(world, a_job(a_spec(completions=2, parallelism=1)))
    assert found.spec.selector is not None
    world.create(a_pod("stray", labels=dict(found.spec.selector.match_labels)))
    world.settle()
    assert len(active_pods(world)) == 1, "one of the two is too many"
    stray = [pod for pod in world.pods() if pod.metadata.name == "stray"]
    assert all(pod.metadata.owner_references[0].uid == found.metadata.uid for pod in stray)


def test_a_finalizer_that_no_job_will_take_off_goes() -> None:
    world = with_a_node()
    owner = OwnerReference("batch/v1", "Job", "gone", "made-up", controller=True)
    stray = a_pod("stray", owner=owner)
    tracked = structs.replace(stray, metadata=structs.replace(stray.metadata, finalizers=(TRACKING,)))
    world.apply((Create(tracked),))
    world.settle()
    assert all(TRACKING not in pod.metadata.finalizers for pod in world.pods())


def test_pods_of_a_node_that_is_gone_for_good_are_disruptions() -> None:
    """Pod garbage collection tells it, so that a policy can ignore it."""
    world = with_a_node()
    policy = PodFailurePolicy((a_rule("Ignore", condition="DisruptionTarget"),))
    started(world, a_job(a_spec(backoff_limit=0, pod_failure_policy=policy)))
    make_ready(world, _bound(world, world.pods()))
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    found = the_job(world)
    assert (found.status.failed, found.status.conditions) == (0, ())
    world.advance(10)
    assert len(active_pods(world)) == 1


def test_a_job_is_deleted_when_its_time_after_the_end_is_over() -> None:
    """https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/"""
    world = with_a_node()
    started(world, a_job(a_spec(ttl_seconds_after_finished=60)))
    end_pods(world, active_pods(world), "Succeeded")
    world.settle()
    world.advance(59)
    assert len(world.cache.list(Job)) == 1
    world.advance(1)
    assert not world.cache.list(Job)
    assert not world.pods()


def test_a_job_that_the_folder_declares_stays_as_the_record_that_it_has_run() -> None:
    """Were it deleted, the folder would make it again, and it would run again."""
    world = with_a_node()
    declared = a_job(a_spec(ttl_seconds_after_finished=60))
    started(world, structs.replace(declared, metadata=structs.replace(declared.metadata, annotations={SOURCE: "a:1"})))
    end_pods(world, active_pods(world), "Succeeded")
    world.settle()
    world.advance(60)
    assert conditions_of(the_job(world))[-1][0] == "Complete"
    assert not world.pods()
    commits = world.commits
    world.restart([the_job(world)])
    world.settle()
    assert world.commits == commits


def test_a_pod_evicted_from_a_node_that_is_away_is_replaced() -> None:
    """Its end is never reported. A policy can tell it from a failure of its own by the condition."""
    world = World((*CONTROLLERS, nodelifecycle.CONTROLLER, nodezones()))
    world.create(node("n1"), node("other"))
    started(world, a_job(a_spec(backoff_limit=1)))
    make_ready(world, _bound(world, world.pods()))
    away = structs.replace(node("n1", ready="Unknown"), metadata=world.get(Node, "", "n1").metadata)
    world.apply((UpdateStatus(away),))
    world.settle()
    world.advance(3600)
    lost = [pod for pod in world.pods() if pod.metadata.deletion_timestamp is not None]
    assert [one.reason for pod in lost for one in pod.status.conditions if one.type == "DisruptionTarget"] == [
        "DeletionByTaintManager"
    ]
    assert (len(active_pods(world)), the_job(world).status.failed) == (1, 1)


@pytest.mark.parametrize("seconds", [pytest.param(19, id="not yet"), pytest.param(20, id="then")])
def test_a_pod_that_was_to_end_before_it_had_a_node_fails_in_the_end(seconds: int) -> None:
    """A Job that waits for failed pods alone would else wait for ever."""
    world = with_a_node()
    started(world, a_job(a_spec(pod_replacement_policy="Failed", backoff_limit=0)))
    world.delete(ref_of(world.pods()[0]))
    world.settle()
    assert the_job(world).status.terminating == 1
    world.advance(seconds)
    assert [one[0] for one in conditions_of(the_job(world))] == (["FailureTarget", "Failed"] if seconds == 20 else [])
