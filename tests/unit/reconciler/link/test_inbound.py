from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from reconciler.controllers.imagewait import NOT_TOLD, STATES
from reconciler.link.inbound import event_changes, node_changes, pod_changes
from reconciler.store.changes import Create, Delete, Emit, Update, UpdateStatus
from schemas.conditions import find
from schemas.core.node import Node, NodeCondition, NodeStatus, Taint
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodCondition, PodStatus
from schemas.messages import EventBatch, NodeEvent, NodeReport, PodReport
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.link.test_assignments import cluster

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
READY = NodeCondition(type="Ready", status="True", reason="KubeletReady", message="ready")
TOLD = {"node.alpha.kubernetes.io/ttl": "0", STATES: NOT_TOLD}
TAINT = Taint(effect="NoSchedule", key="edge")
REPORT = NodeReport(
    epoch=1,
    sent_at=NOW,
    status=NodeStatus(capacity={"cpu": "4"}, conditions=(READY,)),
    labels={"zone": "a"},
    taints=(TAINT,),
)


def registered() -> Node:
    (change,) = node_changes("n1", REPORT, True, cluster(), NOW)
    assert isinstance(change, Create)
    assert isinstance(change.object, Node)
    return change.object


def ready_of(node: Node) -> NodeCondition:
    found = find(node.status.conditions, "Ready")
    assert found is not None
    return found


def changed_status(node: Node, report: NodeReport | None, online: bool | None) -> Node:
    (change,) = node_changes("n1", report, online, cluster(node), LATER)
    assert isinstance(change, UpdateStatus)
    assert not change.durable
    assert isinstance(change.object, Node)
    return change.object


def test_an_agent_registers_its_node_with_labels_taints_and_status() -> None:
    node = registered()
    assert (node.metadata.labels, node.metadata.annotations) == ({"zone": "a"}, TOLD)
    (entry,) = node.metadata.managed_fields
    assert (entry.manager, entry.operation, entry.time) == ("kubelet", "Update", NOW)
    assert entry.fields_v1 == {"f:metadata": {"f:labels": {".": {}, "f:zone": {}}}}
    assert node.spec.taints == (TAINT,)
    assert ready_of(node) == replace(READY, last_heartbeat_time=NOW, last_transition_time=NOW)


@pytest.mark.parametrize("online", [False, None])
def test_a_node_whose_agent_is_not_there_is_not_registered(online: bool | None) -> None:
    assert node_changes("n1", REPORT, online, cluster(), NOW) == ()


def test_the_same_report_again_changes_nothing() -> None:
    assert list(node_changes("n1", REPORT, True, cluster(registered()), LATER)) == []


def test_a_node_that_is_lost_is_unknown_and_what_it_reported_comes_back_with_it() -> None:
    lost = changed_status(registered(), REPORT, False)
    assert (ready_of(lost).status, ready_of(lost).reason) == ("Unknown", "NodeStatusUnknown")
    assert (ready_of(lost).last_heartbeat_time, ready_of(lost).last_transition_time) == (LATER, LATER)
    assert list(node_changes("n1", REPORT, False, cluster(lost), LATER)) == []
    assert ready_of(changed_status(lost, REPORT, True)).status == "True"


def test_a_node_of_which_it_is_not_known_whether_it_is_there_is_not_judged() -> None:
    assert list(node_changes("n1", REPORT, None, cluster(registered()), NOW)) == []


def test_labels_of_others_stay_and_labels_that_the_agent_takes_back_go() -> None:
    node = registered()
    labels = node.metadata.labels | {"mine": "1"}
    node = replace(node, metadata=replace(node.metadata, labels=labels), spec=replace(node.spec, taints=()))
    (change,) = node_changes("n1", replace(REPORT, labels={"rack": "7"}), True, cluster(node), NOW)
    assert isinstance(change, Update)
    assert change.object.metadata.labels == {"mine": "1", "rack": "7"}
    assert isinstance(change.object, Node)
    assert change.object.spec.taints == ()


def test_how_images_stand_that_a_node_fetches_is_an_annotation_of_it() -> None:
    def annotations(node: Node) -> dict[str, str]:
        return {key: value for key, value in node.metadata.annotations.items() if key == STATES}

    def told(node: Node, images: dict[str, str] | None) -> Node:
        (change,) = node_changes("n1", replace(REPORT, images=images), True, cluster(node), NOW)
        assert isinstance(change, Update)
        assert isinstance(change.object, Node)
        return change.object

    assert annotations(registered()) == {STATES: NOT_TOLD}
    pulling = told(registered(), {"b:1": "present", "a:1": "pulling"})
    assert annotations(pulling) == {STATES: '{"a:1":"pulling","b:1":"present"}'}
    assert annotations(told(pulling, {})) == {}
    assert annotations(told(pulling, None)) == {STATES: NOT_TOLD}


