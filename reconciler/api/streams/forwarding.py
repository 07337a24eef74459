"""Port-forward: TCP connections to a pod, many in one WebSocket, each a stream of its own to the node.

kubectl speaks SPDY/3.1 inside of the WebSocket: for each connection one stream for the data and one for what went
wrong. A connection that is not read at its end holds up the others only once it has more waiting than `BACKLOG`:
SPDY as it is spoken here has no windows.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from reconciler.link.rpc import Refused
from schemas import spdy
from schemas.rpc import STDIN, Close, Data, End
from schemas.streaming import Ended, Stream

TUNNEL = "SPDY/3.1+portforward.k8s.io"
BACKLOG = 1024 * 1024
"""Bytes that wait for one connection."""
MAX_CONNECTIONS = 100
"""Of one client at once."""

Connect = Callable[[int], Awaitable[Stream]]
"""To that port of the pod. Raises `Refused`."""


class Inbox:
    """Bytes on their way to the pod; None says that no more come."""

    def __init__(self) -> None:
        self._waiting: deque[bytes | None] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self.closed = False

    async def put(self, data: bytes | None) -> None:
        """Waits while the backlog is full, for as long as somebody takes from it."""
        while self._size > BACKLOG and not self.closed:
            self._changed.clear()
            await self._changed.wait()
        if not self.closed:
            self._waiting.append(data)
            self._size += len(data or b"")
            self._changed.set()

    async def get(self) -> bytes | None:
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        data = self._waiting.popleft()
        self._size -= len(data or b"")
        self._changed.set()
        return data

    def close(self) -> None:
        self.closed = True
        self._changed.set()


class _Pair:
    """One forwarded connection: the SPDY streams of its data and of its error."""

    def __init__(self, port: int, error: int, data: int) -> None:
        self.port, self.error, self.data = port, error, data
        self.inbox = Inbox()
        self.said_all = False
        self.task: asyncio.Task[None] | None = None


class Tunnel:
    """Serves one kubectl."""

    def __init__(self, client: web.WebSocketResponse, pod: str, connect: Connect) -> None:
        self._client, self._pod, self._connect = client, pod, connect
        self._spdy = spdy.Connection()
        self._errors: dict[str, int] = {}
        self._pairs: dict[int, _Pair] = {}
        """By the stream of the data."""

    async def run(self) -> None:
        """Until the client has gone."""
        try:
            async for message in self._client:
                if message.type is not WSMsgType.BINARY:
                    break
                for event in self._spdy.feed(message.data):
                    await self._heard(event)
        except (spdy.SpdyError, ConnectionError):
            await self._client.close()
        finally:
            tasks = [pair.task for pair in self._pairs.values() if pair.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _heard(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._opened(event)
            case spdy.Received(stream=stream, data=data, last=last):
                if pair := self._pairs.get(stream):
                    if data:
                        await pair.inbox.put(data)
                    if last:
                        await pair.inbox.put(None)
            case spdy.Reset(stream=stream):
                pair = self._pairs.get(stream)
                if pair is not None and pair.task is not None:
                    pair.task.cancel()
            case spdy.Pinged():
                await self._client.send_bytes(spdy.pong(event))
            case spdy.Replied():
                return  # nothing is opened from here

    async def _opened(self, opened: spdy.Opened) -> None:
        kind, port = opened.headers.get("streamtype", ""), opened.headers.get("port", "")
        id_ = opened.headers.get("requestid", port)
        if not port.isdecimal() or len(self._pairs) + len(self._errors) >= 2 * MAX_CONNECTIONS:
            await self._client.send_bytes(spdy.reset(opened.stream))
        elif kind == "error":
            self._errors[id_] = opened.stream
            await self._client.send_bytes(self._spdy.accept(opened.stream))
        elif kind == "data" and id_ in self._errors:
            await self._client.send_bytes(self._spdy.accept(opened.stream))
            pair = _Pair(int(port), self._errors.pop(id_), opened.stream)
            self._pairs[opened.stream] = pair
            pair.task = asyncio.create_task(self._carry(pair), name=f"port-forward[{self._pod}:{port}]")
        else:
            await self._client.send_bytes(spdy.reset(opened.stream))

    async def _carry(self, pair: _Pair) -> None:
        """One connection, from its beginning to its end."""
        fault = ""
        try:
            fault = await self._joined(pair)
        finally:
            pair.inbox.close()
            self._pairs.pop(pair.data, None)
        if not self._client.closed:
            await self._client.send_bytes(spdy.data(pair.error, fault.encode(), last=True))
            if not pair.said_all:
                await self._client.send_bytes(spdy.data(pair.data, b"", last=True))

    async def _joined(self, pair: _Pair) -> str:
        """What went wrong, if anything."""

        async def send(data: bytes | None) -> None:
            pair.said_all |= data is None
            await self._client.send_bytes(spdy.data(pair.data, data or b"", last=data is None))

        try:
            stream = await self._connect(pair.port)
        except Refused as refused:
            return self._told(pair, refused.end)
        end = await join(stream, pair.inbox, send)
        return self._told(pair, end) if end.message else ""

    def _told(self, pair: _Pair, end: End) -> str:
        return f"error forwarding port {pair.port} to pod {self._pod}, uid : {end.message}"


async def join(stream: Stream, inbox: Inbox, send: Callable[[bytes | None], Awaitable[None]]) -> End:
    """Carries both directions of one connection until both have ended (`send` is told of that with None); says how."""
    inward = asyncio.create_task(_inward(stream, inbox), name="port-forward-inward")
    try:
        while (frame := await stream.receive()) is not None:
            if isinstance(frame[0], Data):
                await send(frame[1])
            elif isinstance(frame[0], Close):
                await send(None)
    except ConnectionError:
        return End()  # the client has gone
    finally:
        inward.cancel()
        stream.finish()
        await asyncio.gather(inward, return_exceptions=True)
    return stream.end or End()


async def _inward(stream: Stream, inbox: Inbox) -> None:
    try:
        while (data := await inbox.get()) is not None:
            await stream.write(STDIN, data)
        stream.close(STDIN)
    except Ended:
        return
