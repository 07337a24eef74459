"""What becomes of one change, as the Kubernetes API server would have it."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from reconciler.store.cache import Cache
from reconciler.store.changes import (
    AlreadyExists,
    Change,
    ChangeError,
    Conflict,
    Create,
    Delete,
    Emit,
    NotFound,
    Update,
    UpdateStatus,
)
from reconciler.store.planning import Planned, plan
from reconciler.store.view import View
from schemas.apps import Deployment, DeploymentStatus
from schemas.core.event import Event
from schemas.core.node import NodeSpec
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.core.podstatus import PodStatus
from schemas.core.replication import PodTemplate
from schemas.discovery import EndpointSlice
from schemas.meta import Object, ObjectMeta, Ref, ref_of
from schemas.scheduling import PriorityClass
from tests.unit.reconciler.store.objects import (
    NOW,
    config,
    counting_mint,
    deployment,
    namespace,
    node,
    owner,
    pod,
    replica_set,
)

LATER = NOW + timedelta(minutes=1)
IN_SHOP = ObjectMeta(name="web", namespace="shop")


def unchanged(object_: Object, view: View) -> Object:
    return object_


def planned(change: Change, *present: Object, now: datetime = LATER) -> Planned:
    view = Cache()
    view.load(present)
    return plan(change, view, now, counting_mint(), unchanged)


def stored(object_: Object, **metadata: object) -> Object:
    """The object as a Create has left it, with the metadata changed."""
    ((_, made),) = planned(Create(object_), now=NOW).writes
    assert made is not None
    return replace(made, metadata=replace(made.metadata, resource_version="5", **metadata))


def written(change: Change, *present: Object) -> Object:
    """The one object that the change writes."""
    ((ref, object_),) = planned(change, *present).writes
    assert object_ is not None
    assert ref == ref_of(object_)
    return object_


# Create


def test_a_created_object_is_stamped() -> None:
    made = written(Create(pod("web", uid="mine", resource_version="3", generation=9, deletion_timestamp=NOW)))
    metadata = made.metadata
    assert (metadata.uid, metadata.generation, metadata.resource_version) == ("uid-1", 1, "")
    assert (metadata.creation_timestamp, metadata.deletion_timestamp) == (LATER, None)


@pytest.mark.parametrize(
    ("object_", "generation"),
    [
        pytest.param(deployment("web"), 1, id="Deployment"),
        pytest.param(pod("web"), 1, id="Pod"),
        pytest.param(config("web"), 0, id="ConfigMap"),
        pytest.param(node("pi"), 0, id="Node"),
        pytest.param(namespace("shop"), 0, id="Namespace"),
        pytest.param(EndpointSlice(address_type="IPv4", metadata=IN_SHOP), 1, id="EndpointSlice"),
        pytest.param(PodTemplate(metadata=IN_SHOP), 1, id="PodTemplate"),
        pytest.param(PriorityClass(metadata=ObjectMeta(name="high")), 1, id="PriorityClass"),
    ],
)
def test_a_generation_is_counted_where_kubernetes_counts_it(object_: Object, generation: int) -> None:
    assert written(Create(object_)).metadata.generation == generation


def test_a_name_is_generated_that_is_free() -> None:
    assert written(Create(pod("", generate_name="web-")), pod("web-bbbbb")).metadata.name == "web-bbbbc"
    assert written(Create(pod("", generate_name="w" * 70))).metadata.name == "w" * 58 + "bbbbb"


def test_when_all_tries_for_a_name_fail_it_says_so() -> None:
    taken = [pod(f"web-bbbb{letter}") for letter in "bcdfghjklm"]
    with pytest.raises(AlreadyExists, match="try again"):
        planned(Create(pod("", generate_name="web-")), *taken)


@pytest.mark.parametrize(
    ("object_", "words"),
    [
        pytest.param(pod(""), "metadata.name or metadata.generateName", id="no name"),
        pytest.param(pod("web", namespace=""), "needs a metadata.namespace", id="no namespace"),
        pytest.param(replace(node("pi"), metadata=config("pi").metadata), "takes no metadata.namespace", id="in one"),
        pytest.param(Object(api_version="v1", kind="Gadget"), "not served", id="unknown kind"),
    ],
)
def test_what_cannot_be_placed_is_refused(object_: Object, words: str) -> None:
    with pytest.raises(ChangeError, match=words):
        planned(Create(object_))


def test_an_object_of_that_name_is_not_replaced() -> None:
    with pytest.raises(AlreadyExists) as caught:
        planned(Create(pod("web")), pod("web"))
    assert caught.value.ref == Ref("Pod", "shop", "web")


def test_admission_sees_the_stamped_object_and_completes_it() -> None:
    def admit(object_: Object, view: View) -> Object:
        assert object_.metadata.uid
        return replace(object_, status=PodStatus(phase="Pending"))

    ((_, made),) = plan(Create(pod("web")), Cache(), NOW, counting_mint(), admit).writes
    assert isinstance(made, Pod)
    assert made.status.phase == "Pending"


# Update


def test_an_update_keeps_status_and_identity_and_counts_the_generation() -> None:
    old = replace(stored(deployment("web"), generation=3), status=DeploymentStatus(replicas=7))
    new = written(Update(deployment("web", replicas=2)), old)
    assert isinstance(new, Deployment)
    assert (new.spec.replicas, new.status.replicas) == (2, 7)
    assert (new.metadata.uid, new.metadata.creation_timestamp, new.metadata.generation) == ("uid-1", NOW, 4)


def test_metadata_and_status_alone_do_not_count_as_a_new_generation() -> None:
    old = stored(deployment("web"))
    relabelled = replace(deployment("web"), metadata=replace(old.metadata, labels={"tier": "front"}))
    new = written(Update(replace(relabelled, status=DeploymentStatus(replicas=7))), old)
    assert isinstance(new, Deployment)
    assert (new.metadata.labels, new.metadata.generation, new.status.replicas) == ({"tier": "front"}, 1, 0)


def test_kinds_without_a_counted_generation_stay_without_one() -> None:
    assert written(Update(config("c", {"a": "2"})), stored(config("c", {"a": "1"}))).metadata.generation == 0
    cordoned = replace(node("pi"), spec=NodeSpec(unschedulable=True))
    assert written(Update(cordoned), stored(node("pi"))).metadata.generation == 0


def test_a_kind_without_a_spec_may_count_its_generation() -> None:
    template = PodTemplate(metadata=IN_SHOP)
    other = replace(template, template=PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web"})))
    assert written(Update(other), stored(template)).metadata.generation == 2
    high = PriorityClass(metadata=ObjectMeta(name="high"), value=5)
    assert written(Update(replace(high, description="first")), stored(high)).metadata.generation == 1


def test_binding_a_pod_is_no_new_generation_but_any_other_change_is() -> None:
    assert written(Update(pod("web", node="pi")), stored(pod("web"))).metadata.generation == 1
    assert written(Update(pod("web", node="pi", grace=5)), stored(pod("web"))).metadata.generation == 2


def test_an_update_of_nothing_writes_nothing() -> None:
    old = stored(deployment("web"))
    assert planned(Update(old), old) == Planned(ref_of(old), ())
    assert planned(Update(deployment("web")), old).writes == ()


@pytest.mark.parametrize("change", [pytest.param(Update, id="update"), pytest.param(UpdateStatus, id="status")])
def test_a_writer_that_saw_another_version_or_another_object_is_refused(
    change: type[Update] | type[UpdateStatus],
) -> None:
    old = stored(pod("web"))
    planned(change(replace(pod("web"), metadata=old.metadata)), old)
    with pytest.raises(Conflict, match="the object has been modified"):
        planned(change(pod("web", resource_version="4")), old)
    with pytest.raises(Conflict, match="UID in precondition: other, UID in object meta: uid-1"):
        planned(change(pod("web", uid="other")), old)
    with pytest.raises(NotFound):
        planned(change(pod("other")), old)


def test_taking_off_the_last_finalizer_of_a_deleted_object_removes_it() -> None:
    deleted = stored(config("c"), finalizers=("a", "b"), deletion_timestamp=NOW, deletion_grace_period_seconds=0)
    one_less = written(Update(config("c", finalizers=("b",))), deleted)
    assert one_less.metadata.deletion_timestamp == NOW
    assert planned(Update(config("c")), deleted).writes == ((ref_of(deleted), None),)


def test_an_update_does_not_remove_a_pod_that_is_still_given_time() -> None:
    ending = stored(pod("web", node="pi"), deletion_timestamp=LATER, deletion_grace_period_seconds=30)
    assert (
        written(Update(pod("web", node="pi", labels={"a": "b"})), ending).metadata.deletion_grace_period_seconds == 30
    )


def test_a_deleted_object_takes_no_new_finalizer() -> None:
    deleted = stored(config("c"), finalizers=("a",), deletion_timestamp=NOW, deletion_grace_period_seconds=0)
    with pytest.raises(ChangeError, match="no new finalizers can be added"):
        planned(Update(config("c", finalizers=("a", "b"))), deleted)


# UpdateStatus


def test_a_status_update_takes_the_status_alone() -> None:
    old = stored(pod("web"))
    reported = pod("web", node="elsewhere", phase="Running", labels={"a": "b"})
    change = planned(UpdateStatus(reported, durable=False), old)
    assert change.writes == ((ref_of(old), replace(old, status=PodStatus(phase="Running"))),)
    assert not change.durable


def test_a_status_that_is_there_already_writes_nothing() -> None:
    old = stored(pod("web", phase="Running"))
    assert planned(UpdateStatus(pod("web", phase="Running")), old).writes == ()


def test_a_kind_without_status_has_none_to_update() -> None:
    with pytest.raises(ChangeError, match="has no status"):
        planned(UpdateStatus(config("c")), stored(config("c")))


# Delete


def delete(object_: Object, **more: object) -> Delete:
    return Delete(ref_of(object_), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("object_", "grace"),
    [
        pytest.param(config("c"), None, id="ConfigMap"),
        pytest.param(deployment("web"), 30, id="Deployment, whatever the grace"),
        pytest.param(pod("web"), None, id="pod not bound"),
        pytest.param(pod("web", node="pi", phase="Succeeded"), None, id="pod that has succeeded"),
        pytest.param(pod("web", node="pi", phase="Failed"), 30, id="pod that has failed"),
        pytest.param(pod("web", node="pi"), 0, id="pod without grace"),
        pytest.param(pod("web", node="pi", grace=0), None, id="pod that asks for no grace"),
        pytest.param(namespace("shop"), None, id="Namespace without finalizer"),
    ],
)
def test_what_need_not_wait_is_removed_at_once(object_: Object, grace: int | None) -> None:
    old = stored(object_)
    assert planned(delete(old, grace_seconds=grace), old).writes == ((ref_of(old), None),)


@pytest.mark.parametrize(
    ("own", "asked", "given"),
    [
        pytest.param(None, None, 30, id="default"),
        pytest.param(7, None, 7, id="its own"),
        pytest.param(7, 60, 60, id="asked for more"),
        pytest.param(7, -5, 1, id="negative"),
    ],
)
def test_a_bound_pod_is_given_its_grace_period(own: int | None, asked: int | None, given: int) -> None:
    old = stored(pod("web", node="pi", grace=own))
    metadata = written(delete(old, grace_seconds=asked), old).metadata
    assert metadata.deletion_timestamp == LATER + timedelta(seconds=given)
    assert (metadata.deletion_grace_period_seconds, metadata.generation) == (given, 2)


def test_a_further_delete_may_only_shorten_the_grace() -> None:
    old = stored(pod("web", node="pi"))
    ending = written(delete(old), old)
    for grace in (None, 30, 60):
        assert planned(delete(old, grace_seconds=grace), ending).writes == ()
    metadata = written(delete(old, grace_seconds=10), ending).metadata
    assert metadata.deletion_timestamp == LATER + timedelta(seconds=10)
    assert (metadata.deletion_grace_period_seconds, metadata.generation) == (10, 2)
    assert planned(delete(old, grace_seconds=0), ending).writes == ((ref_of(old), None),)


@pytest.mark.parametrize("object_", [config("c"), deployment("web"), pod("web", node="pi", phase="Failed")])
def test_finalizers_hold_an_object_that_is_marked_once(object_: Object) -> None:
    old = stored(object_, finalizers=("a",))
    marked = written(delete(old), old)
    metadata = marked.metadata
    assert (metadata.deletion_timestamp, metadata.deletion_grace_period_seconds) == (LATER, 0)
    assert metadata.generation == (old.metadata.generation and old.metadata.generation + 1)
    assert planned(delete(old, grace_seconds=0), marked).writes == ()


def test_a_pod_with_finalizers_is_given_its_grace_and_then_held() -> None:
    old = stored(pod("web", node="pi"), finalizers=("a",))
    ending = written(delete(old), old)
    held = written(delete(old, grace_seconds=0), ending)
    assert held.metadata.deletion_grace_period_seconds == 0
    assert planned(Update(pod("web", node="pi")), held).writes == ((ref_of(old), None),)


def test_a_namespace_terminates_until_its_finalizers_are_gone() -> None:
    old = stored(namespace("shop", "kubernetes"))
    ending = written(delete(old), old)
    assert ending.status.phase == "Terminating"  # type: ignore[attr-defined]
    assert ending.metadata.deletion_grace_period_seconds is None
    assert planned(Update(namespace("shop")), ending).writes == ((ref_of(old), None),)


@pytest.mark.parametrize(
    ("preconditions", "error"),
    [
        pytest.param({"uid": "other"}, Conflict, id="another object"),
        pytest.param({"resource_version": "4"}, Conflict, id="another version"),
        pytest.param({"uid": "uid-1", "resource_version": "5"}, None, id="this one"),
    ],
)
def test_a_delete_holds_to_its_preconditions(preconditions: dict[str, str], error: type[Exception] | None) -> None:
    old = stored(config("c"))
    if error is None:
        assert planned(delete(old, **preconditions), old).writes
    else:
        with pytest.raises(error):
            planned(delete(old, **preconditions), old)


def test_what_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(NotFound, match="Pod shop/web not found"):
        planned(Delete(Ref("Pod", "shop", "web")))


def test_orphaned_dependents_lose_this_owner_and_no_other() -> None:
    rs, other = stored(replica_set("web")), stored(replica_set("other"), uid="uid-2")
    both = stored(pod("a", owner_references=(owner(rs), owner(other))), uid="uid-3")
    alone = stored(pod("b", owner_references=(owner(rs),)), uid="uid-4")
    foreign = stored(pod("c", owner_references=(owner(other),)), uid="uid-5")
    writes = dict(planned(delete(rs, orphan=True), rs, other, both, alone, foreign).writes)
    assert writes.pop(ref_of(rs)) is None
    assert {ref.name: object_ and object_.metadata.owner_references for ref, object_ in writes.items()} == {
        "a": (owner(other),),
        "b": (),
    }


# Emit


def test_an_emitted_event_is_created_and_then_counted_up() -> None:
    emit = Emit(pod("web"), "Normal", "Scheduled", "assigned", "scheduler")
    first = planned(emit, now=NOW)
    assert (first.ref, first.durable) == (None, False)
    ((ref, event),) = first.writes
    assert isinstance(event, Event)
    assert (event.metadata.uid, event.metadata.creation_timestamp, event.count) == ("uid-1", NOW, 1)
    again = written(emit, event)
    assert isinstance(again, Event)
    assert (ref_of(again), again.metadata.uid, again.count, again.last_timestamp) == (ref, "uid-1", 2, LATER)


def test_deleting_an_event_needs_no_disk() -> None:
    ((ref, event),) = planned(Emit(pod("web"), "Normal", "Scheduled", "assigned", "scheduler")).writes
    assert event is not None
    assert planned(Delete(ref), event) == Planned(ref, ((ref, None),), durable=False)
