"""Calls to nodes: logs, exec, attach and connections, each a stream over the link, whatever lies between.

A stream lives as long as both sides and the link between them do: when the node's agent comes, goes or is said to
be gone, or our own link is lost, every stream concerned ends with an error at once. Nothing is resumed, for nobody
could know what was lost; the caller asks again.
"""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial

import msgspec

from schemas.messages import BadMessage
from schemas.rpc import ABRUPT, CANCELLED, End, Open, Request, Started, decode_frame, encode_frame, window
from schemas.streaming import Stream

MAX_STREAMS = 2000
MAX_PER_NODE = 200
NODE_POOL = 4 * 1024 * 1024
"""Bytes that may be under way from one node, of all its streams together: its agent holds them until they are sent."""
START_SECONDS = 20.0
MAX_FAREWELLS = 500

Publish = Callable[[str, str, bytes], None]
"""Node, topic below the node's own, payload: not retained, in the order of the calls."""


class Refused(Exception):
    """The call was not begun. `end` is what a `Status` is made of."""

    def __init__(self, end: End) -> None:
        super().__init__(end.message)
        self.end = end


class Statistics(msgspec.Struct, frozen=True):
    streams: int
    opened: int
    refused: int


class Rpc:
    """`online`: whether the node is there, None where that is not known."""

    def __init__(self, online: Callable[[str], bool | None]) -> None:
        self._online = online
        self._publish: Publish | None = None
        self._life = secrets.token_hex(4)
        self._opened = self._refused = 0
        self._streams: dict[str, dict[str, Stream]] = {}
        self._farewells: dict[str, None] = {}

    def statistics(self) -> Statistics:
        return Statistics(self._total(), self._opened, self._refused)

    async def open(self, node: str, request: Request) -> Stream:
        """The stream, once it runs on the node; the caller has to `finish` it. Raises `Refused`."""
        try:
            stream = self._begin_stream(node, request)
            await self._until_started(node, stream)
        except Refused:
            self._refused += 1
            raise
        return stream

    def _begin_stream(self, node: str, request: Request) -> Stream:
        publish = self._publish
        if publish is None:
            raise Refused(_unavailable("the reconciler has no link to its broker now; try again when it is back"))
        if not self._online(node):
            raise Refused(_unavailable(f"node {node} has no link to the cluster now; see kubectl get node {node}"))
        streams = self._streams.setdefault(node, {})
        if len(streams) >= MAX_PER_NODE or self._total() >= MAX_STREAMS:
            message = f"too many streams are open, {len(streams)} of them on node {node}: close some and try again"
            raise Refused(End(code=429, reason="TooManyRequests", message=message))
        self._opened += 1
        id_ = f"{self._life}-{self._opened}"
        grant = window(NODE_POOL, len(streams))
        stream = Stream(partial(publish, node, f"rpc/{id_}/down"), grant, partial(self._forget, node, id_))
        streams[id_] = stream
        stream.open(Open(request, grant))
        return stream

    async def _until_started(self, node: str, stream: Stream) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                frame = await stream.receive()
        except TimeoutError:
            stream.finish()
            raise Refused(_unavailable(f"node {node} did not answer within {START_SECONDS:.0f} s")) from None
        except asyncio.CancelledError:
            stream.finish()
            raise
        if frame is None:
            assert stream.end is not None
            raise Refused(stream.end)
        if not isinstance(frame[0], Started):
            stream.finish()
            raise Refused(End(code=500, reason="InternalError", message=f"node {node} answered out of turn"))

    # From the link.

    def begin(self, publish: Publish) -> None:
        self._publish = publish

    def end(self) -> None:
        """The link is lost."""
        self._publish = None
        lost = _unavailable("the reconciler lost its link to the broker")
        for node in list(self._streams):
            self._lose(node, lost)

    def node_spoke(self, node: str) -> None:
        """The agent said that it is there, or its last will that it is not: what it had open is over either way."""
        self._lose(node, _unavailable(f"node {node} lost its link or its agent was restarted"))

    def said(self, node: str, id_: str, payload: bytes) -> None:
        """A frame of an agent."""
        stream = self._streams.get(node, {}).get(id_)
        if stream is not None:
            stream.take(payload)
        elif self._publish is not None and id_ not in self._farewells and not _is_end(payload):
            # Of an earlier life of ours, or one whose end got lost: once is enough, the link being in order.
            self._farewells[id_] = None
            if len(self._farewells) > MAX_FAREWELLS:
                del self._farewells[next(iter(self._farewells))]
            self._publish(node, f"rpc/{id_}/down", encode_frame(ABRUPT, CANCELLED))

    def _lose(self, node: str, end: End) -> None:
        for stream in list(self._streams.get(node, {}).values()):
            stream.lose(end)

    def _forget(self, node: str, id_: str) -> None:
        streams = self._streams.get(node, {})
        streams.pop(id_, None)
        if not streams:
            self._streams.pop(node, None)

    def _total(self) -> int:
        return sum(len(streams) for streams in self._streams.values())


def _is_end(payload: bytes) -> bool:
    try:
        return isinstance(decode_frame(payload)[1], End)
    except BadMessage:
        return True  # nothing that an answer would help


def _unavailable(message: str) -> End:
    return End(code=503, reason="ServiceUnavailable", message=message)
