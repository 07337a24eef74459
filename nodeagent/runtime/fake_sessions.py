"""Processes and ports of simulated containers: a handful of commands that answer, so that the ways can be tried.

`echo` prints its arguments, `cat` what it is sent, `false` and `exit N` fail, `sleep` waits; any other command is
only named. Whatever is sent to an attached container, or to a port, comes back.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence

from nodeagent.runtime.interface import ProcessEnd, Streams

BACKLOG = 8


class FakeSession:
    """A `Session`."""

    def __init__(self, command: Sequence[str], streams: Streams) -> None:
        self._command, self._streams = tuple(command), streams
        self._input: asyncio.Queue[bytes] = asyncio.Queue(BACKLOG)
        self._ending = asyncio.Event()
        self._end = ProcessEnd()
        self.size = (0, 0)

    async def output(self) -> AsyncGenerator[tuple[int, bytes], None]:
        match self._command:
            case ["echo", *words]:
                yield 1, " ".join(words).encode() + b"\n"
            case ["cat"]:
                async for piece in self._sent():
                    yield 1, piece
            case ["true"]:
                pass
            case ["false"]:
                self._end = ProcessEnd(exit_code=1)
            case ["exit", code] if code.isdecimal():
                self._end = ProcessEnd(exit_code=int(code))
            case ["sleep", seconds] if seconds.isdecimal():
                await asyncio.sleep(float(seconds))
            case words:
                yield 1, f"simulated: {' '.join(words)}\n".encode()

    async def _sent(self) -> AsyncGenerator[bytes, None]:
        """What the caller sends, until it sends no more."""
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            while self._streams.stdin and not (self._ending.is_set() and self._input.empty()):
                getting = asyncio.ensure_future(self._input.get())
                await asyncio.wait([getting, ending], return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    yield getting.result()
                else:
                    getting.cancel()
        finally:
            ending.cancel()

    async def write(self, data: bytes) -> None:
        await self._input.put(data)

    def end_input(self) -> None:
        self._ending.set()

    def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    @property
    def end(self) -> ProcessEnd:
        return self._end

    def close(self) -> None:
        self._ending.set()


async def echoing_socket() -> socket.socket:
    """The near end of a connection that says everything back."""
    near, far = socket.socketpair()
    near.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=far)
    task = asyncio.get_running_loop().create_task(_echo(reader, writer), name="simulated-port")
    _echoing.add(task)
    task.add_done_callback(_echoing.discard)
    return near


_echoing: set[asyncio.Task[None]] = set()
"""The loop itself holds its tasks only weakly."""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
