"""Watches: every change of the objects picked, once, in order, for as long as the client keeps up.

One listener serves all watches, and a change is encoded once for all that want it in the same form. What waits
for a client is bounded: one that falls too far behind is cut off, and resumes from the revision that it has
seen. Nothing wakes up while nothing happens, but for a bookmark a minute where the client asked for those.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import msgspec

from reconciler.api.options import Selection, WatchOptions
from reconciler.api.reads import History
from reconciler.api.representation import Form, encode, encode_one
from reconciler.api.status import StatusError, expired
from reconciler.api.tables import LAYOUTS, Cell
from reconciler.store.interface import Compacted
from reconciler.store.view import Event
from schemas.kinds import Kind
from schemas.meta import Object
from schemas.shape import Shape, shape_of

log = logging.getLogger(__name__)

LONGEST_QUEUE = 10_000
"""Changes that may wait for one client. They are references: what they cost is the old versions kept alive."""

BATCH = 100
"""Changes encoded and sent in one go, so that the loop is never held."""

AT_ONCE = 50
"""Watches that send in one turn. The others' changes gather meanwhile, and go out together."""

_TURN_SECONDS = 0.006
"""Between turns where more watches wait: about half of it is left for requests."""

_BOOKMARK_SECONDS = 60.0
_DEFAULT_SECONDS = 3600.0

Type = Literal["ADDED", "MODIFIED", "DELETED"]


def seen(event: Event, selection: Selection) -> Type | None:
    """What a change is to a watch: an object that is no longer picked is deleted to it, one newly picked added."""
    was = event.old is not None and selection.picks(event.old)
    is_ = event.new is not None and selection.picks(event.new)
    if was and is_:
        return "MODIFIED"
    return "ADDED" if is_ else "DELETED" if was else None


class Shared:
    """One change, judged at most once for each selection and encoded once for each form."""

    __slots__ = ("_lines", "_seen", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._seen: dict[str, Type | None] = {}
        self._lines: dict[tuple[Type, Form, bool], bytes] = {}

    def seen(self, selection: Selection, named: str) -> Type | None:
        """What the change is to a watch of this selection; `named` is the same for selections that are alike."""
        if named not in self._seen:
            self._seen[named] = seen(self.event, selection)
        return self._seen[named]

    def line(self, type_: Type, form: Form, *, columns: bool) -> bytes:
        """The change as one line of a watch."""
        key = (type_, form, columns)
        found = self._lines.get(key)
        if found is None:
            object_ = _last_version(self.event) if type_ == "DELETED" else self.event.object
            found = self._lines[key] = line(type_, object_, form, columns=columns)
        return found


def line(type_: Type, object_: Object, form: Form, *, columns: bool) -> bytes:
    body = encode_one(object_, form, datetime.now(UTC), columns=columns)
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), body)


def _last_version(event: Event) -> Object:
    """The object before it went (from the cluster or from the selection), at the revision of its going."""
    assert event.old is not None
    metadata = msgspec.structs.replace(event.old.metadata, resource_version=str(event.revision))
    return msgspec.structs.replace(event.old, metadata=metadata)


