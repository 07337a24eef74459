"""The columns of what is told and never stored: APIService, ComponentStatus."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, Cell, Column, Layout, age
from schemas.derived import APIService, ComponentStatus

_HEALTH = {"True": "Healthy", "False": "Unhealthy"}


def _service(found: APIService, now: datetime) -> tuple[Cell, ...]:
    available = next(one.status for one in found.status.conditions if one.type == "Available")
    return found.metadata.name, "Local", available, age(found, now)


def _component(found: ComponentStatus, now: datetime) -> tuple[Cell, ...]:
    health = next(one for one in found.conditions if one.type == "Healthy")
    return found.metadata.name, _HEALTH.get(health.status, "Unknown"), health.message, health.error


API_SERVICE = Layout(
    (
        NAME,
        Column("Service", description="Who answers"),
        Column("Available", description="Whether it does"),
        AGE,
    ),
    _service,
)
COMPONENT_STATUS = Layout(
    (
        NAME,
        Column("Status", description="Whether it works"),
        Column("Message", description="What it says of that"),
        Column("Error", description="What went wrong with asking"),
    ),
    _component,
)
