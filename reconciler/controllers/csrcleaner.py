"""Requests for certificates go when nobody needs them any more: an hour after they were decided, a day undecided.

Pure: (request, now) → deletion, or when to look again
(https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#request-signing-process).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.controllers.interface import NOTHING, Controller, Plan
from reconciler.provenance import provenance
from reconciler.store.changes import Delete
from reconciler.store.view import Event, View
from schemas.certificates import APPROVED, DENIED, FAILED, CertificateSigningRequest
from schemas.meta import Ref, ref_of

_DECIDED, _UNDECIDED = timedelta(hours=1), timedelta(hours=24)


def concerns(event: Event, view: View) -> Iterable[Ref]:
    if isinstance(event.new, CertificateSigningRequest):
        yield ref_of(event.new)


def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
    found = view.get(CertificateSigningRequest, "", ref.name)
    if found is None or found.metadata.deletion_timestamp is not None or provenance(found):
        return NOTHING  # what the folder declares would come back, undecided
    end = _end(found)
    if end is None:
        return NOTHING
    if end <= now:
        return Plan((Delete(ref, uid=found.metadata.uid),))
    return Plan(requeue_after=max(1.0, (end - now).total_seconds()))


def _end(found: CertificateSigningRequest) -> datetime | None:
    conditions = found.status.conditions
    if not conditions:
        created = found.metadata.creation_timestamp
        return None if created is None else created + _UNDECIDED
    decided = [
        condition.last_update_time
        for condition in conditions
        if condition.type in (APPROVED, DENIED, FAILED) and condition.last_update_time is not None
    ]
    return min(decided) + _DECIDED if decided else None


CONTROLLER = Controller("csrcleaner", concerns, reconcile)
