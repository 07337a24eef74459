"""Asks other servers: over UDP, and over TCP where an answer does not fit; the next server where one is silent."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

ATTEMPT_SECONDS, ALL_SECONDS = 1.5, 4.0
"""For one server, and for all of them: the C library waits for 5 seconds, and shall hear that there is none."""
PORT = 53


class NoServer(Exception):
    """None of the servers has answered; the text names them."""


async def ask(servers: Sequence[str], packet: bytes) -> bytes:
    """The first answer, with the packet's own id. A server is `ADDRESS` or `ADDRESS#PORT`. Raises `NoServer`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ALL_SECONDS):
            for server in servers:
                with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(ATTEMPT_SECONDS):
                        return await _ask_one(server, packet)
    raise NoServer(f"no answer from {', '.join(servers) or 'any server: the node has none'}")


async def _ask_one(server: str, packet: bytes) -> bytes:
    address, _, port = server.partition("#")
    answer = await _by_datagram(address, int(port or PORT), packet)
    if answer[2] & 2:  # there is more than fits
        answer = await _by_stream(address, int(port or PORT), packet)
    return packet[:2] + answer[2:]


class _Asking(asyncio.DatagramProtocol):
    """One question on a socket of its own, so that port and id are hard to guess (RFC 5452)."""

    def __init__(self, packet: bytes) -> None:
        self._packet = secrets.token_bytes(2) + packet[2:]
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._packet)

    def datagram_received(self, data: bytes, _: object) -> None:
        if len(data) >= 12 and data[:2] == self._packet[:2] and data[2] & 0x80 and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _by_datagram(address: str, port: int, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_datagram_endpoint(lambda: _Asking(packet), remote_addr=(address, port))
    try:
        return await asking.answer
    finally:
        transport.close()


async def _by_stream(address: str, port: int, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(len(packet).to_bytes(2, "big") + packet)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.close()
