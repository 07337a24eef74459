from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.store.cache import Cache
from reconciler.store.changes import Emit
from reconciler.store.events import MESSAGE_BYTES, event_claim, event_name, event_of, last_seen, present_event
from schemas.core.event import Event
from schemas.core.reference import ObjectReference
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.store.objects import NOW, node, pod

WEB = pod("web", uid="u1", resource_version="7")
KILLED = Emit(WEB, "Warning", "BackOff", "Back-off restarting failed container", "kubelet")
HOUR = timedelta(hours=1)
NAME = Ref("Event", "shop", "web.1")


def test_an_event_says_who_what_when_and_how_often() -> None:
    event = event_of(KILLED, NAME, NOW)
    assert event.metadata.namespace == "shop"
    assert event.metadata.name.startswith("web.")
    assert event.involved_object == ObjectReference(
        api_version="v1", kind="Pod", namespace="shop", name="web", uid="u1", resource_version="7"
    )
    assert (event.type, event.reason, event.message) == ("Warning", "BackOff", "Back-off restarting failed container")
    assert (event.count, event.first_timestamp, event.last_timestamp) == (1, NOW, NOW)
    assert event.source is not None
    assert (event.source.component, event.reporting_component) == ("kubelet", "kubelet")


def test_an_equal_event_is_counted_up_and_keeps_its_first_time() -> None:
    later = NOW + timedelta(minutes=5)
    event = event_of(KILLED, event_of(KILLED, NAME, NOW), later)
    assert (event.count, event.first_timestamp, event.last_timestamp) == (2, NOW, later)


def test_after_an_hour_the_count_begins_anew() -> None:
    event = event_of(KILLED, event_of(KILLED, NAME, NOW), NOW + HOUR)
    assert (event.count, event.first_timestamp) == (1, NOW + HOUR)


def test_the_version_of_the_object_does_not_make_another_event() -> None:
    assert event_claim(KILLED) == event_claim(replace(KILLED, regarding=pod("web", uid="u1", resource_version="9")))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(KILLED, type="Normal"), id="type"),
        pytest.param(replace(KILLED, reason="Killing"), id="reason"),
        pytest.param(replace(KILLED, message="other"), id="message"),
        pytest.param(replace(KILLED, component="scheduler"), id="component"),
        pytest.param(replace(KILLED, regarding=pod("web", uid="u2")), id="another object of that name"),
    ],
)
def test_what_differs_in_anything_else_is_another_event(other: Emit) -> None:
    assert event_claim(other) != event_claim(KILLED)


@pytest.mark.parametrize(
    ("regarding", "namespace", "stem"),
    [
        pytest.param(node("pi-1"), "default", "pi-1", id="cluster-scoped"),
        pytest.param(ObjectReference(kind="File", name="Shop/My Web.yaml"), "default", "shop-my-web.yaml", id="file"),
        pytest.param(ObjectReference(kind="File", name="/"), "default", "file", id="nothing left of the name"),
        pytest.param(pod("x" * 253), "shop", "x" * 236, id="longest name"),
    ],
)
def test_an_event_has_a_name_and_a_namespace_whatever_it_is_about(
    regarding: ObjectReference, namespace: str, stem: str
) -> None:
    ref = event_name(Emit(regarding, "Normal", "Seen", "seen", "test"), Cache(), NOW)
    assert ref.namespace == namespace
    assert ref.name.rpartition(".")[0] == stem
    assert len(ref.name) <= 253


@given(message=st.text(max_size=700) | st.text(min_size=400, max_size=2000))
def test_a_message_is_cut_to_what_the_api_server_takes(message: str) -> None:
    cut = event_of(replace(KILLED, message=message), NAME, NOW).message
    encodable = message.encode(errors="replace")
    assert len(cut.encode(errors="replace")) <= MESSAGE_BYTES
    if len(encodable) <= MESSAGE_BYTES:
        assert cut == encodable.decode()
    else:
        assert cut.endswith("...")
        assert encodable.decode().startswith(cut[:-3])


def test_names_are_in_the_order_of_what_happened() -> None:
    cache = Cache(7)
    names = []
    for first in (None, None, NOW + timedelta(milliseconds=1), NOW + timedelta(milliseconds=2)):
        ref = event_name(replace(KILLED, first=first), cache, NOW)
        event = event_of(KILLED, ref, NOW)
        cache.load([replace(event, message=ref.name, metadata=replace(event.metadata, uid=ref.name))])
        names.append(ref.name)
    assert names == sorted(set(names))


def test_an_equal_event_is_found_whatever_its_name() -> None:
    cache = Cache()
    assert present_event(KILLED, cache) is None
    event = event_of(KILLED, NAME, NOW)
    cache.load([event])
    assert present_event(KILLED, cache) == event
    assert present_event(replace(KILLED, reason="Killing"), cache) is None


def test_when_an_event_was_last_told_is_the_latest_time_in_it() -> None:
    about, metadata = ObjectReference(), ObjectMeta(name="e", namespace="shop", creation_timestamp=NOW - HOUR)
    event = Event(metadata=metadata, involved_object=about, last_timestamp=NOW)
    assert last_seen(event) == NOW
    assert last_seen(replace(event, last_timestamp=NOW - 2 * HOUR)) == NOW - HOUR
    assert last_seen(replace(event, event_time=NOW + HOUR)) == NOW + HOUR
    timeless = Event(metadata=ObjectMeta(name="e", namespace="shop"), involved_object=about)
    assert last_seen(timeless).timestamp() == 0


def test_what_the_emitter_counted_is_taken_as_it_is_however_often_it_says_so() -> None:
    counted = replace(KILLED, count=7, first=NOW, last=NOW + HOUR / 2)
    event = event_of(counted, event_of(KILLED, NAME, NOW), NOW + HOUR)
    assert (event.count, event.first_timestamp, event.last_timestamp) == (7, NOW, NOW + HOUR / 2)
    assert event_of(counted, event, NOW + HOUR) == event
