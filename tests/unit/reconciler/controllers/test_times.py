"""What a controller does by the clock alone: it wakes up for it by itself, and for nothing in between."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from msgspec import structs

from reconciler.controllers.podstate import active
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.store.changes import UpdateStatus
from schemas import conditions
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import Job, JobSpec
from schemas.core.event import Event
from schemas.core.node import Node, NodeCondition
from schemas.meta import LabelSelector, Object, ObjectMeta, Ref
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.unit.reconciler.controllers.builders import LABELS, deployment, node
from tests.unit.reconciler.controllers.jobs import a_cron_job, a_job, end_pods, job_template
from tests.unit.reconciler.controllers.setbuilders import daemon_set, serve, stateful_set
from tests.unit.reconciler.controllers.world import START, World

ALLOWED = 12
"""Looks while waiting: those that follow from the deed itself, and not one for each second."""


class Counting(World):
    looks = 0

    def step(self, pick: Callable[[Sequence[tuple[str, Ref]]], tuple[str, Ref]] = lambda keys: keys[0]) -> bool:
        done = super().step(pick)
        self.looks += done
        return done


def world(*objects: Object) -> Counting:
    made = Counting(controllers(ControllerSettings()))
    made.create(node("n1"), *objects)
    made.settle()
    return made


def served(*objects: Object) -> Counting:
    made = world(*objects)
    for _ in range(4):
        serve(made, made.pods())
        made.settle()
    return made


def one(made: World, kind: type[Object]) -> Object:
    (found,) = made.cache.list(kind)
    return found


def _available(kind: type[Object]) -> Callable[[World], bool]:
    def check(made: World) -> bool:
        status = one(made, kind).status  # type: ignore[attr-defined]
        return bool(getattr(status, "available_replicas", 0) or getattr(status, "number_available", 0))

    return check


def _rolled_out(made: World) -> bool:
    found = conditions.find(made.get(Deployment, "default", "web").status.conditions, "Progressing")
    return found is None or found.reason != "ProgressDeadlineExceeded"


def _slow() -> Counting:
    found = deployment(1)
    return world(structs.replace(found, spec=structs.replace(found.spec, progress_deadline_seconds=300)))


def _failed_job() -> Counting:
    made = world(a_job(JobSpec(job_template(), backoff_limit=5)))
    end_pods(made, made.pods(), "Failed")
    made.settle()
    return made


def _ended_job() -> Counting:
    made = world(a_job(JobSpec(job_template(), ttl_seconds_after_finished=300)))
    end_pods(made, made.pods(), "Succeeded")
    made.settle()
    return made


def _lost_node() -> Counting:
    made = served(deployment(1), node("n2"), node("n3"))
    told = (NodeCondition("Unknown", "Ready", last_transition_time=made.now),)
    found = made.get(Node, "", "n1")
    made.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=told))),))
    made.settle()
    return made


def _evicted() -> Counting:
    """A budget that waits for a pod which was evicted, and does not end."""
    selector = LabelSelector(match_labels=LABELS)
    metadata = ObjectMeta(name="web", namespace="default")
    made = served(
        deployment(1), PodDisruptionBudget(metadata=metadata, spec=PodDisruptionBudgetSpec(None, 1, selector))
    )
    budget = made.get(PodDisruptionBudget, "default", "web")
    gone = {pod.metadata.name: made.now for pod in made.pods()}
    status = structs.replace(budget.status, disrupted_pods=gone, disruptions_allowed=0)
    made.apply((UpdateStatus(structs.replace(budget, status=status)),))
    made.settle()
    return made


def _disrupted(made: World) -> bool:
    return bool(made.get(PodDisruptionBudget, "default", "web").status.disrupted_pods)


def _active(made: World) -> bool:
    return any(map(active, made.pods()))


RULES = [
    pytest.param(
        lambda: served(deployment(1, min_ready_seconds=300)),
        _available(Deployment),
        300,
        id="Deployment: minReadySeconds",
    ),
    pytest.param(
        lambda: served(deployment(1, min_ready_seconds=300)),
        _available(ReplicaSet),
        300,
        id="ReplicaSet: minReadySeconds",
    ),
    pytest.param(
        lambda: served(stateful_set(1, min_ready_seconds=300)),
        _available(StatefulSet),
        300,
        id="StatefulSet: minReadySeconds",
    ),
    pytest.param(
        lambda: served(daemon_set(min_ready_seconds=300)), _available(DaemonSet), 300, id="DaemonSet: minReadySeconds"
    ),
    pytest.param(_slow, lambda made: not _rolled_out(made), 300, id="Deployment: progressDeadlineSeconds"),
    pytest.param(
        lambda: served(a_job(JobSpec(job_template(), active_deadline_seconds=300))),
        lambda made: not _active(made),
        300,
        id="Job: activeDeadlineSeconds",
    ),
    pytest.param(_failed_job, _active, 10, id="Job: back-off after a failure"),
    pytest.param(_ended_job, lambda made: not made.cache.list(Job), 300, id="Job: ttlSecondsAfterFinished"),
    pytest.param(
        lambda: world(a_cron_job("5 0 * * *", START)),
        lambda made: bool(made.cache.list(Job)),
        300,
        id="CronJob: schedule",
    ),
    pytest.param(
        _lost_node,
        lambda made: any(pod.metadata.deletion_timestamp for pod in made.pods()),
        30,
        id="Node: tolerationSeconds",
    ),
    pytest.param(
        _evicted, lambda made: not _disrupted(made), 121, id="PodDisruptionBudget: an eviction without an end"
    ),
    pytest.param(lambda: world(deployment(1)), lambda made: not made.cache.list(Event), 3600, id="Event: an hour"),
]


@pytest.mark.parametrize(("begin", "holds", "seconds"), RULES)
def test_a_rule_of_time_takes_effect_when_nothing_else_happens(
    begin: Callable[[], Counting], holds: Callable[[World], bool], seconds: int
) -> None:
    made = begin()
    assert not holds(made), "before its time"
    made.looks = 0
    made.advance(max(0, seconds - 2))
    assert made.looks <= ALLOWED, "it looks again and again while it waits"
    assert not holds(made), "before its time"
    made.advance(4)
    assert holds(made), "at its time"
    assert made.now <= START + timedelta(seconds=seconds + 30)
