import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.manifests.prune import Limits
from reconciler.plan.forecast import Settings, forecast, run
from reconciler.plan.outcome import Forecast
from schemas.apps import Deployment
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateWaiting, ContainerStatus, PodStatus
from tests.unit.reconciler.plan.builders import (
    THREE,
    Json,
    acted,
    after,
    at_rest,
    change_of,
    deployment,
    files,
    manifest,
    node,
    only,
    planned,
)

CONFIG = manifest("ConfigMap", "page", data={"a": "1"})


def verbs(plan: Forecast) -> Counter[str]:
    return Counter({verb: sum(one.count for one in only(plan).pods if one.verb == verb) for verb in happened(plan)})


def happened(plan: Forecast) -> set[str]:
    return {one.verb for one in only(plan).pods}


def test_a_folder_that_is_carried_out_already_changes_nothing() -> None:
    plan = planned(THREE, (deployment(), CONFIG), deployment(), CONFIG)
    assert plan == Forecast()
    assert plan.exit_code == 0


def test_what_is_new_is_created_and_its_pods_start_on_named_nodes() -> None:
    plan = planned(THREE, (), deployment(), CONFIG)
    assert acted(plan) == {"ConfigMap default/page": "create", "Deployment default/web": "create"}
    assert {one.node for one in only(plan).pods} == {"n1", "n2", "n3"}
    assert (plan.summary.created, plan.summary.started, plan.exit_code) == (2, 3, 10)
    assert change_of(plan, "Deployment default/web").place == "f0.yaml:1"


def test_a_new_image_replaces_every_pod_and_tells_the_field() -> None:
    plan = planned(THREE, (deployment(),), deployment(image="web:2"))
    (field,) = change_of(plan, "Deployment default/web").fields
    assert (field.path, field.before, field.after) == (
        "spec.template.spec.containers[main].image",
        "web:1",
        "web:2",
    )
    assert sum(one.count for one in only(plan).pods) == 3
    assert {one.images for one in only(plan).pods} == {("web:2",)}
    assert happened(plan) <= {"restart", "move"}
    assert (only(plan).ready_after, only(plan).lowest_ready) == (3, 3)


def test_a_single_node_restarts_its_pods_in_their_place() -> None:
    plan = planned((node("n1"),), (deployment(),), deployment(image="web:2"))
    assert verbs(plan) == {"restart": 3}


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        pytest.param(5, {"start": 2}, id="up"),
        pytest.param(1, {"stop": 2}, id="down"),
        pytest.param(0, {"stop": 3}, id="to nothing"),
    ],
)
def test_scaling_starts_or_stops_pods_and_touches_no_other(replicas: int, expected: dict[str, int]) -> None:
    plan = planned(THREE, (deployment(),), deployment(replicas=replicas))
    assert verbs(plan) == expected
    assert plan.dangers == ()


def test_what_no_file_declares_is_deleted_and_said_first() -> None:
    plan = planned(THREE, (deployment(), CONFIG), CONFIG)
    assert acted(plan) == {"Deployment default/web": "delete"}
    assert verbs(plan) == {"stop": 3}
    assert plan.dangers[0] == "1 object would be deleted: Deployment default/web"


def test_what_the_guard_holds_back_stays_and_is_said() -> None:
    plan = planned(THREE, (deployment(), CONFIG))
    assert set(acted(plan).values()) == {"hold"}
    assert plan.summary.held_back == 2
    assert plan.workloads == ()
    assert "would be held back" in plan.dangers[0]
    assert "the folder holds no manifest at all" in plan.dangers[0]


def test_the_guard_goes_by_the_reconcilers_own_limits() -> None:
    maps = [manifest("ConfigMap", f"c{number}") for number in range(4)]
    objects, now = at_rest(THREE, *maps)
    strict = Settings(limits=Limits(share=0.1, count=1))
    assert set(acted(forecast(objects, files(*maps[:1]), now, strict)).values()) == {"hold"}
    assert set(acted(forecast(objects, files(*maps[:1]), now)).values()) == {"delete"}


