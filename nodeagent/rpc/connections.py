"""Serves a TCP connection to a pod; each direction ends by itself, as it does in TCP."""

import asyncio
import socket

from nodeagent.rpc.calls import Call
from schemas.rpc import CHUNK, STDOUT, Close, Data, End
from schemas.streaming import Stream


async def serve_connection(call: Call, made: socket.socket) -> End:
    """Closes the socket, however it goes. Raises `OSError` when the other end breaks it off."""
    reader, writer = await asyncio.open_connection(sock=made, limit=CHUNK)
    try:
        call.start()
        async with asyncio.TaskGroup() as both:
            both.create_task(_inward(call.stream, writer))
            both.create_task(_outward(call.stream, reader))
    except* OSError as broken:
        raise broken.exceptions[0] from None
    finally:
        writer.transport.abort()
    return End()


async def _inward(stream: Stream, writer: asyncio.StreamWriter) -> None:
    while (frame := await stream.receive()) is not None:
        body, data = frame
        if isinstance(body, Data):
            writer.write(data)
            await writer.drain()
        elif isinstance(body, Close):
            writer.write_eof()
            return


async def _outward(stream: Stream, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        await stream.write(STDOUT, data)
    stream.close(STDOUT)