class Watcher:
    """One watch: what it wants, and what waits for it."""

    def __init__(
        self, selection: Selection, after: int, cut: Callable[[], None], line_up: Callable[["Watcher"], None]
    ) -> None:
        self.selection, self.after, self._cut, self._line_up = selection, after, cut, line_up
        self.queue: deque[tuple[Type, Shared]] = deque()
        self._named, self._in_line = repr(selection), False
        self.wake = asyncio.Event()
        self.ended = False

    def offer(self, shared: Shared) -> None:
        """Queues the change where it concerns the watch, and it has not been seen yet."""
        type_ = shared.seen(self.selection, self._named) if shared.event.revision > self.after else None
        if type_ is None or self.ended:
            return
        if len(self.queue) >= LONGEST_QUEUE:
            log.warning("watch cut off queue=%d reason=%s", len(self.queue), "the client does not keep up")
            self.end()
            self.queue.clear()
            self._cut()
            return
        self.queue.append((type_, shared))
        self._wait_for_turn()

    def take(self) -> list[tuple[Type, Shared]]:
        """What waits, up to a batch. For the rest it is the watch's turn again later."""
        taken = [self.queue.popleft() for _ in range(min(len(self.queue), BATCH))]
        if not self.ended:
            self.wake.clear()
        if self.queue:
            self._wait_for_turn()
        return taken

    def have_turn(self) -> None:
        self._in_line = False
        self.wake.set()

    def _wait_for_turn(self) -> None:
        if not self._in_line:
            self._in_line = True
            self._line_up(self)

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class Hub:
    """All watches, and the one listener that feeds them."""

    def __init__(self, cache: History) -> None:
        self.cache = cache
        self._watchers: dict[str, set[Watcher]] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self._delivered = 0
        self._closed = False
        self._line: deque[Watcher] = deque()
        self._moves = False

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    @property
    def revision(self) -> int:
        """All changes up to this revision have been offered."""
        return self._delivered

    @contextmanager
    def watching(self, kind: str, selection: Selection, after: int, cut: Callable[[], None]) -> Iterator[Watcher]:
        """Holds a watch that gets every change after the revision; `cut` ends its connection."""
        watcher = Watcher(selection, after, cut, self._line_up)
        if self._unsubscribe is None:
            self._delivered = self.cache.revision
            self._unsubscribe = self.cache.subscribe(self._deliver)
        self._watchers.setdefault(kind, set()).add(watcher)
        if self._closed:
            watcher.end()
        try:
            yield watcher
        finally:
            self._watchers[kind].discard(watcher)
            if not len(self):
                self._unsubscribe()
                self._unsubscribe = None

    def _line_up(self, watcher: Watcher) -> None:
        self._line.append(watcher)
        if not self._moves:
            self._moves = True
            asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        """Lets the first few send, and leaves time for other work before the next."""
        for _ in range(min(len(self._line), AT_ONCE)):
            self._line.popleft().have_turn()
        self._moves = bool(self._line)
        if self._moves:
            asyncio.get_running_loop().call_later(_TURN_SECONDS, self._move)

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            watchers = self._watchers.get(event.object.kind)
            if watchers:
                shared = Shared(event)
                for watcher in tuple(watchers):
                    watcher.offer(shared)
            self._delivered = max(self._delivered, event.revision)

    def close(self) -> None:
        """Ends all watches, and those still to come."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()


class Request(msgspec.Struct, frozen=True):
    """A watch as it was asked for. `shown` is the kind as the client knows it."""

    kind: Kind
    shown: Kind
    selection: Selection
    options: WatchOptions
    form: Form


class Start(msgspec.Struct, frozen=True):
    """Where a watch begins: objects that there are, or changes that were missed; and the revision reached."""

    revision: int
    objects: Sequence[Object] = ()
    missed: Sequence[Event] = ()


def start(cache: History, request: Request) -> Start:
    """Raises the 410 where the changes since the revision asked for are no longer kept."""
    asked = request.options.revision
    if asked is None:
        found = cache.list(request.kind.type, request.selection.namespace)
        return Start(cache.revision, [object_ for object_ in found if request.selection.picks(object_)])
    try:
        missed = cache.since(asked)
    except Compacted as error:
        raise expired(f"too old resource version: {asked} ({error.oldest})") from None
    return Start(max(cache.revision, asked), missed=[e for e in missed if e.object.kind == request.kind.name])


def error_line(error: StatusError) -> bytes:
    return b'{"type":"ERROR","object":%s}\n' % encode(error.status())


def bookmark(request: Request, revision: int, *, initial: bool = False) -> bytes:
    """Says that all changes up to the revision were sent; `initial`: and all objects there were."""
    metadata: dict[str, object] = {"resourceVersion": str(revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind, version = request.shown.name, request.shown.api_version
    if request.form.name != "Object":
        kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
    object_: dict[str, object] = {"kind": kind, "apiVersion": version, "metadata": metadata}
    if request.form.name == "Table":
        row = {"cells": _blank_cells(request.kind), "object": object_}
        table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(revision)}}
        object_ = {**table, "columnDefinitions": None, "rows": [row]}
    return b'{"type":"BOOKMARK","object":%s}\n' % encode(object_)


def _blank_cells(kind: Kind) -> tuple[Cell, ...]:
    """What a row says of an object in which there is nothing."""
    blank = msgspec.convert(_blank(shape_of(kind.type)), kind.type)
    return LAYOUTS[kind.name].cells(blank, datetime.now(UTC))


def _blank(shape: Shape) -> object:
    """The least value of the shape: only fields that must be there."""
    match shape.form:
        case "record":
            return {field.name: _blank(field.shape) for field in shape.fields.values() if field.required}
        case "map" | "any":
            return {}
        case "list":
            return []
        case "integer" | "number" | "quantity" | "int_or_string":
            return 0
        case "boolean":
            return False
        case "time":
            return "0001-01-01T00:00:00Z"
    return ""


class _Pen:
    """Writes lines in the watch's form; in a table the first line alone names the columns."""

    def __init__(self, form: Form) -> None:
        self._form, self._columns = form, True

    def write(self, type_: Type, what: Shared | Object) -> bytes:
        columns, self._columns = self._columns, False
        if isinstance(what, Shared):
            return what.line(type_, self._form, columns=columns)
        return line(type_, what, self._form, columns=columns)