def test_pods_that_fit_nowhere_stay_pending_for_the_schedulers_own_reason() -> None:
    plan = planned(THREE, (deployment(),), deployment(pod={"nodeSelector": {"disk": "fast"}}))
    (pending,) = only(plan).pending
    assert pending.reason.startswith("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.")
    assert pending.is_new
    assert any("would stay Pending: 0/3 nodes" in one for one in plan.dangers)
    assert only(plan).ready_after == 3, "the old pods go on until the new ones are ready"


def test_pods_that_are_pending_for_the_same_reason_already_are_no_change() -> None:
    stuck = deployment(pod={"nodeSelector": {"disk": "fast"}})
    plan = planned(THREE, (stuck,), stuck)
    assert [one.is_new for one in only(plan).pending] == [False]
    assert plan.exit_code == 0
    assert plan.dangers == ()


def test_pods_that_wait_for_room_start_where_others_make_it() -> None:
    whole = {"resources": {"requests": {"cpu": "3"}}}
    before = (deployment("a", container=whole), deployment("b", container=whole, replicas=1))
    plan = planned(THREE, before, deployment("b", container=whole, replicas=1))
    b = next(one for one in plan.workloads if one.name == "b")
    assert [(one.verb, one.count) for one in b.pods] == [("start", 1)]
    assert b.ready_after == 1


def test_a_recreated_workload_is_away_for_a_while() -> None:
    recreate: Json = {"strategy": {"type": "Recreate"}}
    plan = planned(THREE, (deployment(**recreate),), deployment(image="web:2", **recreate))
    assert only(plan).lowest_ready == 0
    assert plan.dangers == ("Deployment default/web: no pod would be Ready for a while, of 3 now",)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param({"configMapRef": {"name": "gone"}}, 'configmap "gone" not found', id="config map"),
        pytest.param({"secretRef": {"name": "gone"}}, 'secret "gone" not found', id="secret"),
    ],
)
def test_pods_do_not_start_without_what_they_read(source: Json, reason: str) -> None:
    plan = planned(THREE, (), deployment(container={"envFrom": [source]}))
    assert [(one.count, one.reason) for one in only(plan).pending] == [(3, reason)]
    assert only(plan).ready_after == 0


@pytest.mark.parametrize(
    ("container", "volumes"),
    [
        pytest.param({"envFrom": [{"configMapRef": {"name": "gone", "optional": True}}]}, [], id="environment"),
        pytest.param({}, [{"name": "v", "configMap": {"name": "gone", "optional": True}}], id="volume"),
    ],
)
def test_what_is_optional_keeps_nobody_from_starting(container: Json, volumes: list[Json]) -> None:
    plan = planned(THREE, (), deployment(container=container, pod={"volumes": volumes}))
    assert only(plan).ready_after == 3


def test_a_missing_key_is_named() -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "page", "key": "z"}}}]
    plan = planned(THREE, (), CONFIG, deployment(container={"env": env}))
    assert only(plan).pending[0].reason == "couldn't find key z in ConfigMap default/page"


def test_pods_that_waited_for_a_config_map_start_when_it_is_added() -> None:
    reads = deployment(container={"envFrom": [{"configMapRef": {"name": "page"}}]})
    plan = planned(THREE, (reads,), reads, CONFIG)
    assert (only(plan).ready_before, only(plan).ready_after) == (0, 3)
    assert plan.exit_code == 10


def test_a_pod_that_fails_by_itself_is_not_taken_to_recover() -> None:
    objects, now = at_rest(THREE, deployment())
    waiting = ContainerStateWaiting("no such image", "ImagePullBackOff")
    status = ContainerStatus(
        image="", image_id="", name="main", ready=False, restart_count=0, state=ContainerState(waiting=waiting)
    )
    failing = tuple(
        replace(one, status=PodStatus(phase="Pending", container_statuses=(status,))) if isinstance(one, Pod) else one
        for one in objects
    )
    plan = forecast(failing, files(deployment(), CONFIG), now)
    assert only(plan).ready_after == 0
    assert [one.reason for one in only(plan).pending] == ["no such image"]


def test_nothing_starts_on_a_node_that_is_away() -> None:
    plan = planned((node("n1"), node("n2", ready="Unknown")), (), deployment())
    assert {one.node for one in only(plan).pods} == {"n1"}


