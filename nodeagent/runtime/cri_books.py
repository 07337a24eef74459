"""What CRI's books tell of sandboxes and containers, and what containerd's events told before them.

Only what bears this node's label is read. A look at one sandbox is on the way from the death of a container to the next
one's start: whatever is known by its id is asked for at once, and not only after a list has named it again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import structs

from nodeagent.runtime import cri_convert as convert
from nodeagent.runtime.connection import Connection
from nodeagent.runtime.cri_events import Ending, Endings, pauses
from nodeagent.runtime.interface import Container, Missing, RuntimeFailure, Sandbox, State
from nodeagent.runtime.proto import cri_pb2 as cri
from nodeagent.runtime.proto.cri_grpc import RuntimeServiceStub

QUICK = 10.0
"""Seconds for a call that only reads or changes containerd's books."""
SETTLED = 60.0
"""Seconds for containerd's books to follow its own event."""
SOON = 0.03
"""Seconds after which they are first asked whether they have, where the end is told already."""
AT_ONCE = 8
"""Status calls in flight; more gain nothing, as containerd's answers come one after the other."""

_Item = TypeVar("_Item")


class Books:
    """`node` is the value of the label."""

    def __init__(self, connection: Connection, node: str, stub: Callable[[], RuntimeServiceStub]) -> None:
        self._connection = connection
        self._node = node
        self._stub = stub
        self._label = {convert.NODE_LABEL: node}
        self._known: dict[str, str] = {}
        """Containers that bear the label, each with its sandbox. What is gone may be here for a while."""
        self._heard: dict[str, Ending] = {}
        """Containers that have ended, and that CRI's books still tell to run."""

    def made(self, container_id: str, sandbox_id: str) -> None:
        self._known[container_id] = sandbox_id

    async def sandboxes(self, sandbox_id: str = "") -> Sequence[Sandbox]:
        if sandbox_id:
            found = await _each([self._status(sandbox_id)])
            return [convert.sandbox_from_cri(one) for one in found if self._is_ours(one.labels)]
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=self._label))
        reply = await self._connection.call(self._stub().ListPodSandbox, request, QUICK)
        return await _each(self.sandbox(item.id) for item in reply.items)

    async def sandbox(self, sandbox_id: str) -> Sandbox:
        return convert.sandbox_from_cri(await self._status(sandbox_id))

    async def _status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        request = cri.SandboxRequest(pod_sandbox_id=sandbox_id)
        return (await self._connection.call(self._stub().PodSandboxStatus, request, QUICK)).status

    async def containers(self, sandbox_id: str = "") -> Sequence[Container]:
        only = cri.ContainerFilter(pod_sandbox_id=sandbox_id, label_selector=self._label)
        request = cri.ListContainersRequest(filter=only)
        before = {id_: its for id_, its in self._known.items() if not sandbox_id or its == sandbox_id}
        reply, guessed = await asyncio.gather(
            self._connection.call(self._stub().ListContainers, request, QUICK),
            _each(self._container(id_, its) for id_, its in before.items() if sandbox_id),
        )
        listed = {item.id: item.pod_sandbox_id for item in reply.containers}
        for gone in before.keys() - listed.keys():
            self._known.pop(gone, None)
        self._known |= listed
        rest = [(id_, its) for id_, its in listed.items() if not sandbox_id or id_ not in before]
        found = await _each(self._container(id_, its) for id_, its in rest)
        return [*(one for one in guessed if one.id in listed), *found]

    async def _container(self, container_id: str, sandbox_id: str) -> Container:
        request = cri.ContainerStatusRequest(container_id=container_id)
        reply = await self._connection.call(self._stub().ContainerStatus, request, QUICK)
        container = convert.container_from_cri(reply.status, sandbox_id)
        heard = self._heard.get(container_id)
        if heard is None or container.state is not State.RUNNING:
            return container
        ended = {"state": State.EXITED, "exit_code": heard.code, "finished_at": heard.at}
        return structs.replace(container, **ended, provisional=True)

    async def settle(self, ending: Ending, endings: Endings) -> bool:
        """Waits until CRI's own books show what containerd's event said; False where it is none of ours.

        That a container has ended, and by which code, is told before: it is dead, whatever the books say, and the next
        one need not wait for them.

        The CRI plugin hears of an exit at the same time as we do, and a look taken at once would still find the
        container running. It takes a few milliseconds, on a busy machine seconds; after that the relist finds it.
        """
        if ending.removed:
            self._known.pop(ending.id, None)
        try:
            if ending.id in self._known and self._tell(ending, endings):
                await asyncio.sleep(SOON)
            for pause in pauses(until=SETTLED):
                try:
                    ours, ended = await self._has_ended(ending)
                except RuntimeFailure:
                    return True
                if ended or not ours:
                    return ours
                self._tell(ending, endings)
                await asyncio.sleep(pause)
            return True
        finally:
            self._heard.pop(ending.id, None)

    def _tell(self, ending: Ending, endings: Endings) -> bool:
        if ending.at is None or ending.id in self._heard:
            return False
        self._heard[ending.id] = ending
        endings.tell(ending.id)
        return True

    async def _has_ended(self, ending: Ending) -> tuple[bool, bool]:
        """Whether it bears our label, and whether it has ended; what is gone has ended, and may have been ours."""
        container = cri.ContainerStatusRequest(container_id=ending.id)
        try:
            status = (await self._connection.call(self._stub().ContainerStatus, container, QUICK)).status
            # One that ends while it is being started still counts as created, and then as running for a moment.
            lives = status.state in (cri.CONTAINER_CREATED, cri.CONTAINER_RUNNING)
            return self._is_ours(status.labels), not ending.removed and not lives
        except Missing:
            pass  # then it is a sandbox, or gone
        try:
            found = await self._status(ending.id)
            return self._is_ours(found.labels), not ending.removed and found.state != cri.SANDBOX_READY
        except Missing:
            return True, True

    def _is_ours(self, labels: Mapping[str, str]) -> bool:
        return labels.get(convert.NODE_LABEL) == self._node


async def _each(calls: Iterable[Coroutine[None, None, _Item]]) -> list[_Item]:
    """The results in order; what vanished since it was named is left out."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Coroutine[None, None, _Item]) -> _Item | None:
        async with gate:
            try:
                return await call
            except Missing:
                return None

    found = await asyncio.gather(*(one(call) for call in calls))
    return [item for item in found if item is not None]
