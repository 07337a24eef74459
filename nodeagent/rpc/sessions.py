"""Serves exec and attach: a process' streams to and from the caller, until the process has ended."""

import asyncio
import logging
from contextlib import aclosing

from nodeagent.rpc.calls import Call
from nodeagent.runtime.interface import Session
from schemas.rpc import STDIN, Close, Data, End, Resize
from schemas.streaming import Stream

log = logging.getLogger(__name__)


async def serve_session(call: Call, session: Session) -> End:
    """Closes the session, however it goes."""
    call.start()
    inward = asyncio.create_task(_inward(call.stream, session), name="call-input")
    try:
        async with aclosing(session.output()) as pieces:
            async for channel, data in pieces:
                await call.stream.write(channel, data)
        end = session.end
        if end.message:
            return End(code=500, reason="InternalError", message=end.message)
        return End(exit_code=end.exit_code)
    finally:
        session.close()
        inward.cancel()
        await asyncio.gather(inward, return_exceptions=True)


async def _inward(stream: Stream, session: Session) -> None:
    try:
        while (frame := await stream.receive()) is not None:
            match frame:
                case Data(channel=0), data:
                    await session.write(data)
                case Close(channel=0), _:
                    session.end_input()
                case Resize(width=width, height=height), _:
                    session.resize(width, height)
                case other, _:
                    log.debug("a frame says nothing to a process kind=%s", type(other).__name__)
    except OSError as error:
        log.debug("input of a process that is gone error=%s channel=%d", error, STDIN)
