"""Events as people read them: made from `Emit`, counted up when equal, and gone after an hour.

The name of an Event is a digest of all that makes two of them equal, so that the earlier one is found without
a search. Times are whole seconds, as everywhere in the API.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b

from msgspec.structs import replace

from reconciler.provenance import COMMIT, provenance, without_provenance
from reconciler.store.changes import Emit
from schemas.core.event import Event, EventSource
from schemas.core.reference import ObjectReference
from schemas.meta import Object, ObjectMeta, Ref, ref_of

LIFETIME = timedelta(hours=1)
MOST = 5_000
MESSAGE_BYTES = 1024  # the API server's limit
_NAME_LENGTH = 253
_DEFAULT_NAMESPACE = "default"  # of events about what has no namespace


def event_ref(emit: Emit) -> Ref:
    """Where the Event of this, and of every equal one, lies."""
    about = _reference(emit.regarding)
    equal = (about.kind, about.namespace, about.name, about.uid, about.field_path)
    said = (emit.type, emit.reason, _cut(emit.message), emit.component)
    digest = blake2b("\0".join(equal + said).encode(errors="replace"), digest_size=8).hexdigest()
    # What is no stored object, a file say, may have a name that no object may have.
    stem = re.sub(r"[^a-z0-9.-]+", "-", about.name.lower()).strip("-.") or about.kind.lower()
    name = f"{stem[: _NAME_LENGTH - len(digest) - 1]}.{digest}"
    return Ref("Event", about.namespace or _DEFAULT_NAMESPACE, name)


def event_of(emit: Emit, present: Event | None, now: datetime, about: Object | None = None) -> Event:
    """The Event to be written: the present one counted up, begun anew when it is over an hour old, or a first one.

    A first one still lacks uid and creationTimestamp. What was counted elsewhere is taken as it is. `about` is the
    object that the Event is about, as far as there is one: the Event says where that comes from.
    """
    if present is None:
        ref = event_ref(emit)
        present = Event(
            metadata=ObjectMeta(name=ref.name, namespace=ref.namespace),
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


def expired(events: Iterable[Event], now: datetime) -> tuple[Ref, ...]:
    """Those to be deleted: older than an hour, and the oldest of those over the limit of 5,000."""
    by_age = sorted(events, key=_last_seen)
    surplus = len(by_age) - MOST
    return tuple(
        ref_of(event) for i, event in enumerate(by_age) if i < surplus or now.timestamp() - _last_seen(event) >= _HOUR
    )


_HOUR = LIFETIME.total_seconds()


def _last_seen(event: Event) -> float:
    seen = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return seen.timestamp() if seen else 0.0


def _reference(regarding: Object | ObjectReference) -> ObjectReference:
    if isinstance(regarding, ObjectReference):
        return regarding
    metadata = regarding.metadata
    return ObjectReference(
        api_version=regarding.api_version,
        kind=regarding.kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


def _cut(message: str) -> str:
    data = message.encode(errors="replace")  # what a program printed may hold what is no character
    if len(data) <= MESSAGE_BYTES:
        return data.decode()
    return data[: MESSAGE_BYTES - 3].decode(errors="ignore") + "..."
