"""containerd's event stream, as far as it concerns containers: who ended, and who was removed.
(Running out of memory ends a container; its reason is in the status.)

CRI of containerd 1.6 has no events of its own. Nothing that happens after the first event of the stream is lost:
an event of our own is published, and only when it has come back is the subscription taken to stand.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import msgspec
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from nodeagent.runtime.connection import NAMESPACE, Connection
from nodeagent.runtime.interface import RuntimeEvent, RuntimeFailure, Unavailable
from nodeagent.runtime.proto import events_pb2 as events
from nodeagent.runtime.proto import occurrences_pb2 as occurrences
from nodeagent.runtime.proto.events_grpc import EventsStub
from nodeagent.runtime.proto.types_pb2 import Envelope

EXIT, REMOVED = "/tasks/exit", "/containers/delete"
READY = "/wherry/subscribed"


class Ending(msgspec.Struct, frozen=True):
    """Of the container or sandbox with this id: its process (by which code, and when), or (`removed`) all of it."""

    id: str
    removed: bool = False
    code: int = 0
    at: datetime | None = None


def read(envelope: Envelope) -> Ending | None:
    """None for what is no ending of a container, such as that of an exec in it."""
    try:
        if envelope.topic == EXIT:
            exited = occurrences.TaskExit.FromString(envelope.event.value)
            if exited.id != exited.container_id:
                return None
            at = exited.exited_at.ToDatetime(UTC) if exited.HasField("exited_at") else None
            return Ending(exited.container_id, code=exited.exit_status, at=at)
        if envelope.topic == REMOVED:
            return Ending(occurrences.ContainerDelete.FromString(envelope.event.value).id, removed=True)
    except DecodeError:
        return None
    return None


def pauses(until: float = float("inf")) -> Iterator[float]:
    """Seconds to wait before the next look at what will be so in a moment: from 2 ms, doubling to 100 ms."""
    pause, total = 0.002, 0.0
    while total < until:
        yield pause
        total += pause
        pause = min(pause * 2, 0.1)


class Endings:
    """What was heard and is still to be told. An id waits here once, however often it was heard."""

    def __init__(self, settle: Callable[[Ending], Awaitable[bool]]) -> None:
        self._settle = settle
        self._told: dict[str, None] = {}
        self._some = asyncio.Event()
        self._settling: set[asyncio.Task[None]] = set()

    def hear(self, ending: Ending) -> None:
        task = asyncio.create_task(self._tell(ending), name=f"runtime-event[{ending.id[:12]}]")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _tell(self, ending: Ending) -> None:
        if await self._settle(ending):
            self.tell(ending.id)

    def tell(self, container_id: str) -> None:
        self._told[container_id] = None
        self._some.set()

    async def next(self, reader: asyncio.Task[None]) -> RuntimeEvent | None:
        """The next event; raises what the reader ended with."""
        if not self._told:
            self._some.clear()
            waiting = asyncio.create_task(self._some.wait())
            try:
                await asyncio.wait((waiting, reader), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        if self._told:
            first = next(iter(self._told))
            del self._told[first]
            return RuntimeEvent(first)
        await reader
        return None

    def close(self) -> None:
        for task in self._settling:
            task.cancel()


async def subscribe(connection: Connection, endings: Endings) -> None:
    """Feeds `endings` until the stream breaks; always ends with `Unavailable`."""
    token = secrets.token_bytes(16)
    stub = EventsStub(connection.channel)
    try:
        async with asyncio.TaskGroup() as group:
            announcing = group.create_task(_announce(connection, stub, token), name="runtime-events-announce")
            await _read_all(connection, stub, endings, token, announcing)
    except* RuntimeFailure as failures:
        first = failures.exceptions[0]
    raise Unavailable(str(first)) from first


async def _read_all(
    connection: Connection, stub: EventsStub, endings: Endings, token: bytes, announcing: asyncio.Task[None]
) -> None:
    filters = [f'namespace=={NAMESPACE},topic=="{topic}"' for topic in (EXIT, REMOVED, READY)]
    async with connection.stream(stub.Subscribe) as stream:
        await stream.send_message(events.SubscribeRequest(filters=filters), end=True)
        while (envelope := await stream.recv_message()) is not None:
            if envelope.topic == READY:
                if envelope.event.value == token and announcing.cancel():
                    endings.tell("")
            elif (ending := read(envelope)) is not None:
                endings.hear(ending)
    raise Unavailable("containerd ended its event stream")


async def _announce(connection: Connection, stub: EventsStub, token: bytes) -> None:
    """Says the token until it is heard: containerd does not tell when a subscription stands."""
    event = events.PublishRequest(topic=READY, event=Any(type_url="wherry.dev/Subscribed", value=token))
    for pause in pauses(until=30.0):
        await connection.call(stub.Publish, event, 10, {"containerd-namespace": NAMESPACE})
        await asyncio.sleep(pause)
    raise Unavailable("containerd's event stream carries nothing")
