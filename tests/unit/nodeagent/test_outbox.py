from datetime import UTC, datetime, timedelta

from msgspec import structs

from nodeagent.outbox import EVENT_LIFETIME, MAX_EVENTS, Outbox
from schemas.core.node import NodeCondition, NodeStatus
from schemas.core.podstatus import PodStatus
from schemas.messages import Digest, EventBatch, MetricsBatch, NodeEvent, NodeReport, PodReport, Usage, decode

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENT = NodeEvent(type="Normal", reason="Pulled", message="pulled", uid="u", first=NOW, last=NOW)


def outbox(now: datetime = NOW) -> Outbox:
    return Outbox(7, lambda: now, lambda: None, lambda: None)


def report(phase: str) -> PodReport:
    return PodReport(epoch=7, generation=1, namespace="n", name="p", status=PodStatus(phase=phase))


def taken(box: Outbox) -> list[str]:
    return [message.rest for message in box.take()]


def test_only_the_newest_report_of_a_pod_is_sent() -> None:
    box = outbox()
    box.pod("u", report("Pending"))
    box.pod("u", report("Running"))
    (message,) = box.take()
    assert decode(message.payload, PodReport).status.phase == "Running"


def test_what_is_the_same_is_not_said_twice() -> None:
    box = outbox()
    box.pod("u", report("Running"))
    box.node(NodeStatus(), {}, (), "1")
    assert len(taken(box)) == 2
    box.pod("u", report("Running"))
    heartbeat = NodeCondition(type="Ready", status="True", last_heartbeat_time=NOW)
    box.node(NodeStatus(conditions=(heartbeat,)), {}, (), "1")
    assert taken(box) == ["status"]
    later = structs.replace(heartbeat, last_heartbeat_time=NOW + timedelta(minutes=1))
    box.node(NodeStatus(conditions=(later,)), {}, (), "1")
    assert taken(box) == []


def test_volumes_that_are_gone_are_told_with_the_node_and_once() -> None:
    box = outbox()
    box.node(NodeStatus(), {}, (), "1")
    taken(box)
    box.discarded(("pv",))
    (message,) = box.take()
    assert decode(message.payload, NodeReport).discarded == ("pv",)
    box.discarded(("pv",))
    assert taken(box) == []


def test_the_nodes_key_goes_with_every_report() -> None:
    box = outbox()
    box.public_key("key")
    for version in ("1", "2"):
        box.node(NodeStatus(), {}, (), version)
        (message,) = box.take()
        assert decode(message.payload, NodeReport).public_key == "key"


def test_how_wanted_images_stand_is_reported_once_and_not_before_it_is_known() -> None:
    box = outbox()
    box.node(NodeStatus(), {}, (), "1")
    (message,) = box.take()
    assert decode(message.payload, NodeReport).images is None
    box.images({"app:2": "pulling"})
    (message,) = box.take()
    assert decode(message.payload, NodeReport).images == {"app:2": "pulling"}
    box.images({"app:2": "pulling"})
    assert taken(box) == []


def test_a_new_connection_is_told_everything_and_what_was_to_be_cleared() -> None:
    box = outbox()
    box.node(NodeStatus(), {}, (), "1")
    box.pod("a", report("Running"))
    box.pod("b", report("Running"))
    taken(box)
    box.forget("b")
    box.metrics(MetricsBatch(7, NOW, 1, Usage(1, 1)))
    box.everything()
    assert {message.rest: bool(message.payload) for message in box.take()} == {
        "status": True,
        "status/pods/a": True,
        "status/pods/b": False,
    }


def test_the_acknowledgement_goes_with_the_report_of_the_node() -> None:
    box = outbox()
    box.node(NodeStatus(), {}, (), "1")
    box.applied(Digest("s", 5))
    (message,) = box.take()
    said = decode(message.payload, NodeReport)
    assert (said.epoch, said.applied_store, said.applied_revision, said.sent_at) == (7, "s", 5, NOW)


def test_equal_events_are_counted_up_also_after_they_were_sent() -> None:
    box = outbox()
    box.event(EVENT)
    assert box.take_events() is not None
    box.event(structs.replace(EVENT, first=NOW + timedelta(1), last=NOW + timedelta(1)))
    message = box.take_events()
    assert message is not None
    (event,) = decode(message.payload, EventBatch).events
    assert (event.count, event.first, event.last) == (2, NOW, NOW + timedelta(1))


def test_events_that_did_not_arrive_are_sent_again() -> None:
    box = outbox()
    box.event(EVENT)
    message = box.take_events()
    assert message is not None
    assert box.take_events() is None
    box.keep(message)
    assert box.take_events() == message


def test_events_are_bounded_and_the_oldest_go_first() -> None:
    box = outbox()
    for number in range(MAX_EVENTS + 5):
        box.event(structs.replace(EVENT, reason=f"R{number}"))
    message = box.take_events()
    assert message is not None
    assert [event.reason for event in message.events] == [f"R{number}" for number in range(5, MAX_EVENTS + 5)]


def test_a_reconciler_that_begins_to_listen_is_told_what_happened_of_late() -> None:
    box = outbox()
    box.event(EVENT)
    box.event(structs.replace(EVENT, reason="Old", last=NOW - EVENT_LIFETIME))
    box.take_events()
    box.events_again()
    message = box.take_events()
    assert message is not None
    assert [event.reason for event in message.events] == ["Pulled"]
