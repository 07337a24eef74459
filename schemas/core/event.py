"""Event: something that happened to an object, for people to read."""

from datetime import datetime

from msgspec import field

from schemas.core.reference import ObjectReference
from schemas.meta import Object, Record


class EventSeries(Record, frozen=True):
    count: int = 0
    last_observed_time: datetime | None = None


class EventSource(Record, frozen=True):
    component: str = ""
    host: str = ""


class Event(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "v1")
    kind: str = field(default_factory=lambda: "Event")
    involved_object: ObjectReference
    action: str = ""
    count: int = 0
    event_time: datetime | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    message: str = ""
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    source: EventSource | None = None
    type: str = ""
