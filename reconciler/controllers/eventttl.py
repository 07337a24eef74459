"""Events are kept for an hour, and no more than a bounded number of them.

Each Event is looked at when it is due; the surplus is looked for at a few commits only, since that takes counting.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store import view as store_view
from reconciler.store.changes import Delete
from reconciler.store.events import LIFETIME, last_seen
from reconciler.store.view import View
from schemas.core.event import Event
from schemas.meta import Ref, ref_of

ALL_EVENTS = Ref("Event", "", "")
MOST = 5_000
SURPLUS = 500
"""Over the limit before the oldest are looked for, since that takes sorting; and deleted in one commit."""
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
        return _without_surplus(view.list(Event))
    found = view.get(Event, ref.namespace, ref.name)
    if found is None:
        return NOTHING
    left = LIFETIME - (now - last_seen(found))
    if left.total_seconds() <= 0:
        return Plan((Delete(ref, uid=found.metadata.uid),))
    return Plan(requeue_after=max(1.0, left.total_seconds()))


def _without_surplus(events: Sequence[Event]) -> Plan:
    """Some of those that were told longest ago go, and soon after the next."""
    if len(events) < MOST + SURPLUS:
        return NOTHING
    gone = sorted(events, key=last_seen)[:SURPLUS]
    again = 0.0 if len(events) >= MOST + 2 * SURPLUS else None
    return Plan(tuple(Delete(ref_of(one), uid=one.metadata.uid) for one in gone), again)


CONTROLLER = Controller("eventttl", concerns, reconcile)
