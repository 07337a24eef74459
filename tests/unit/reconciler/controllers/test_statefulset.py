"""StatefulSets: names, order, claims and history."""

import pytest
from msgspec import structs

from reconciler.controllers import garbagecollector, statefulset
from reconciler.controllers.podstate import ready
from reconciler.controllers.volumes import protection
from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from schemas.apps import ControllerRevision, StatefulSet
from schemas.core.event import Event
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import ResourceQuota, ResourceQuotaSpec
from schemas.meta import ObjectMeta, Ref, controller_of, ref_of
from tests.unit.reconciler.controllers.builders import pod
from tests.unit.reconciler.controllers.setbuilders import (
    LABELS,
    assert_at_rest,
    converge,
    edit,
    image_of,
    names,
    serve,
    stateful_set,
    unready,
)
from tests.unit.reconciler.controllers.world import World, remove_terminating, with_phase


def with_set(made: StatefulSet, *, at_rest: bool = True) -> World:
    world = World((statefulset.CONTROLLER, garbagecollector.CONTROLLER, protection.CLAIMS))
    world.create(made)
    converge(world) if at_rest else world.settle()
    return world


def status(world: World) -> tuple[int, int, int]:
    found = world.get(StatefulSet, "default", "db").status
    return found.replicas, found.ready_replicas, found.updated_replicas


def test_pods_come_one_after_the_other_and_go_in_reverse() -> None:
    world = with_set(stateful_set(3), at_rest=False)
    assert names(world.pods()) == ["db-0"]
    serve(world, unready(world))
    world.settle()
    assert names(world.pods()) == ["db-0", "db-1"]
    converge(world)
    assert status(world) == (3, 3, 3)
    edit(world, StatefulSet, replicas=1)
    world.settle()
    assert [one.metadata.name for one in world.pods() if one.metadata.deletion_timestamp] == ["db-2"]
    remove_terminating(world)
    world.settle()
    assert [one.metadata.name for one in world.pods() if one.metadata.deletion_timestamp] == ["db-1"]
    converge(world)
    assert status(world) == (1, 1, 1)
    assert_at_rest(world)


def test_parallel_waits_for_nobody() -> None:
    world = with_set(stateful_set(4, parallel=True), at_rest=False)
    assert names(world.pods()) == ["db-0", "db-1", "db-2", "db-3"]
    edit(world, StatefulSet, replicas=1)
    world.settle()
    assert names(world.pods()) == ["db-0"]


def test_a_pod_is_known_by_its_name() -> None:
    world = with_set(stateful_set(2, start=5), at_rest=False)
    first = world.get(Pod, "default", "db-5")
    assert first.spec.hostname == "db-5"
    assert first.spec.subdomain == "db"
    assert first.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-5"
    assert first.metadata.labels["apps.kubernetes.io/pod-index"] == "5"
    revision = world.cache.list(ControllerRevision)[0].metadata.name
    assert first.metadata.labels["controller-revision-hash"] == revision


def test_an_update_goes_from_the_highest_down_to_the_partition() -> None:
    world = with_set(stateful_set(3, partition=1))
    edit(world, StatefulSet, image="db:2")
    world.settle()
    assert [one.metadata.name for one in world.pods() if one.metadata.deletion_timestamp] == ["db-2"]
    converge(world)
    assert [image_of(one) for one in world.pods()] == ["db:1", "db:2", "db:2"]
    world.delete(Ref("Pod", "default", "db-0"), grace_seconds=0)
    converge(world)
    assert image_of(world.get(Pod, "default", "db-0")) == "db:1", "what is below the partition stays as it was"
    assert_at_rest(world)


def test_with_on_delete_only_what_is_deleted_is_updated() -> None:
    world = with_set(stateful_set(2, on_delete=True))
    edit(world, StatefulSet, image="db:2")
    converge(world)
    assert {image_of(one) for one in world.pods()} == {"db:1"}
    world.delete(Ref("Pod", "default", "db-0"))
    converge(world)
    assert [image_of(one) for one in world.pods()] == ["db:2", "db:1"]


@pytest.mark.parametrize(
    ("parallel", "image"), [pytest.param(False, "db:2", id="in order"), pytest.param(True, "db:3", id="parallel")]
)
def test_a_pod_of_a_broken_revision_holds_up_its_repair_unless_in_parallel(parallel: bool, image: str) -> None:
    """Kubernetes' own: with OrderedReady the broken pod has to be deleted by hand."""
    world = with_set(stateful_set(2, parallel=parallel))
    edit(world, StatefulSet, image="db:2")
    world.settle()
    remove_terminating(world)
    world.settle()  # db-1 is of db:2 now, and never becomes ready
    edit(world, StatefulSet, image="db:3")
    world.settle()
    remove_terminating(world)
    world.settle()
    assert image_of(world.get(Pod, "default", "db-1")) == image


def test_a_failed_pod_is_made_anew_under_its_name() -> None:
    world = with_set(stateful_set(2))
    before = world.get(Pod, "default", "db-0")
    world.apply((UpdateStatus(with_phase(before, "Failed", world.now)),))
    converge(world)
    after = world.get(Pod, "default", "db-0")
    assert ready(after)
    assert after.metadata.uid != before.metadata.uid


def test_history_is_kept_within_its_limit_and_a_state_that_returns_gets_the_next_number() -> None:
    world = with_set(stateful_set(1, history=1))
    for image in ("db:2", "db:3", "db:1"):
        edit(world, StatefulSet, image=image)
        converge(world)
    revisions = {one.revision: one for one in world.cache.list(ControllerRevision)}
    assert sorted(revisions) == [3, 4]
    data = revisions[4].data
    assert data is not None
    template = data["spec"]["template"]
    assert template["$patch"] == "replace"
    assert template["spec"]["containers"][0]["image"] == "db:1"
    assert_at_rest(world)


