"""All watches, and the one listener that feeds them.

Watches that ask for the same in the same form share a channel: a change is judged and encoded once for all of them, and
what several changes come to is put together once. The watches take turns of a few, and a turn writes to their
connections at once: while nobody is behind, no task runs for a change. What waits for a client is bounded, and costs
nothing but its place in the channel; whoever falls too far behind is cut off, and resumes from the revision that it
has seen.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from reconciler.api.options import Selection
from reconciler.api.reads import History
from reconciler.api.representation import Form
from reconciler.api.watch.lines import Shared, Type, seen
from reconciler.store.view import Event

log = logging.getLogger(__name__)

LONGEST_QUEUE = 10_000
"""Changes that may wait for one client. They are references: what they cost is the old versions kept alive."""

BATCH = 100
"""Changes encoded and sent in one go, so that the loop is never held."""

AT_ONCE = 50
"""Watches that are written to in one turn. The others' changes gather meanwhile, and go out together."""

_LEAST_PAUSE = 0.002
"""Seconds between turns where more watches wait. A longer turn is followed by a pause as long: half is for requests."""


class Sink(Protocol):
    """The way to a client."""

    def push(self, data: bytes) -> bool:
        """Writes at once; False where the client is behind, and nothing was written."""

    def send(self, data: bytes) -> Awaitable[None]:
        """Writes, and waits while the client is behind."""

    def cut(self) -> None:
        """Ends the connection."""


class Wanted(NamedTuple):
    """What tells one channel from another. `after` holds back changes up to a revision that is still to come."""

    kind: str
    selection: str
    form: Form
    after: int


class Channel:
    """The changes for all watches that want the same, from the one that the slowest of them has to get next."""

    def __init__(self, wanted: Wanted, selection: Selection) -> None:
        self.wanted, self._selection = wanted, selection
        self.watchers: dict[Watcher, None] = {}
        self.is_waiting = False
        self._entries: list[tuple[Type, Shared]] = []
        self._first = 0
        self._round: Iterator[Watcher] = iter(())
        self._last = (-1, -1, b"")

    @property
    def end(self) -> int:
        """The place of the next change."""
        return self._first + len(self._entries)

    def offer(self, shared: Shared) -> bool:
        """Takes the change in where it concerns the channel; whether it does."""
        if shared.event.revision <= self.wanted.after:
            return False
        type_ = seen(shared.event, self._selection)
        if type_ is None:
            return False
        self._entries.append((type_, shared))
        if len(self._entries) > LONGEST_QUEUE:
            self._cut_off()
        return True

    def batch(self, at: int, *, columns: bool) -> tuple[bytes, int]:
        """The next changes as they are sent, and the place behind them. Nothing where there are none."""
        end = min(self.end, at + BATCH)
        if (at, end) == self._last[:2] and not columns:
            return self._last[2], end
        taken = self._entries[at - self._first : end - self._first]
        form = self.wanted.form
        lines = [shared.line(type_, form, columns=columns and not i) for i, (type_, shared) in enumerate(taken)]
        data = b"".join(lines)
        if not columns:
            self._last = (at, end, data)
        return data, end

    def serve(self, most: int) -> int:
        """Writes to the next few watches of the round; how many it were. Less than that ends the round."""
        for served in range(most):
            watcher = next(self._round, None)
            if watcher is None:
                return served
            watcher.advance()
        return most

    def begin(self) -> None:
        """A round over all watches that are there now."""
        self.is_waiting = True
        self._round = iter(tuple(self.watchers))

    def finish(self) -> bool:
        """Lets go of what all have got; whether there is more for anybody who is not behind."""
        self.is_waiting = False
        self._last = (-1, -1, b"")
        least = min((watcher.at for watcher in self.watchers), default=self.end)
        del self._entries[: least - self._first]
        self._first = least
        return any(watcher.is_live and watcher.at < self.end for watcher in self.watchers)

    def _cut_off(self) -> None:
        """Ends the slowest, so that no more than the bound is kept for any."""
        least = self.end - LONGEST_QUEUE
        for watcher in [each for each in self.watchers if each.at < least]:
            log.warning("watch cut off queue=%d reason=%s", LONGEST_QUEUE, "the client does not keep up")
            watcher.drop()
        del self._entries[: least - self._first]
        self._first = least


