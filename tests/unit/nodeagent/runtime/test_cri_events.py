import asyncio
from datetime import UTC, datetime

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp

from nodeagent.runtime.cri_events import Ending, Endings, pauses, read
from nodeagent.runtime.interface import RuntimeEvent, Unavailable
from nodeagent.runtime.proto.occurrences_pb2 import ContainerDelete, TaskExit
from nodeagent.runtime.proto.types_pb2 import Envelope


def envelope(topic: str, content: bytes) -> Envelope:
    return Envelope(namespace="k8s.io", topic=topic, event=Any(value=content))


@pytest.mark.parametrize(
    ("heard", "ending"),
    [
        (envelope("/tasks/exit", TaskExit(container_id="a", id="a").SerializeToString()), Ending("a")),
        (
            envelope(
                "/tasks/exit",
                TaskExit(
                    container_id="a", id="a", exit_status=137, exited_at=Timestamp(seconds=60)
                ).SerializeToString(),
            ),
            Ending("a", code=137, at=datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
        ),
        (envelope("/tasks/exit", TaskExit(container_id="a", id="exec-1").SerializeToString()), None),
        (envelope("/containers/delete", ContainerDelete(id="a").SerializeToString()), Ending("a", removed=True)),
        (envelope("/tasks/exit", b"\xff\xff"), None),
        (envelope("/tasks/create", b""), None),
    ],
)
def test_only_endings_of_containers_are_heard(heard: Envelope, ending: Ending | None) -> None:
    assert read(heard) == ending


def test_pauses_grow_and_come_to_an_end() -> None:
    found = list(pauses(until=1.0))
    assert found == sorted(found)
    assert 1.0 <= sum(found) <= 1.1


async def test_an_ending_is_told_when_it_has_settled_and_only_once() -> None:
    settled = asyncio.Event()

    async def settle(ending: Ending) -> bool:
        await settled.wait()
        return ending.id != "anothers"

    endings = Endings(settle)
    reader = asyncio.create_task(asyncio.Event().wait())
    for name in ("a", "a", "anothers", "b"):
        endings.hear(Ending(name))
    coming = asyncio.create_task(endings.next(reader))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert not coming.done()
    settled.set()
    assert await coming == RuntimeEvent("a")
    assert await endings.next(reader) == RuntimeEvent("b")  # type: ignore[arg-type]
    reader.cancel()


async def test_what_ended_the_stream_is_told_after_the_last_event() -> None:
    async def broken() -> None:
        raise Unavailable("gone")

    async def settle(ending: Ending) -> bool:
        return True

    endings = Endings(settle)
    reader = asyncio.create_task(broken())
    endings.tell("a")
    await asyncio.wait([reader])
    assert await endings.next(reader) == RuntimeEvent("a")
    with pytest.raises(Unavailable, match="gone"):
        await endings.next(reader)