def test_a_name_that_is_taken_is_counted_as_a_collision() -> None:
    world = with_set(stateful_set(1))
    taken = world.cache.list(ControllerRevision)[0]
    world.delete(ref_of(taken))
    stranger = ControllerRevision(
        metadata=ObjectMeta(name=taken.metadata.name, namespace="default"), revision=1, data={"x": 1}
    )
    world.delete(Ref("StatefulSet", "default", "db"))
    converge(world)
    world.create(stranger, stateful_set(1))
    converge(world)
    assert world.get(StatefulSet, "default", "db").status.collision_count == 1
    assert status(world) == (1, 1, 1)


def test_each_pod_mounts_claims_of_its_own() -> None:
    world = with_set(stateful_set(2, claims=("data",)))
    assert names_of_claims(world) == ["data-db-0", "data-db-1"]
    volume = world.get(Pod, "default", "db-1").spec.volumes[0]
    assert volume.name == "data"
    assert volume.persistent_volume_claim is not None
    assert volume.persistent_volume_claim.claim_name == "data-db-1"


def names_of_claims(world: World) -> list[str]:
    return [one.metadata.name for one in world.cache.list(PersistentVolumeClaim)]


@pytest.mark.parametrize(
    ("deleted", "scaled", "after_scaling", "after_deletion"),
    [
        pytest.param("Retain", "Retain", 2, 2, id="kept"),
        pytest.param("Delete", "Retain", 2, 0, id="with the set"),
        pytest.param("Retain", "Delete", 1, 1, id="with the pod"),
        pytest.param("Delete", "Delete", 1, 0, id="with either"),
    ],
)
def test_claims_go_as_the_retention_policy_says(
    deleted: str, scaled: str, after_scaling: int, after_deletion: int
) -> None:
    world = with_set(stateful_set(2, claims=("data",), retention=(deleted, scaled)))
    edit(world, StatefulSet, replicas=1)
    converge(world)
    assert len(names_of_claims(world)) == after_scaling
    world.delete(Ref("StatefulSet", "default", "db"))
    converge(world)
    assert world.pods() == ()
    assert len(names_of_claims(world)) == after_deletion


def test_a_pod_waits_until_a_claim_that_is_going_has_gone() -> None:
    world = with_set(stateful_set(1, claims=("data",)))
    claim = world.get(PersistentVolumeClaim, "default", "data-db-0")
    held = structs.replace(claim, metadata=structs.replace(claim.metadata, finalizers=("example.com/held",)))
    world.apply((Update(held), Delete(ref_of(claim)), Delete(Ref("Pod", "default", "db-0"), grace_seconds=0)))
    world.settle()
    assert world.pods() == ()
    claim = world.get(PersistentVolumeClaim, "default", "data-db-0")
    world.apply((Update(structs.replace(claim, metadata=structs.replace(claim.metadata, finalizers=()))),))
    converge(world)
    assert status(world) == (1, 1, 1)
    assert names_of_claims(world) == ["data-db-0"]


def test_an_orphan_that_has_ended_is_adopted_too_and_makes_way_for_a_new_pod() -> None:
    world = World((statefulset.CONTROLLER,))
    ended = with_phase(pod("db-0", node="n1", labels=LABELS), "Failed", world.now)
    world.create(ended)
    world.apply((UpdateStatus(ended),))
    world.create(stateful_set(1))
    world.settle()
    remove_terminating(world)
    world.settle()
    (made,) = world.pods()
    assert controller_of(made) is not None
    assert made.status.phase != "Failed"


def test_an_orphan_of_its_name_is_adopted_and_a_pod_with_other_labels_let_go() -> None:
    world = World((statefulset.CONTROLLER, garbagecollector.CONTROLLER))
    world.create(pod("db-0", labels=LABELS), pod("other-0", labels=LABELS), stateful_set(1))
    converge(world)
    adopted = world.get(Pod, "default", "db-0")
    assert controller_of(adopted) is not None
    assert adopted.metadata.labels["apps.kubernetes.io/pod-index"] == "0"
    assert controller_of(world.get(Pod, "default", "other-0")) is None
    released = structs.replace(adopted, metadata=structs.replace(adopted.metadata, labels={"app": "else"}))
    world.apply((Update(released),))
    world.settle()
    assert controller_of(world.get(Pod, "default", "db-0")) is None
    told = [one.message for one in world.cache.list(Event) if one.reason == "FailedCreate"]
    assert told == ['Create Pod db-0 in StatefulSet db failed error: pods "db-0" already exists']


def test_a_pod_that_admission_refuses_is_told_and_asked_for_later() -> None:
    world = World((statefulset.CONTROLLER, garbagecollector.CONTROLLER))
    quota = ResourceQuota(
        metadata=ObjectMeta(name="q", namespace="default"), spec=ResourceQuotaSpec(hard={"pods": "1"})
    )
    world.create(quota)
    world.apply((Create(stateful_set(2, parallel=True)),))
    world.settle()
    assert names(world.pods()) == ["db-0"]
    told = [one.message for one in world.cache.list(Event) if one.reason == "FailedCreate"]
    assert len(told) == 1
    assert "exceeded quota" in told[0]
    world.delete(ref_of(quota))
    world.advance(60)
    assert names(world.pods()) == ["db-0", "db-1"]


def test_pods_count_as_available_when_their_time_has_come() -> None:
    world = with_set(stateful_set(2, min_ready_seconds=10), at_rest=False)
    serve(world, unready(world))
    world.settle()
    assert names(world.pods()) == ["db-0"], "the next waits until the first is available"
    world.advance(10)
    assert names(world.pods()) == ["db-0", "db-1"]
