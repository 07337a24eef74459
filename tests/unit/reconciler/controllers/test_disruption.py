"""How many pods may be taken away: https://kubernetes.io/docs/tasks/run-application/configure-pdb/."""

from datetime import timedelta

import pytest
from msgspec import structs

from reconciler.controllers import deployment, disruption, replicaset
from reconciler.store.changes import Update, UpdateStatus
from schemas.apps import Deployment
from schemas.core.event import Event
from schemas.meta import LabelSelector, ObjectMeta, OwnerReference, Ref
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.world import World, make_ready

LABELS = builders.LABELS


def budget(*, least: int | str | None = None, missing: int | str | None = None) -> PodDisruptionBudget:
    selector = LabelSelector(match_labels=LABELS)
    spec = PodDisruptionBudgetSpec(max_unavailable=missing, min_available=least, selector=selector)
    return PodDisruptionBudget(metadata=ObjectMeta(name="b", namespace="default"), spec=spec)


def world_with(replicas: int, ready: int, asked: PodDisruptionBudget) -> World:
    world = World((deployment.CONTROLLER, replicaset.CONTROLLER, disruption.CONTROLLER))
    world.create(builders.deployment(replicas, unavailable="50%"))
    world.settle()
    make_ready(world, world.pods()[:ready])
    world.create(asked)
    world.settle()
    return world


def status(world: World) -> tuple[int, int, int, int]:
    found = world.get(PodDisruptionBudget, "default", "b").status
    return (found.expected_pods, found.desired_healthy, found.current_healthy, found.disruptions_allowed)


@pytest.mark.parametrize(
    ("asked", "ready", "expected"),
    [
        pytest.param(budget(missing=1), 7, (7, 6, 7, 1), id="maxUnavailable"),
        pytest.param(budget(missing="30%"), 7, (7, 4, 7, 3), id="maxUnavailable: a percentage rounds up"),
        pytest.param(budget(least="50%"), 7, (7, 4, 7, 3), id="minAvailable: a percentage rounds up"),
        pytest.param(budget(least=5), 7, (7, 5, 7, 2), id="minAvailable"),
        pytest.param(budget(least=5), 4, (7, 5, 4, 0), id="never below nothing"),
        pytest.param(budget(missing=9), 7, (7, 0, 7, 7), id="more may be missing than there are"),
        pytest.param(budget(), 7, (0, 0, 7, 0), id="neither"),
    ],
)
def test_what_a_budget_allows(asked: PodDisruptionBudget, ready: int, expected: tuple[int, int, int, int]) -> None:
    assert status(world_with(7, ready, asked)) == expected


def test_a_percentage_follows_the_scale_of_the_controller() -> None:
    world = world_with(4, 4, budget(missing="50%"))
    found = world.get(PodDisruptionBudget, "default", "b")
    assert found.status.conditions[0].reason == "SufficientPods"
    world.apply((scaled_to(world, 8),))
    world.settle()
    assert status(world) == (8, 4, 4, 0)


def scaled_to(world: World, replicas: int) -> Update:
    found = world.get(Deployment, "default", "web")
    return Update(structs.replace(found, spec=structs.replace(found.spec, replicas=replicas)))


def test_what_was_evicted_counts_as_gone_for_two_minutes() -> None:
    world = world_with(4, 4, budget(least=2))
    found = world.get(PodDisruptionBudget, "default", "b")
    name = world.pods()[0].metadata.name
    taken = structs.replace(found.status, disrupted_pods={name: world.now}, disruptions_allowed=1)
    world.apply((UpdateStatus(structs.replace(found, status=taken)),))
    world.settle()
    assert status(world) == (4, 2, 3, 1)
    world.advance(disruption.DELETION_LIMIT.total_seconds() - 1)
    assert status(world) == (4, 2, 3, 1)
    world.advance(timedelta(seconds=3).total_seconds())
    assert status(world) == (4, 2, 4, 2)
    assert any(event.reason == "NotDeleted" for event in world.cache.list(Event))


def test_pods_without_a_controller_count_for_nothing_but_a_number() -> None:
    world = World((disruption.CONTROLLER,))
    world.create(*(builders.pod(f"p{number}", labels=LABELS) for number in range(3)))
    make_ready(world, world.pods())
    world.create(budget(missing=1))
    world.settle()
    assert status(world) == (0, 0, 3, 0)
    assert any(event.reason == "UnmanagedPods" for event in world.cache.list(Event))


def test_where_the_number_of_pods_cannot_be_told_nothing_is_allowed() -> None:
    world = World((disruption.CONTROLLER,))
    owner = OwnerReference("batch/v1", "Gone", "g", "uid-gone", controller=True)
    world.create(builders.pod("p", labels=LABELS, owner=owner), budget(missing=1))
    world.settle()
    condition = world.get(PodDisruptionBudget, "default", "b").status.conditions[0]
    assert (condition.status, condition.reason) == ("False", "SyncFailed")
    assert condition.message == 'found no controllers for pod "p"'


def test_a_second_look_writes_nothing() -> None:
    world = world_with(4, 3, budget(missing=1))
    before = world.commits
    assert disruption.reconcile(Ref("PodDisruptionBudget", "default", "b"), world.cache, world.now).changes == ()
    assert world.commits == before


def test_a_budget_of_no_pods_says_so_with_each_look() -> None:
    world = World((disruption.CONTROLLER,))
    world.create(budget(missing=1))
    world.settle()
    (said,) = world.cache.list(Event)
    assert (said.reason, said.count) == ("NoPods", 2)  # for the budget, and for its first status
    world.settle()
    assert [one.count for one in world.cache.list(Event)] == [2]
