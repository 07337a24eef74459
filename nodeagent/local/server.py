"""Serves the node's own socket: root's alone, in the run directory, there whether or not there is a link.

What it carries is what the link carries; only whoever may open the socket may ask.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from nodeagent.local.carrier import QUESTIONS, Torn, receive, wrapped
from nodeagent.rpc.calls import Calls, Serve
from schemas.rpc import End, decode_frame

log = logging.getLogger(__name__)

SOCKET = "agent.sock"
MODE = 0o600
CALL = "local"
FIRST_SECONDS = 10.0
"""How long a connection may take to say what it wants."""
MAX_UNSENT = 4 * 1024 * 1024
"""Bytes that wait for one who does not read; calls keep to their windows, so that this is never reached by them."""
MAX_CONNECTIONS = 64

Answer = Callable[[bytes], bytes]
"""What is said to one of `QUESTIONS`."""


class LocalServer:
    def __init__(self, run: Path, serve: Serve, answer: Answer) -> None:
        self.path = run / SOCKET
        self._serve, self._answer = serve, answer
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        self.path.unlink(missing_ok=True)  # of an agent that was killed
        try:
            server = await asyncio.start_unix_server(self._connected, sock=_bound(self.path))
        except OSError as error:
            log.error("no local view of this node: %s: %s", self.path, error)
            return
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            self.path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                first = await receive(reader)
            if first in QUESTIONS:
                writer.write(wrapped(self._answer(first)))
                await writer.drain()
            else:
                await self._call(reader, writer, first)
        except (Torn, TimeoutError, OSError) as error:
            log.debug("a local connection ended error=%s", error)
        finally:
            self._open.discard(task)
            writer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
        """Until the call is over, or the other side has hung up."""
        over = asyncio.Event()

        def say(_: str, payload: bytes) -> None:
            _send(writer, payload)
            if isinstance(decode_frame(payload)[1], End):
                over.set()

        calls = Calls(self._serve)
        calls.begin(say)
        calls.said(CALL, first)
        listening = asyncio.create_task(_listen(reader, calls), name="local-call")
        ending = asyncio.create_task(over.wait())
        try:
            await asyncio.wait((listening, ending), return_when=asyncio.FIRST_COMPLETED)
            await writer.drain()
        finally:
            calls.lost()
            listening.cancel()
            ending.cancel()
            await asyncio.gather(listening, ending, return_exceptions=True)


async def _listen(reader: asyncio.StreamReader, calls: Calls) -> None:
    while True:
        calls.said(CALL, await receive(reader))


def _send(writer: asyncio.StreamWriter, payload: bytes) -> None:
    if writer.transport.get_write_buffer_size() > MAX_UNSENT:
        writer.transport.abort()
    elif not writer.is_closing():
        writer.write(wrapped(payload))


def _bound(path: Path) -> socket.socket:
    """A socket that nobody else can connect to from its first moment. Raises `OSError`.

    Nothing is awaited meanwhile: the mask is the whole process's, and volumes and containerd would get it, too.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~MODE)
    try:
        made.bind(os.fspath(path))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    return made