class Watcher:
    """One watch: its place in the channel, and its client."""

    def __init__(self, channel: Channel, sink: Sink, line_up: Callable[[Channel], None]) -> None:
        self.channel, self._sink, self._line_up = channel, sink, line_up
        self.at = channel.end
        self.columns = True
        """Whether the next line has to name the columns."""
        self.is_live = False
        """Whether turns write to the client: not while its own task does."""
        self.ended = False
        self.wake = asyncio.Event()

    def go_live(self) -> None:
        """From here on turns write to the client."""
        self.is_live = True
        self.wake.clear()
        if self.at < self.channel.end:
            self._line_up(self.channel)

    def advance(self) -> None:
        """The watch's turn. Where the client is behind, the watch's task goes on."""
        if not self.is_live or self.at >= self.channel.end:
            return
        data, end = self.channel.batch(self.at, columns=self.columns)
        if self._sink.push(data):
            self.at, self.columns = end, False
        else:
            self.is_live = False
            self.wake.set()

    def take(self) -> bytes:
        """What waits, up to a batch, for the task to send."""
        if self.at >= self.channel.end:
            return b""
        data, self.at = self.channel.batch(self.at, columns=self.columns)
        self.columns = False
        return data

    def end(self) -> None:
        """No more changes; those that wait are still sent."""
        self.is_live, self.ended = False, True
        self.wake.set()

    def drop(self) -> None:
        self.at = self.channel.end
        self.end()
        self._sink.cut()


class Hub:
    """All watches, and the one listener that feeds them."""

    def __init__(self, cache: History) -> None:
        self.cache = cache
        self._channels: dict[str, dict[Wanted, Channel]] = {}
        self._changed: dict[str, int] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self._delivered = 0
        self._closed = False
        self._line: deque[Channel] = deque()
        self._moves = False

    def __len__(self) -> int:
        return sum(len(channel.watchers) for of_kind in self._channels.values() for channel in of_kind.values())

    @property
    def revision(self) -> int:
        """All changes up to this revision have been offered."""
        return self._delivered

    def changed(self, kind: str) -> int:
        """The revision of the last change of the kind that was offered; 0 for none."""
        return self._changed.get(kind, 0)

    @contextmanager
    def watching(self, kind: str, selection: Selection, form: Form, after: int, sink: Sink) -> Iterator[Watcher]:
        """Holds a watch that gets every change after the revision."""
        if self._unsubscribe is None:
            self._delivered = self.cache.revision
            self._unsubscribe = self.cache.subscribe(self._deliver)
        wanted = Wanted(kind, repr(selection), form, after if after > self.cache.revision else 0)
        channel = self._channels.setdefault(kind, {}).setdefault(wanted, Channel(wanted, selection))
        watcher = Watcher(channel, sink, self._line_up)
        channel.watchers[watcher] = None
        if self._closed:
            watcher.end()
        try:
            yield watcher
        finally:
            self._leave(watcher)

    def _leave(self, watcher: Watcher) -> None:
        channel = watcher.channel
        watcher.is_live = False
        del channel.watchers[watcher]
        if not channel.watchers:
            of_kind = self._channels[channel.wanted.kind]
            del of_kind[channel.wanted]
            if not of_kind:
                del self._channels[channel.wanted.kind]
        if not self._channels and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._changed.clear()

    def _line_up(self, channel: Channel) -> None:
        if channel.is_waiting:
            return
        channel.begin()
        self._line.append(channel)
        if not self._moves:
            self._moves = True
            asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        """Lets the first few send, and leaves time for other work before the next."""
        clock = asyncio.get_running_loop().time
        began, left = clock(), AT_ONCE
        while self._line and left:
            channel = self._line.popleft()
            served = channel.serve(left)
            left -= served
            if left:
                if channel.finish():
                    self._line_up(channel)
                    break  # what has come meanwhile waits for another turn
            else:
                self._line.append(channel)
        self._moves = bool(self._line)
        if self._moves:
            pause = max(_LEAST_PAUSE, clock() - began)
            asyncio.get_running_loop().call_later(pause, self._move)

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            kind = event.object.kind
            self._changed[kind] = event.revision
            channels = self._channels.get(kind)
            if channels:
                shared = Shared(event)
                for channel in tuple(channels.values()):
                    if channel.offer(shared):
                        self._line_up(channel)
            self._delivered = max(self._delivered, event.revision)

    def close(self) -> None:
        """Ends all watches, and those still to come."""
        self._closed = True
        for of_kind in self._channels.values():
            for channel in of_kind.values():
                for watcher in channel.watchers:
                    watcher.end()
