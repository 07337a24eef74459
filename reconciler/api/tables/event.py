"""The columns of events."""

from datetime import datetime

from reconciler.api.tables.column import Cell, Column, Layout, since, wide
from schemas.core.event import Event


def _object(event: Event) -> str:
    involved = event.involved_object
    return f"{involved.kind.lower()}/{involved.name}" if involved.name else involved.kind.lower()


def _source(event: Event) -> str:
    component = event.source.component if event.source else ""
    host = event.source.host if event.source else ""
    if not component:
        component, host = event.reporting_component, event.reporting_instance
    return ", ".join(filter(None, (component, host)))


def _cells(event: Event, now: datetime) -> tuple[Cell, ...]:
    first = event.first_timestamp or event.event_time
    last, count = event.last_timestamp or first, event.count or 1
    if event.series is not None:
        last, count = event.series.last_observed_time or last, event.series.count
    return (
        since(last, now),
        event.type,
        event.reason,
        _object(event),
        event.involved_object.field_path,
        _source(event),
        event.message.strip(),
        since(first, now),
        count,
        event.metadata.name,
    )


EVENT = Layout(
    (
        Column("Last Seen", description="Time since it happened last"),
        Column("Type", description="Normal or Warning"),
        Column("Reason", description="What happened, in a word"),
        Column("Object", description="What it happened to"),
        wide("Subobject", description="Which part of the object"),
        wide("Source", description="Who saw it"),
        Column("Message", description="What happened"),
        wide("First Seen", description="Time since it happened first"),
        wide("Count", description="How often it happened"),
        wide("Name", format="name", description="Name of the event itself"),
    ),
    _cells,
)
