"""HTTP requests to pods and services, carried to the node over a stream: `…/proxy/…`.

What passes is one request and its answer, streamed; upgrades (WebSockets to a pod) are left to port-forward.
"""

import asyncio
import socket

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from reconciler.api.status import StatusError
from reconciler.api.streams.forwarding import Inbox, join
from schemas.rpc import CHUNK
from schemas.streaming import Stream

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)
_OWN = frozenset({"authorization", "cookie", "host", "content-length"})
"""What the request says to us and not to the pod; above all the token."""
SECONDS = 30.0
"""Until the pod's answer begins."""


class _Connector(aiohttp.BaseConnector):
    """The one connection of a request: a pair of sockets, with a stream to the node at the far end."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(force_close=True)
        self._stream = stream
        self._carrying: asyncio.Task[None] | None = None

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        near, far = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=far)
        self._carrying = asyncio.create_task(_carry(self._stream, reader, writer), name="proxy")
        _, protocol = await asyncio.get_running_loop().create_connection(self._factory, sock=near)
        return protocol

    async def done(self) -> None:
        await self.close()
        if self._carrying is not None:
            self._carrying.cancel()
            await asyncio.gather(self._carrying, return_exceptions=True)


async def _carry(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inbox = Inbox()

    async def read() -> None:
        while data := await reader.read(CHUNK):
            await inbox.put(data)
        await inbox.put(None)

    async def send(data: bytes | None) -> None:
        if data is None:
            writer.write_eof()
        else:
            writer.write(data)
            await writer.drain()

    reading = asyncio.create_task(read(), name="proxy-request")
    try:
        await join(stream, inbox, send)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.transport.abort()


async def pass_on(request: web.Request, path: str, stream: Stream, host: str) -> web.StreamResponse:
    """Answers with what the other end of the stream answers. Raises the 502 and the 504."""
    connector = _Connector(stream)
    url = URL.build(scheme="http", host=host, path=f"/{path}", query_string=request.query_string, encoded=True)
    headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP | _OWN]
    timeout = aiohttp.ClientTimeout(total=None, sock_read=None, connect=SECONDS)
    try:
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=timeout) as session:
            body = request.content if request.can_read_body else None
            asked = session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await asked
            except TimeoutError:
                raise StatusError(504, "Timeout", f"the pod did not answer within {SECONDS:.0f} s") from None
            except aiohttp.ClientError as error:
                why = stream.end.message if stream.end and stream.end.message else str(error)
                raise StatusError(503, "ServiceUnavailable", f"error trying to reach service: {why}") from None
            return await _answer(request, answer)
    finally:
        await connector.done()
        stream.finish()


async def _answer(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            response.headers.add(name, value)
    await response.prepare(request)
    async for piece in answer.content.iter_any():
        await response.write(piece)
    await response.write_eof()
    return response
