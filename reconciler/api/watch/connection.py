"""A watch's way to its client: an answer in chunks, written past aiohttp where that need not wait."""

from aiohttp import web

_RECORD = 16 * 1024
"""Bytes written in one go, as many as TLS puts into a record. Its buffers stay as large as they ever were."""


class Connection:
    """Over a response that was prepared, and whose encoding is chunked."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request, self._response = request, response

    def push(self, data: bytes) -> bool:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return True  # nobody is there any more; the handler is about to hear of it
        if transport.get_write_buffer_size():
            return False  # what waits in the hub is shared, what waits here is not
        # As `response.write` would do it, but without a task to wait in.
        chunk = memoryview(b"%x\r\n%b\r\n" % (len(data), data))
        for first in range(0, len(chunk), _RECORD):
            transport.write(chunk[first : first + _RECORD])
        return True

    async def send(self, data: bytes) -> None:
        await self._response.write(data)

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
