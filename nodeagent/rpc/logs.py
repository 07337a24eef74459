"""Serves the log of a container: what is there, and (`follow`) what comes, until the container has ended.

Nothing is polled: the kernel tells of each write to the folder, and the pod's worker of the container's end.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nodeagent.rpc.calls import Call
from nodeagent.rpc.logfiles import LogReader
from nodeagent.rpc.loglines import LineFilter
from schemas.rpc import STDOUT, End, LogRequest


async def serve_log(
    request: LogRequest, call: Call, path: Path, changed: asyncio.Event, is_running: Callable[[], bool]
) -> End:
    """`changed` is set when the container may have ended."""
    wanted = LineFilter(
        stream=request.stream,
        since=_since(request),
        timestamps=request.timestamps,
        limit_bytes=request.limit_bytes,
    )
    with contextlib.ExitStack() as held:
        if request.follow and is_running():
            from nodeagent.rpc.inotify import watching  # rarely needed, and brings ctypes

            held.enter_context(watching(path.parent, changed.set))
        reader = LogReader(path, request.tail_lines)
        held.callback(reader.close)
        call.start()
        while True:
            changed.clear()
            runs = is_running()  # asked before the reading: what it wrote last is read then
            await _send(reader, wanted, call)
            if wanted.is_full or not request.follow or not runs:
                return End()
            await changed.wait()


async def _send(reader: LogReader, wanted: LineFilter, call: Call) -> None:
    for block, is_new in reader.read():
        if is_new:
            wanted.new_file()
        await call.stream.write(STDOUT, wanted.feed(block))
        if wanted.is_full:
            return
        await asyncio.sleep(0)  # a filter may let nothing through for long


def _since(request: LogRequest) -> datetime | None:
    if request.since_seconds is not None:
        return datetime.now(UTC) - timedelta(seconds=request.since_seconds)
    return request.since_time