def test_pods_leave_a_node_that_is_away_once_their_time_is_up() -> None:
    objects, now = at_rest(THREE, deployment())
    lost = tuple(node("n2", ready="Unknown") if one.metadata.name == "n2" else one for one in objects)
    plan = forecast(lost, files(deployment(), CONFIG), now)
    assert [(one.verb, one.from_node) for one in only(plan).pods] == [("move", "n2")]


def test_time_moves_on_for_minimum_ready_seconds() -> None:
    slow: Json = {"minReadySeconds": 120}
    plan = planned(THREE, (deployment(**slow),), deployment(image="web:2", **slow))
    assert sum(one.count for one in only(plan).pods) == 3
    assert plan.notes == ()


def test_a_rollout_that_gets_stuck_misses_its_deadline() -> None:
    objects, now = at_rest(THREE, deployment())
    done = run(objects, files(deployment(pod={"nodeSelector": {"disk": "fast"}})), now)
    (found,) = done.after.list(Deployment)
    assert ("Progressing", "False", "ProgressDeadlineExceeded") in {
        (one.type, one.status, one.reason) for one in found.status.conditions
    }


def test_an_object_waits_for_what_it_depends_on() -> None:
    first = deployment("db")
    second = deployment("web")
    second["metadata"]["annotations"] = {"wherry.dev/depends-on": "Deployment/db"}
    assert acted(planned(THREE, (), first, second)).keys() == {"Deployment default/db", "Deployment default/web"}
    stuck = deployment("db", pod={"nodeSelector": {"disk": "fast"}})
    plan = planned(THREE, (), stuck, second)
    assert acted(plan) == {"Deployment default/db": "create"}
    assert "Deployment default/web waits for Deployment default/db to be healthy" in plan.notes[0]


def test_what_depends_on_something_unchanged_is_carried_out_in_the_same_plan() -> None:
    second = manifest("ConfigMap", "late", {"wherry.dev/depends-on": "Deployment/db"})
    plan = planned(THREE, (deployment("db"),), deployment("db"), second)
    assert acted(plan) == {"ConfigMap default/late": "create"}


def test_a_namespace_takes_its_objects_along() -> None:
    shop = manifest("Namespace", "shop")
    inside = manifest("ConfigMap", "page")
    inside["metadata"]["namespace"] = "shop"
    plan = planned(THREE, (CONFIG, shop, inside), CONFIG, manifest("ConfigMap", "other"))
    assert acted(plan) == {
        "ConfigMap default/other": "create",
        "ConfigMap shop/page": "delete",
        "Namespace shop": "delete",
        "ServiceAccount shop/default": "delete",
    }


def test_faults_are_told_and_the_objects_of_the_file_stay() -> None:
    plan = planned(THREE, (deployment(), CONFIG), "kind: [", CONFIG)
    assert plan.exit_code == 1
    assert plan.has_faults
    assert plan.workloads == ()
    assert acted(plan) == {"Deployment default/web": "hold"}


def test_what_may_not_change_is_a_fault_with_its_place() -> None:
    other = deployment()
    other["spec"]["selector"] = {"matchLabels": {"app": "web", "tier": "front"}}
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    plan = planned(THREE, (deployment(),), other)
    assert [(one.file, one.field) for one in plan.faults] == [("f0.yaml", "spec.selector")]
    assert plan.exit_code == 1


def test_without_nodes_only_objects_are_planned_and_that_is_said() -> None:
    plan = planned((), (), deployment(), CONFIG)
    assert plan.summary.created == 2
    assert (plan.workloads, plan.dangers, plan.pulls) == ((), (), ())
    assert plan.notes == ("there are no nodes: where pods would run needs --server, --data or --nodes",)


def test_the_values_of_a_secret_are_never_shown() -> None:
    def secret(**data: str) -> Json:
        return manifest("Secret", "key", stringData=data, type="Opaque")

    plan = planned(THREE, (secret(a="first-value", gone="second-value"),), secret(a="third-value", new="fourth-value"))
    fields = {one.path: (one.before, one.after) for one in change_of(plan, "Secret default/key").fields}
    assert fields == {
        "data[a]": ("<hidden>", "<hidden, another value>"),
        "data[gone]": ("<hidden>", None),
        "data[new]": (None, "<hidden>"),
    }


