"""Events about CronJobs, each said once for its occasion: a CronJob is looked at more often than something happens."""

from collections.abc import Iterator
from datetime import datetime

from reconciler.store.changes import Emit
from reconciler.store.events import present_event
from reconciler.store.view import View
from schemas.batch import CronJob

COMPONENT = "cronjob-controller"


def told(about: CronJob, reason: str, message: str) -> Emit:
    return Emit(about, "Normal", reason, message, COMPONENT)


def warned(about: CronJob, reason: str, message: str) -> Emit:
    return Emit(about, "Warning", reason, message, COMPONENT)


def once(emit: Emit, view: View, since: datetime | None = None) -> Iterator[Emit]:
    """Nothing where the same was said before (`since`: after that time)."""
    found = present_event(emit, view)
    if found is not None:
        last = found.last_timestamp
        if since is None or (last is not None and last >= since):
            return
    yield emit
