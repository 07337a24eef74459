"""Events are kept for an hour, and no more than a bounded number of them.

Each Event is looked at when it is due; the surplus is looked for at a few commits only, since that takes counting.
"""

from collections.abc import Iterable
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store import view as store_view
from reconciler.store.changes import Delete
from reconciler.store.events import LIFETIME, MOST, expired, last_seen
from reconciler.store.view import View
from schemas.core.event import Event
from schemas.meta import Ref, ref_of

ALL_EVENTS = Ref("Event", "", "")
_COUNTED_EACH = 64
"""Commits between two counts."""


def concerns(event: store_view.Event, view: View) -> Iterable[Ref]:
    """A new Event itself, and now and then all of them."""
    if event.old is not None or not isinstance(event.new, Event):
        return ()
    own = ref_of(event.new)
    return (own, ALL_EVENTS) if event.revision % _COUNTED_EACH == 0 else (own,)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    if ref == ALL_EVENTS:
        events = view.list(Event)
        # Each goes at its own time: sorting them all is only for those that are too many.
        return Plan(tuple(Delete(one) for one in expired(events, now))) if len(events) > MOST else NOTHING
    found = view.get(Event, ref.namespace, ref.name)
    if found is None:
        return NOTHING
    if expired((found,), now):
        return Plan((Delete(ref, uid=found.metadata.uid),))
    return Plan(requeue_after=max(1.0, last_seen(found) + LIFETIME.total_seconds() - now.timestamp()))


CONTROLLER = Controller("eventttl", concerns, reconcile)