async def run(hub: Hub, request: Request, send: Callable[[bytes], Awaitable[None]], cut: Callable[[], None]) -> None:
    """Sends the watch until its time is over or the hub closes; `cut` is called when the client falls behind."""
    try:
        begin = start(hub.cache, request)
    except StatusError as error:
        await send(error_line(error))
        return
    # No await lies between the start and the subscription, so that nothing is missed.
    with hub.watching(request.kind.name, request.selection, begin.revision, cut) as watcher:
        pen = _Pen(request.form)
        await _send_start(request, begin, pen, send)
        await _send_changes(hub, request, watcher, pen, send, begin.revision)


async def _send_start(request: Request, begin: Start, pen: _Pen, send: Callable[[bytes], Awaitable[None]]) -> None:
    changes: list[tuple[Type, Shared | Object]] = [("ADDED", object_) for object_ in begin.objects]
    for event in begin.missed:
        type_ = seen(event, request.selection)
        if type_ is not None:
            changes.append((type_, Shared(event)))
    for first in range(0, len(changes), BATCH):
        await send(b"".join(pen.write(type_, what) for type_, what in changes[first : first + BATCH]))
        await asyncio.sleep(0)
    if request.options.initial_events and request.options.bookmarks:
        await send(bookmark(request, begin.revision, initial=True))


async def _send_changes(
    hub: Hub,
    request: Request,
    watcher: Watcher,
    pen: _Pen,
    send: Callable[[bytes], Awaitable[None]],
    reached: int,
) -> None:
    clock, bookmarks = asyncio.get_running_loop().time, request.options.bookmarks
    deadline = clock() + (request.options.timeout_seconds or _DEFAULT_SECONDS)
    while True:
        taken = watcher.take()
        if taken:
            await send(b"".join(pen.write(type_, shared) for type_, shared in taken))
        if watcher.ended and not watcher.queue:
            return
        patience = deadline - clock()
        try:
            async with asyncio.timeout(min(patience, _BOOKMARK_SECONDS) if bookmarks else patience):
                await watcher.wake.wait()
        except TimeoutError:
            if bookmarks and not watcher.queue and hub.revision > reached:
                reached = hub.revision
                await send(bookmark(request, reached))
            if clock() >= deadline:
                return
