"""The other end of the node's own socket: asks, and sits at one end of a call."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from nodeagent.local.carrier import Torn, receive, wrapped
from nodeagent.local.server import SOCKET
from schemas.rpc import MOST_WINDOW, End, Open, Request, Started
from schemas.streaming import Stream

ANSWER_SECONDS = 10.0
MAX_ANSWER = 16 * 1024 * 1024


class NoAgent(Exception):
    """Nobody answers. The text says what to do."""


class Refused(Exception):
    """The agent cannot do what was asked; in its words."""


@asynccontextmanager
async def _connected(run: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    path = run / SOCKET
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except PermissionError:
        raise NoAgent(f"{path}: only root may ask the agent: try sudo") from None
    except (FileNotFoundError, ConnectionRefusedError):
        hint = "" if os.geteuid() == 0 else ", or only root may look there"
        raise NoAgent(
            f"no agent answers at {path}: it does not run (systemctl status wherry-nodeagent){hint}"
        ) from None
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(run: Path, question: bytes) -> bytes:
    """Raises `NoAgent`."""
    async with _connected(run) as (reader, writer):
        writer.write(wrapped(question))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await receive(reader, MAX_ANSWER)
        except (Torn, TimeoutError) as error:
            raise NoAgent(f"the agent at {run / SOCKET} does not answer: {error or 'it is busy'}") from None


async def call(run: Path, request: Request, use: Callable[[Stream], Awaitable[None]]) -> End:
    """Has the request done, with `use` at this end of its stream. Raises `NoAgent`, `Refused`."""
    async with _connected(run) as (reader, writer):
        stream = Stream(lambda payload: writer.write(wrapped(payload)), MOST_WINDOW, lambda: None)
        stream.open(Open(request, MOST_WINDOW))
        listening = asyncio.create_task(_listen(reader, stream), name="from-agent")
        try:
            first = await stream.receive()
            if first is None or not isinstance(first[0], Started):
                end = stream.end or End(code=500, message="the agent broke off")
                raise Refused(end.message or end.reason)
            await use(stream)
        finally:
            stream.finish()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        end = stream.end or End()
        if end.code:
            raise Refused(end.message or end.reason)
        return end


async def _listen(reader: asyncio.StreamReader, stream: Stream) -> None:
    try:
        while True:
            stream.take(await receive(reader))
    except Torn:
        stream.lose(End(code=503, reason="ServiceUnavailable", message="the agent has gone"))
