"""Event of `events.k8s.io`: another form of the same stored Event, with other names for some fields.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import field

from schemas.core.event import Event as Stored
from schemas.core.event import EventSource
from schemas.core.reference import ObjectReference
from schemas.kinds import BY_NAME, Kind
from schemas.meta import Object, Record

_TO_STORED = {
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedSource": "source",
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
}
_FROM_STORED = {name: theirs for theirs, name in _TO_STORED.items()}
_ATTRIBUTES = {
    "deprecated_count": "count",
    "deprecated_first_timestamp": "first_timestamp",
    "deprecated_last_timestamp": "last_timestamp",
    "deprecated_source": "source",
    "note": "message",
    "regarding": "involved_object",
    "reporting_controller": "reporting_component",
}


class EventSeries(Record, frozen=True):
    count: int
    last_observed_time: datetime | None


class Event(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "events.k8s.io/v1")
    kind: str = field(default_factory=lambda: "Event")
    event_time: datetime | None
    action: str = ""
    deprecated_count: int = 0
    # Kubernetes writes these also where there is nothing in them, and so does the encoder what a function gives.
    deprecated_first_timestamp: datetime | None = field(default_factory=lambda: None)
    deprecated_last_timestamp: datetime | None = field(default_factory=lambda: None)
    deprecated_source: EventSource | None = field(default_factory=EventSource)
    note: str = ""
    reason: str = ""
    regarding: ObjectReference | None = None
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""


KIND = Kind(name="Event", group="events.k8s.io", plural="events", short_names=("ev",), type=Event)


def shown(event: Object) -> Object:
    """The stored event as one of `events.k8s.io`."""
    assert isinstance(event, Stored)
    own = set(Event.__struct_fields__) - {"api_version", "kind", "series"}
    held = {name: getattr(event, _ATTRIBUTES.get(name, name)) for name in own}
    held["deprecated_source"] = event.source or EventSource()
    series = EventSeries(event.series.count, event.series.last_observed_time) if event.series else None
    return Event(series=series, **held)


def shown_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored event's document as one of `events.k8s.io`."""
    renamed = {_FROM_STORED.get(name, name): value for name, value in document.items()}
    return renamed | {"apiVersion": KIND.api_version}


def stored_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of `events.k8s.io` as the event that is stored."""
    renamed = {_TO_STORED.get(name, name): value for name, value in document.items()}
    if document.get("apiVersion") == KIND.api_version:
        renamed["apiVersion"] = BY_NAME["Event"].api_version
    return renamed


def stored_selector(text: str) -> str:
    """A field selector on the fields of `events.k8s.io`, on those that are stored."""
    return text.replace("regarding.", "involvedObject.").replace("reportingController", "reportingComponent")
