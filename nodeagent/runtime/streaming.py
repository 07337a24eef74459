"""Processes in containers with their streams, as containerd's CRI plugin serves them: SPDY/3.1 over loopback.

CRI answers `Exec` and `Attach` with an address that is good for one connection. On it each of the process' streams
is one of SPDY; how it ended comes as a `Status` on one more
(https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/4006-transition-spdy-to-websockets tells of it).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from urllib.parse import urlsplit

import msgspec

from nodeagent.runtime.interface import ProcessEnd, RuntimeFailure, Streams, Unavailable
from schemas import spdy

CONNECT_SECONDS = 10.0
MAX_STARTS = 4
START_SECONDS = 2.0
READ = 32 * 1024
MAX_ANSWER = 64 * 1024
PROTOCOL = "v4.channel.k8s.io"
OUTPUTS = {"stdout": 1, "stderr": 2}
EXIT_CODE = "NonZeroExitCode"


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] = []


class _Status(msgspec.Struct):
    status: str = ""
    message: str = ""
    reason: str = ""
    details: _Details | None = None


class Starts:
    """Has few processes start and end at once: of a hundred, the shim of containerd 1.6 stops answering for good.

    A process counts until it has ended, and for a moment only where it goes on.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_STARTS)

    async def slot(self) -> Callable[[], None]:
        """Waits for its turn. What is returned is to be called when the process has ended; again is harmless."""
        await self._slots.acquire()
        timer: asyncio.TimerHandle | None = None

        def release() -> None:
            nonlocal timer
            if timer is not None:
                timer.cancel()
                timer = None
                self._slots.release()

        timer = asyncio.get_running_loop().call_later(START_SECONDS, release)
        return release


async def open_session(url: str, streams: Streams, ended: Callable[[], None] = lambda: None) -> "SpdySession":
    """Connects to what CRI answered. `ended` is called when the session is closed. Raises `RuntimeFailure`."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(
                    f"POST {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\n"
                    f"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n".encode()
                )
                head = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
                if not head.startswith("HTTP/1.1 101 "):
                    answer = (await reader.read(MAX_ANSWER)).decode(errors="replace").strip()
                    raise RuntimeFailure(answer or head.splitlines()[0])
            except BaseException:
                writer.transport.abort()
                raise
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unavailable(f"containerd's streaming server does not answer: {error or type(error).__name__}") from error
    return SpdySession(reader, writer, streams, ended)


class SpdySession:
    """A `Session` over one such connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        streams: Streams,
        ended: Callable[[], None],
    ) -> None:
        self._reader, self._writer, self._ended = reader, writer, ended
        self._spdy = spdy.Connection()
        self._ids: dict[str, int] = {}
        self._status = bytearray()
        for name in _names(streams):
            self._ids[name] = 2 * len(self._ids) + 1  # a client's streams have odd numbers
            self._writer.write(self._spdy.open(self._ids[name], {"streamtype": name}))

    async def output(self) -> AsyncGenerator[tuple[int, bytes], None]:
        channels = {id_: OUTPUTS[name] for name, id_ in self._ids.items() if name in OUTPUTS}
        waiting = {*channels, self._ids["error"]}
        while waiting:
            try:
                received = await self._reader.read(READ)
            except ConnectionError:
                return
            if not received:
                return
            for event in self._spdy.feed(received):
                if isinstance(event, spdy.Received):
                    if event.data and event.stream in channels:
                        yield channels[event.stream], event.data
                    elif event.stream == self._ids["error"] and len(self._status) < MAX_ANSWER:
                        self._status += event.data
                elif isinstance(event, spdy.Pinged):
                    self._writer.write(spdy.pong(event))
                if isinstance(event, spdy.Reset) or (isinstance(event, spdy.Received) and event.last):
                    waiting.discard(event.stream)

    async def write(self, data: bytes) -> None:
        self._writer.write(spdy.data(self._ids["stdin"], data))
        await self._writer.drain()

    def end_input(self) -> None:
        self._writer.write(spdy.data(self._ids["stdin"], b"", last=True))

    def resize(self, width: int, height: int) -> None:
        if "resize" in self._ids:
            size = msgspec.json.encode({"Width": width, "Height": height})
            self._writer.write(spdy.data(self._ids["resize"], size))

    @property
    def end(self) -> ProcessEnd:
        return process_end(bytes(self._status))

    def close(self) -> None:
        self._ended()
        self._writer.transport.abort()


def _names(streams: Streams) -> list[str]:
    """In the order in which they are opened; `stdin` is wanted by the protocol where nothing else is."""
    wanted = {
        "stdin": streams.stdin,
        "stdout": streams.stdout,
        "stderr": streams.stderr and not streams.tty,
        "resize": streams.tty,
    }
    return ["error", *(name for name, is_wanted in wanted.items() if is_wanted)]


def process_end(status: bytes) -> ProcessEnd:
    """What the `Status` on the error stream says."""
    if not status:
        return ProcessEnd(message="the container runtime ended the session without a word")
    try:
        said = msgspec.json.decode(status, type=_Status)
    except msgspec.DecodeError:
        return ProcessEnd(message=status.decode(errors="replace"))
    if said.status == "Success":
        return ProcessEnd()
    for cause in said.details.causes if said.details else ():
        if said.reason == EXIT_CODE and cause.reason == "ExitCode" and cause.message.isdecimal():
            return ProcessEnd(exit_code=int(cause.message))
    return ProcessEnd(message=said.message or "the process could not be run")