def test_the_network_of_pods_is_a_condition_from_its_first_fault_on() -> None:
    def network(node: Node, status: str) -> list[str]:
        found = replace(REPORT.status, conditions=(NodeCondition(status, "NetworkUnavailable", reason="x"),))
        for change in node_changes("n1", replace(REPORT, status=found), True, cluster(node), NOW):
            assert isinstance(change, UpdateStatus)
            assert isinstance(change.object, Node)
            node = change.object
        return [one.status for one in node.status.conditions if one.type == "NetworkUnavailable"]

    assert network(registered(), "False") == []
    assert network(registered(), "True") == ["True"]
    faulty = registered()
    faulty = replace(faulty, status=replace(faulty.status, conditions=(NodeCondition("True", "NetworkUnavailable"),)))
    assert network(faulty, "False") == ["False"]


def pod(**metadata: object) -> Pod:
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=NOW)
    return Pod(
        metadata=ObjectMeta(name="web", namespace="shop", uid="u", generation=2, **metadata),  # type: ignore[arg-type]
        spec=PodSpec(containers=(), node_name="n1"),
        status=PodStatus(phase="Pending", qos_class="Burstable", conditions=(scheduled,)),
    )


def said(phase: str = "Running", **fields: object) -> PodReport:
    ready = PodCondition(type="Ready", status="True", last_transition_time=LATER)
    status = PodStatus(phase=phase, conditions=(ready,))
    return PodReport(epoch=1, generation=2, namespace="shop", name="web", status=status, **fields)  # type: ignore[arg-type]


def test_a_report_becomes_the_status_and_what_others_set_stays() -> None:
    changes = pod_changes("u", "n1", said(), cluster(pod()))
    assert changes is not None
    (change,) = changes
    assert isinstance(change, UpdateStatus)
    assert isinstance(change.object, Pod)
    status = change.object.status
    assert (status.phase, status.qos_class, status.observed_generation) == ("Running", "Burstable", 2)
    assert [condition.type for condition in status.conditions] == ["PodScheduled", "Ready"]
    assert pod_changes("u", "n1", said(), cluster(change.object)) == ()


def test_a_pod_that_has_ended_does_not_run_again() -> None:
    ended = replace(pod(), status=PodStatus(phase="Succeeded"))
    assert pod_changes("u", "n1", said(), cluster(ended)) == ()


def test_a_terminating_pod_goes_when_its_node_has_removed_it() -> None:
    view = cluster(pod(deletion_timestamp=NOW, deletion_grace_period_seconds=30))
    changes = pod_changes("u", "n1", said("Failed", removed=True), view)
    assert changes == (Delete(Ref("Pod", "shop", "web"), uid="u", grace_seconds=0),)


@pytest.mark.parametrize(
    ("said_last", "kept"),
    [
        pytest.param("Succeeded", "Succeeded", id="as it was said"),
        pytest.param("Running", "Failed", id="failed, where the node does not know"),
    ],
)
def test_a_removed_pod_that_finalizers_keep_has_ended(said_last: str, kept: str) -> None:
    """Its Job counts it by its phase, and would wait for ever for one that runs."""
    held = pod(
        deletion_timestamp=NOW, deletion_grace_period_seconds=30, finalizers=("batch.kubernetes.io/job-tracking",)
    )
    changes = pod_changes("u", "n1", said(said_last, removed=True), cluster(held))
    assert changes is not None
    told, gone = changes
    assert isinstance(told, UpdateStatus)
    assert isinstance(told.object, Pod)
    assert (told.object.status.phase, told.durable) == (kept, True)
    assert gone == Delete(Ref("Pod", "shop", "web"), uid="u", grace_seconds=0)


def test_a_removed_pod_that_nobody_deleted_just_has_ended() -> None:
    changes = pod_changes("u", "n1", said("Failed", removed=True), cluster(pod()))
    assert changes is not None
    assert [type(change) for change in changes] == [UpdateStatus]


@pytest.mark.parametrize(
    ("uid", "node", "report"),
    [
        pytest.param("other", "n1", said(), id="unknown uid"),
        pytest.param("u", "n2", said(), id="bound elsewhere"),
        pytest.param("u", "n1", replace(said(), name="db"), id="another name"),
    ],
)
def test_a_report_of_what_this_node_does_not_have_is_not_used(uid: str, node: str, report: PodReport) -> None:
    assert pod_changes(uid, node, report, cluster(pod())) is None


def test_events_keep_the_count_and_times_of_the_agent() -> None:
    event = NodeEvent(
        type="Warning",
        reason="BackOff",
        message="m",
        namespace="shop",
        pod="web",
        uid="u",
        first=NOW,
        last=LATER,
        count=4,
    )
    (change,) = event_changes("n1", EventBatch(1, (event,)), cluster())
    assert isinstance(change, Emit)
    assert (change.count, change.first, change.last, change.component) == (4, NOW, LATER, "kubelet")
    assert (change.regarding.kind, getattr(change.regarding, "uid", "")) == ("Pod", "u")
