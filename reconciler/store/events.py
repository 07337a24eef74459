"""Events as people read them: made from `Emit`, counted up when equal, and gone after an hour.

Two are equal when they say the same of the same object; the view finds the earlier one without a search. Times are
whole seconds, as everywhere in the API.
"""

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from msgspec.structs import replace

from reconciler.provenance import COMMIT, provenance, without_provenance
from reconciler.store.changes import Emit
from reconciler.store.view import View
from schemas.core.event import Event, EventSource
from schemas.core.reference import ObjectReference, reference_to
from schemas.meta import Object, ObjectMeta, Ref

LIFETIME = timedelta(hours=1)
MESSAGE_BYTES = 1024  # the API server's limit
_NAME_LENGTH = 253
_NEVER = datetime.fromtimestamp(0, UTC)
_DEFAULT_NAMESPACE = "default"  # of events about what has no namespace


def event_claim(said: Emit | Event) -> str:
    """What an Event and all that equal it have in common: the index of the view finds the one that is there by it."""
    if isinstance(said, Event):
        about, message, component = said.involved_object, said.message, said.source.component if said.source else ""
    else:
        about, message, component = _reference(said.regarding), _cut(said.message), said.component
    equal = (about.kind, about.namespace, about.name, about.uid, about.field_path)
    text = "\0".join((*equal, said.type, said.reason, message, component))
    return f"event {blake2b(text.encode(errors='replace'), digest_size=8).hexdigest()}"


def present_event(emit: Emit, view: View) -> Event | None:
    """The Event of this, or of an equal one, if it has been said of late."""
    ref = view.holder(event_claim(emit))
    found = view.find(ref) if ref is not None else None
    return found if isinstance(found, Event) else None


def event_name(emit: Emit, view: View, now: datetime) -> Ref:
    """A name for a first one that is not taken. As in Kubernetes it ends in the time, so that lists by name are in the
    order of what happened; what the reconciler itself says in one second follows its revision."""
    about = _reference(emit.regarding)
    # What is no stored object, a file say, may have a name that no object may have.
    stem = re.sub(r"[^a-z0-9.-]+", "-", about.name.lower()).strip("-.") or about.kind.lower()
    nanoseconds = int((emit.first or now).timestamp() * 1_000_000) * 1_000
    if emit.first is None:
        nanoseconds += view.revision % 1_000_000_000
    while True:
        end = f"{nanoseconds:016x}"
        name = f"{stem[: _NAME_LENGTH - len(end) - 1]}.{end}"
        ref = Ref("Event", about.namespace or _DEFAULT_NAMESPACE, name)
        if view.find(ref) is None:
            return ref
        nanoseconds += 1


def event_of(emit: Emit, present: Event | Ref, now: datetime, about: Object | None = None) -> Event:
    """The Event to be written: the present one counted up, begun anew when it is over an hour old, or a first one.

    A first one has the name that is given, and still lacks uid and creationTimestamp. What was counted elsewhere is
    taken as it is. `about` is the object that the Event is about, as far as there is one: the Event says where that
    comes from.
    """
    if isinstance(present, Ref):
        present = Event(
            metadata=ObjectMeta(name=present.name, namespace=present.namespace),
            involved_object=_reference(emit.regarding),
            type=emit.type,
            reason=emit.reason,
            message=_cut(emit.message),
            source=EventSource(component=emit.component),
            reporting_component=emit.component,
        )
    present = _told_whence(present, emit, about)
    if emit.count is not None:
        first, last = emit.first or present.first_timestamp or now, emit.last or now
        return replace(
            present,
            count=emit.count,
            first_timestamp=first.replace(microsecond=0),
            last_timestamp=last.replace(microsecond=0),
        )
    if present.last_timestamp is None or now - present.last_timestamp >= LIFETIME:
        present = replace(present, count=0, first_timestamp=now)
    return replace(present, count=present.count + 1, last_timestamp=now)


def _told_whence(event: Event, emit: Emit, about: Object | None) -> Event:
    annotations = without_provenance(event.metadata.annotations) | (provenance(about) if about is not None else {})
    if emit.commit:
        annotations[COMMIT] = emit.commit
    return replace(event, metadata=replace(event.metadata, annotations=annotations))


def last_seen(event: Event) -> datetime:
    """When it was last told; what somebody writes by hand may be about a time long ago."""
    times = (event.last_timestamp, event.event_time, event.metadata.creation_timestamp)
    return max([one for one in times if one is not None], default=_NEVER)


def _reference(regarding: Object | ObjectReference) -> ObjectReference:
    return regarding if isinstance(regarding, ObjectReference) else reference_to(regarding)


def _cut(message: str) -> str:
    data = message.encode(errors="replace")  # what a program printed may hold what is no character
    if len(data) <= MESSAGE_BYTES:
        return data.decode()
    return data[: MESSAGE_BYTES - 3].decode(errors="ignore") + "..."
