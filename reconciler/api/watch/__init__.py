"""Watches: every change of the objects picked, once, in order, for as long as the client keeps up.

A watch begins with what there is, or with what was missed, and goes on with the changes that the hub hands out.
Nothing wakes up while nothing happens, but for a bookmark a minute where the client asked for those.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from reconciler.api.options import Selection, WatchOptions
from reconciler.api.reads import History
from reconciler.api.representation import Form
from reconciler.api.status import StatusError, expired
from reconciler.api.watch import lines
from reconciler.api.watch.hub import BATCH, Hub, Sink, Watcher
from reconciler.api.watch.lines import Shared, Type, seen
from reconciler.store.interface import Compacted
from reconciler.store.view import Event
from schemas.kinds import Kind
from schemas.meta import Object

__all__ = ["Hub", "Request", "Sink", "run", "start"]

_BOOKMARK_SECONDS = 60.0
_DEFAULT_SECONDS = 3600.0


class Request(msgspec.Struct, frozen=True):
    """A watch as it was asked for. `shown` is the kind as the client knows it."""

    kind: Kind
    shown: Kind
    selection: Selection
    options: WatchOptions
    form: Form

    def bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        return lines.bookmark(self.kind, self.shown, self.form, revision, initial=initial)


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


async def run(hub: Hub, request: Request, sink: Sink) -> None:
    """Sends the watch until its time is over, the hub closes or the client has fallen too far behind."""
    try:
        begin = start(hub.cache, request)
    except StatusError as error:
        await sink.send(lines.error_line(error))
        return
    # No await lies between the start and the subscription, so that nothing is missed.
    with hub.watching(request.kind.name, request.selection, request.form, begin.revision, sink) as watcher:
        await _send_start(request, begin, watcher, sink)
        await _follow(hub, request, watcher, sink, begin.revision)


async def _send_start(request: Request, begin: Start, watcher: Watcher, sink: Sink) -> None:
    changes: list[tuple[Type, Shared | Object]] = [("ADDED", object_) for object_ in begin.objects]
    for event in begin.missed:
        type_ = seen(event, request.selection)
        if type_ is not None:
            changes.append((type_, Shared(event)))
    for first in range(0, len(changes), BATCH):
        written = []
        for type_, what in changes[first : first + BATCH]:
            columns, watcher.columns = watcher.columns, False
            written.append(_line(type_, what, request.form, columns=columns))
        await sink.send(b"".join(written))
        await asyncio.sleep(0)
    if request.options.initial_events and request.options.bookmarks:
        await sink.send(request.bookmark(begin.revision, initial=True))


def _line(type_: Type, what: Shared | Object, form: Form, *, columns: bool) -> bytes:
    if isinstance(what, Shared):
        return what.line(type_, form, columns=columns)
    return lines.line(type_, what, form, columns=columns)


async def _follow(hub: Hub, request: Request, watcher: Watcher, sink: Sink, reached: int) -> None:
    """Waits while the hub writes, and writes itself where the client has to be waited for."""
    clock, bookmarks = asyncio.get_running_loop().time, request.options.bookmarks
    deadline = clock() + (request.options.timeout_seconds or _DEFAULT_SECONDS)
    while True:
        while data := watcher.take():
            await sink.send(data)
        if watcher.ended:
            return
        watcher.go_live()
        patience = deadline - clock()
        try:
            async with asyncio.timeout(min(patience, _BOOKMARK_SECONDS) if bookmarks else patience):
                await watcher.wake.wait()
        except TimeoutError:
            watcher.is_live = False
            while data := watcher.take():
                await sink.send(data)
            is_over = clock() >= deadline
            if bookmarks and (hub.changed(request.kind.name) if is_over else hub.revision) > reached:
                reached = hub.revision
                await sink.send(request.bookmark(reached))
            if is_over:
                return
