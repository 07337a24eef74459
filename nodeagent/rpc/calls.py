"""The calls that are open on this node: each a stream and a task that serves it, and a bound on how many.

A call ends when it is served, when the reconciler ends it, and when the link or the reconciler goes: there is nobody
left to tell then. Nothing of a call is kept beyond it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from nodeagent.runtime.interface import RuntimeFailure
from schemas.messages import BadMessage
from schemas.rpc import ABRUPT, End, Open, Request, Started, decode_frame, encode_frame, window
from schemas.streaming import Ended, Stream

log = logging.getLogger(__name__)

MAX_CALLS = 128
POOL = 2 * 1024 * 1024
"""Bytes that may be under way to this node, of all calls together."""

Publish = Callable[[str, bytes], None]
"""Topic below the node's own, and payload."""


class Refusal(Exception):
    """What was asked for cannot be done; `end` is the answer."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.end = End(code=code, reason=reason, message=message)


class Call:
    """One stream, for who serves it. `start` it first: until then it can be refused."""

    def __init__(self, stream: Stream, grant: int) -> None:
        self._grant = grant
        self.stream = stream

    def start(self) -> None:
        self.stream.open(Started(self._grant))


Serve = Callable[[Request, Call], Awaitable[End]]
"""Does what is asked and says how it ended. May raise `Refusal`, `RuntimeFailure`, `OSError` or `Ended`."""


class Calls:
    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._publish: Publish | None = None
        self._streams: dict[str, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def begin(self, publish: Publish) -> None:
        """There is a link."""
        self._publish = publish

    def end(self, why: str) -> None:
        """Whoever had opened calls is gone, or cannot be reached any more."""
        if self._streams:
            log.info("calls end calls=%d because=%s", len(self._streams), why)
        for stream in list(self._streams.values()):
            stream.lose(End(code=503, reason="ServiceUnavailable", message=why))

    def lost(self) -> None:
        """The link is gone."""
        self._publish = None
        self.end("the link was lost")

    def said(self, id_: str, payload: bytes) -> None:
        """A frame of the reconciler."""
        if id_ in self._streams:
            self._streams[id_].take(payload)
            return
        try:
            number, body, _ = decode_frame(payload)
        except BadMessage as error:
            log.warning("dropped a message that is no frame of a call error=%s", error)
            return
        if isinstance(body, Open) and number == 0:
            self._open(id_, body, payload)
        elif not isinstance(body, End):
            self._answer(id_, End(code=404, reason="NotFound", message="the node knows nothing of this call any more"))

    def _open(self, id_: str, body: Open, payload: bytes) -> None:
        if self._publish is None:
            return
        if len(self._streams) >= MAX_CALLS:
            message = f"{MAX_CALLS} calls are open on this node: close some and try again"
            self._answer(id_, End(code=429, reason="TooManyRequests", message=message))
            return
        grant = window(POOL, len(self._streams))
        stream = Stream(partial(self._publish, f"rpc/{id_}/up"), grant, lambda: self._over(id_, task))
        self._streams[id_] = stream
        stream.take(payload)
        call = self._run(body.request, Call(stream, grant))
        task = asyncio.get_running_loop().create_task(call, name=f"call[{id_}]")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _over(self, id_: str, task: "asyncio.Task[None]") -> None:
        self._streams.pop(id_, None)
        if task is not asyncio.current_task():
            task.cancel()

    async def _run(self, request: Request, call: Call) -> None:
        await call.stream.receive()  # what opened it
        try:
            end = await self._serve(request, call)
        except Refusal as refusal:
            end = refusal.end
        except (RuntimeFailure, OSError) as error:
            end = End(code=500, reason="InternalError", message=str(error))
        except Ended:
            return
        except Exception:
            log.exception("a call broke")
            end = End(code=500, reason="InternalError", message="the call broke on the node; its log says more")
        call.stream.finish(end)

    def _answer(self, id_: str, end: End) -> None:
        if self._publish is not None:
            self._publish(f"rpc/{id_}/up", encode_frame(ABRUPT, end))
