"""Answers Prometheus: `GET /metrics` over plain HTTP, and nothing else. Bounded in time, size and number."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from nodeagent.local.metrics import CONTENT_TYPE

log = logging.getLogger(__name__)

MAX_HEAD = 8 * 1024
SECONDS = 10.0
MAX_OPEN = 16


class Scraped:
    """`address`: `HOST:PORT` or `:PORT`, as in the configuration."""

    def __init__(self, address: str, metrics: Callable[[], bytes]) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]") or None, int(port)
        self._metrics = metrics
        self._open = 0

    async def run(self) -> None:
        """Until cancelled. An address that cannot be had is said, and costs no pod anything."""
        try:
            server = await asyncio.start_server(self._connected, self._host, self._port, limit=MAX_HEAD)
        except OSError as error:
            log.error("no metrics for Prometheus: metricsAddress: %s", error)
            return
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(SECONDS):
                answer = self._busy() if self._open > MAX_OPEN else await self._answer(reader)
                writer.write(answer)
                await writer.drain()
        except (OSError, TimeoutError):
            log.debug("a scrape was broken off")
        finally:
            self._open -= 1
            with suppress(OSError):
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response("431 Request Header Fields Too Large", b"too long\n")
        except asyncio.IncompleteReadError:
            return _response("400 Bad Request", b"expected an HTTP request\n")
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response("404 Not Found", b"there is /metrics, and nothing else\n")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"expected GET\n")
        return _response("200 OK", self._metrics(), has_body=method == b"GET")

    def _busy(self) -> bytes:
        return _response("503 Service Unavailable", b"too many scrapes at once\n")


def _response(status: str, body: bytes, *, has_body: bool = True) -> bytes:
    kind = CONTENT_TYPE if status.startswith("200") else "text/plain"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (body if has_body else b"")
