"""A watch's way to its client: an answer in chunks, written past aiohttp where that need not wait."""

from aiohttp import web

_FULL = 64 * 1024
"""Bytes waiting in the connection from which on its client is behind."""


class Connection:
    """Over a response that was prepared, and whose encoding is chunked."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request, self._response = request, response

    def push(self, data: bytes) -> bool:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return True  # nobody is there any more; the handler is about to hear of it
        if transport.get_write_buffer_size() > _FULL:
            return False
        # As `response.write` would do it, but without a task to wait in.
        transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    async def send(self, data: bytes) -> None:
        await self._response.write(data)

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