def test_objects_of_nobody_and_of_others_are_left_alone() -> None:
    objects, now = at_rest(THREE, deployment())
    alone = next(one for one in objects if isinstance(one, Deployment))
    alone = replace(alone, metadata=replace(alone.metadata, name="theirs", uid="theirs", managed_fields=()))
    plan = forecast((*objects, alone), files(deployment()), now)
    assert "Deployment default/theirs" not in acted(plan)


def test_plans_upon_plans_never_mix_up_their_pods() -> None:
    objects, now = at_rest(THREE, deployment("a"), deployment("b"))
    done = run(objects, files(deployment("a", image="web:2"), deployment("b")), now)
    again = run(after(done), files(deployment("a", image="web:3"), deployment("b")), done.now)
    uids = [one.metadata.uid for one in after(again)]
    assert len(uids) == len(set(uids))
    assert len(again.after.list(Pod)) == 6


IMAGES = st.sampled_from(["web:1", "web:2"])
WORKLOADS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.builds(
        lambda image, replicas, cpu, strategy: {
            "image": image,
            "replicas": replicas,
            "container": {"resources": {"requests": {"cpu": cpu}}},
            "strategy": {"type": strategy},
        },
        IMAGES,
        st.integers(0, 6),
        st.sampled_from(["100m", "1", "3", "9"]),
        st.sampled_from(["Recreate", "RollingUpdate"]),
    ),
    min_size=1,
)


def folder(workloads: dict[str, Json]) -> list[Json]:
    return [deployment(name, **settings) for name, settings in workloads.items()]


@settings(max_examples=10, deadline=None)
@given(WORKLOADS, WORKLOADS, st.randoms(use_true_random=False))
def test_plans_are_determined_and_what_was_planned_needs_no_second_plan(
    before: dict[str, Json], wanted: dict[str, Json], chance: random.Random
) -> None:
    objects, now = at_rest(THREE, *folder(before), CONFIG)
    declared = files(*folder(wanted), CONFIG)
    done = run(objects, declared, now)
    shuffled = list(objects)
    chance.shuffle(shuffled)
    assert forecast(shuffled, declared, now) == forecast(objects, declared, now)
    again = forecast(after(done), declared, done.now)
    assert not again.has_changes
    for one in done.after.list(Deployment):
        assert one.status.replicas >= one.status.ready_replicas >= 0


@settings(max_examples=10, deadline=None)
@given(WORKLOADS, WORKLOADS)
def test_the_pods_told_of_account_for_all_that_is_different(before: dict[str, Json], wanted: dict[str, Json]) -> None:
    plan = planned(THREE, (*folder(before), CONFIG), *folder(wanted), CONFIG)
    for one in plan.workloads:
        started = sum(each.count for each in one.pods if each.verb == "start")
        stopped = sum(each.count for each in one.pods if each.verb == "stop")
        assert one.ready_before + started - stopped == one.ready_after
        assert one.lowest_ready <= min(one.ready_before, one.ready_after)


DB: Json = {
    "selector": {"matchLabels": {"app": "db"}},
    "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "db:1"}]}},
}


@pytest.mark.parametrize(
    ("kind", "version", "spec"),
    [
        pytest.param("StatefulSet", "apps/v1", DB | {"replicas": 3, "serviceName": "db"}, id="StatefulSet"),
        pytest.param("DaemonSet", "apps/v1", DB, id="DaemonSet"),
        pytest.param("ReplicationController", "v1", {"replicas": 3, "template": DB["template"]}, id="older"),
    ],
)
def test_every_kind_of_set_is_foretold(kind: str, version: str, spec: Json) -> None:
    plan = planned(THREE, (), {"apiVersion": version, "kind": kind, "metadata": {"name": "db"}, "spec": spec})
    assert (only(plan).wanted_after, only(plan).ready_after) == (3, 3)
    assert {one.node for one in only(plan).pods} == {"n1", "n2", "n3"}
