"""Services that are there without the addresses that they should have get them.

New ones get theirs on their way in; this is for those that came before, or before the cluster had a second family.
Writing a Service again is all that is needed: what it lacks is given by whatever takes changes in.
"""

from collections.abc import Iterable
from datetime import datetime

from reconciler.admission.services import lacks
from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.store.changes import Update
from reconciler.store.view import Event, View
from schemas.core.service import Service
from schemas.meta import Ref, ref_of


def concerns(event: Event, view: View) -> Iterable[Ref]:
    found = event.new
    return (ref_of(found),) if isinstance(found, Service) and lacks(found) else ()


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(Service, ref.namespace, ref.name)
    if found is None or found.metadata.deletion_timestamp is not None or not lacks(found):
        return NOTHING
    return Plan((Update(found),))


CONTROLLER = Controller("serviceaddress", concerns, reconcile)
