"""One end of an rpc stream in a running daemon, the same for both: waits for room, for frames, and for the end.

Everything that decides is in `schemas.rpc`. What arrives is taken in without waiting, so that no stream holds up
another; it is never more than the window that was granted.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from schemas.rpc import ABRUPT, CANCELLED, Broken, Close, Conversation, Data, End, Frame, Resize, Started, encode_frame
from schemas.rpc import Open as OpenFrame


class Ended(Exception):
    """Nothing can be said any more: `end` is how it ended."""

    def __init__(self, end: End) -> None:
        super().__init__(end.message)
        self.end = end


class Stream:
    """`send` puts a payload on its way and does not wait; `ended` is called once, when the stream is over."""

    def __init__(self, send: Callable[[bytes], None], grant: int, ended: Callable[[], None]) -> None:
        self.end: End | None = None
        self._send, self._ended = send, ended
        self._account = Conversation(grant)
        self._arrived: deque[Frame] = deque()
        self._unpaid = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()

    # From the link.

    def take(self, payload: bytes) -> None:
        """A frame that arrived."""
        if self.end is not None:
            return
        try:
            frame = self._account.take(payload)
        except Broken as broken:
            end = End(code=500, reason="InternalError", message=f"the stream broke off: {broken}")
            self._send(encode_frame(ABRUPT, end))
            self.lose(end)
            return
        if self._account.room:
            self._room.set()
        if frame is None:
            return
        if isinstance(frame[0], End):
            self.lose(frame[0])
        else:
            self._arrived.append(frame)
            self._news.set()

    def lose(self, end: End) -> None:
        """It is over, and the other side knows or cannot be told."""
        if self.end is None:
            self.end = end
            self._news.set()
            self._room.set()
            self._ended()

    # For who uses it.

    async def receive(self) -> Frame | None:
        """The next frame, in order; None when there will be no more: then `end` says why.

        Asking for the next says that the last was dealt with.
        """
        self._pay()
        while not self._arrived:
            if self.end is not None:
                return None
            self._news.clear()
            await self._news.wait()
        frame = self._arrived.popleft()
        if isinstance(frame[0], Data):
            self._unpaid = max(1, len(frame[1]))
        return frame

    async def write(self, channel: int, data: bytes) -> None:
        """Returns when all is on its way. Raises `Ended`."""
        view = memoryview(data)
        while view:
            fits = self._account.fits(len(view)) if self.end is None else 0
            if fits:
                self._send(self._account.frame(Data(channel), bytes(view[:fits])))
                view = view[fits:]
            else:
                await self._wait_for_room()

    def open(self, body: OpenFrame | Started) -> None:
        """Sends the first frame."""
        self._say(body)

    def close(self, channel: int) -> None:
        self._say(Close(channel))

    def resize(self, width: int, height: int) -> None:
        self._say(Resize(width, height))

    def finish(self, end: End = CANCELLED) -> None:
        """Ends the stream and tells the other side; harmless on one that is over."""
        self._say(end)
        self.lose(end)

    def _say(self, body: OpenFrame | Started | Close | Resize | End) -> None:
        if self.end is None:
            self._send(self._account.frame(body))

    def _pay(self) -> None:
        if self._unpaid and self.end is None:
            credit = self._account.consumed(self._unpaid)
            if credit is not None:
                self._send(credit)
        self._unpaid = 0

    async def _wait_for_room(self) -> None:
        if self.end is not None:
            raise Ended(self.end)
        self._room.clear()
        await self._room.wait()
