"""What CRI's books tell, and when it is asked: against a containerd whose books are a few dictionaries."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from nodeagent.runtime import cri_convert as convert
from nodeagent.runtime.cri_books import Books
from nodeagent.runtime.cri_events import Ending, Endings
from nodeagent.runtime.interface import Missing, RuntimeEvent, State
from nodeagent.runtime.proto import cri_pb2 as cri

OURS, THEIRS = {convert.NODE_LABEL: "n1"}, {convert.NODE_LABEL: "n2"}
AT = datetime(2026, 1, 1, tzinfo=UTC)
STUB = SimpleNamespace(
    **{name: name for name in ("ListPodSandbox", "PodSandboxStatus", "ListContainers", "ContainerStatus")}
)


class Containerd:
    """As a connection. Answers come once all that was asked at a time has been asked."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, cri.PodSandboxStatus] = {}
        self.containers: dict[str, tuple[str, cri.ContainerStatus]] = {}
        self.rounds: list[set[str]] = []
        self._asked: set[str] | None = None

    def run(self, container: str, sandbox: str, labels: dict[str, str]) -> None:
        metadata = cri.PodSandboxMetadata(name=sandbox, uid=sandbox)
        self.sandboxes[sandbox] = cri.PodSandboxStatus(
            id=sandbox, metadata=metadata, state=cri.SANDBOX_READY, labels=labels
        )
        status = cri.ContainerStatus(
            id=container,
            metadata=cri.ContainerMetadata(name=container),
            state=cri.CONTAINER_RUNNING,
            started_at=1,
            labels=labels,
        )
        self.containers[container] = sandbox, status

    async def call(self, method: str, request: Any, seconds: float) -> Any:  # noqa: ANN401 - messages of any kind
        if self._asked is None:
            self._asked = set()
            self.rounds.append(self._asked)
        self._asked.add(method)
        for _ in range(5):
            await asyncio.sleep(0)
        self._asked = None
        return self._answer(method, request)

    def _answer(self, method: str, request: Any) -> Any:  # noqa: ANN401 - messages of any kind
        try:
            match method:
                case "ContainerStatus":
                    return cri.ContainerStatusResponse(status=self.containers[request.container_id][1])
                case "PodSandboxStatus":
                    return cri.PodSandboxStatusResponse(status=self.sandboxes[request.pod_sandbox_id])
                case "ListContainers":
                    wanted = request.filter.pod_sandbox_id
                    items = [
                        cri.Container(id=id_, pod_sandbox_id=its)
                        for id_, (its, one) in self.containers.items()
                        if wanted in ("", its) and dict(one.labels) == dict(request.filter.label_selector)
                    ]
                    return cri.ListContainersResponse(containers=items)
        except KeyError:
            raise Missing("not found") from None
        raise AssertionError(method)


def books(containerd: Containerd) -> Books:
    return Books(containerd, "n1", lambda: STUB)  # type: ignore[arg-type,return-value]


async def asked(containerd: Containerd, *looks: Awaitable[object]) -> list[set[str]]:
    containerd.rounds.clear()
    await asyncio.gather(*looks)
    return containerd.rounds


async def test_what_is_known_is_looked_at_in_one_round() -> None:
    containerd = Containerd()
    containerd.run("c1", "s1", OURS)
    ours = books(containerd)
    assert len(await asked(containerd, ours.containers("s1"))) == 2
    whole = {"ListContainers", "ContainerStatus", "PodSandboxStatus"}
    assert await asked(containerd, ours.containers("s1"), ours.sandboxes("s1")) == [whole]
    containerd.run("c2", "s1", OURS)
    assert [one.id for one in await ours.containers("s1")] == ["c1", "c2"]


async def test_what_is_gone_or_another_s_is_not_there() -> None:
    containerd = Containerd()
    containerd.run("c1", "s1", OURS)
    containerd.run("c2", "s2", THEIRS)
    ours = books(containerd)
    assert [one.id for one in await ours.containers()] == ["c1"]
    assert [one.id for one in await ours.sandboxes("s2")] == []
    assert [one.id for one in await ours.sandboxes("s3")] == []
    del containerd.containers["c1"]
    assert await ours.containers("s1") == []
    assert await ours.containers() == []


async def test_the_end_of_a_known_container_is_told_before_the_books_are_asked() -> None:
    containerd = Containerd()
    containerd.run("c1", "s1", OURS)
    ours = books(containerd)
    ours.made("c1", "s1")
    endings = Endings(lambda ending: ours.settle(ending, endings))
    reader: asyncio.Task[None] = asyncio.create_task(asyncio.sleep(3600))
    endings.hear(Ending("c1", code=137, at=AT))
    assert await endings.next(reader) == RuntimeEvent("c1")
    assert containerd.rounds == []
    (found,) = await ours.containers("s1")
    assert (found.state, found.exit_code, found.finished_at, found.provisional) == (State.EXITED, 137, AT, True)
    containerd.containers["c1"][1].state = cri.CONTAINER_EXITED
    containerd.containers["c1"][1].exit_code = 137
    assert await endings.next(reader) == RuntimeEvent("c1")
    (found,) = await ours.containers("s1")
    assert (found.state, found.provisional) == (State.EXITED, False)
    reader.cancel()


async def test_the_end_of_another_s_container_is_never_told() -> None:
    containerd = Containerd()
    containerd.run("c2", "s2", THEIRS)
    ours = books(containerd)
    await ours.containers()
    endings = Endings(lambda ending: ours.settle(ending, endings))
    assert not await ours.settle(Ending("c2", code=1, at=AT), endings)
