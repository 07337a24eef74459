"""Pods, and a node that runs them on the simulated runtime in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from nodeagent.accepted import Accepted
from nodeagent.lease import Lease
from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import Container, State
from nodeagent.simulation import SIMULATED
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus, PodStatus
from schemas.messages import Assignment, Config, Digest, NodeEvent
from tests.unit.nodeagent.pods.virtual import VirtualClock


def pod(uid: str = "u1", name: str = "web", *, generation: int = 1, **spec: Any) -> Pod:  # noqa: ANN401 - as YAML
    """A pod as a manifest writes it; one container `main` unless told otherwise."""
    spec.setdefault("containers", [{"name": "main", "image": "app:1"}])
    metadata = {"name": name, "namespace": "default", "uid": uid, "generation": generation}
    metadata |= spec.pop("metadata", {})
    return msgspec.convert({"metadata": metadata, "spec": spec}, Pod)


def deleted(of: Pod, grace: int = 30) -> Pod:
    meta = msgspec.structs.replace(
        of.metadata,
        deletion_timestamp=VirtualClock().now(),
        deletion_grace_period_seconds=grace,
        generation=of.metadata.generation + 1,
    )
    return msgspec.structs.replace(of, metadata=meta)


def accepted(
    pods: Iterable[Pod],
    configs: Iterable[Config] = (),
    *,
    damaged: Iterable[str] = (),
    discard: Mapping[str, str] | None = None,
) -> Accepted:
    """`damaged`: uids that the digest names and whose bodies were lost."""
    bodies, lost = {one.metadata.uid: one for one in pods}, set(damaged)
    return Accepted(
        Digest(
            "store",
            1,
            dict.fromkeys(lost, 1) | {uid: one.metadata.generation for uid, one in bodies.items()},
            discard=dict(discard or {}),
        ),
        {uid: Assignment(one) for uid, one in bodies.items()},
        {one.key: one for one in configs},
        complete=not lost,
    )


class Recorder:
    """A reporter that keeps everything."""

    def __init__(self) -> None:
        self.statuses: dict[str, PodStatus] = {}
        self.history: list[tuple[str, PodStatus]] = []
        self.removed: set[str] = set()
        self.forgotten: set[str] = set()
        self.events: list[NodeEvent] = []
        self.gone: tuple[str, ...] = ()

    def pod(self, uid: str, generation: int, namespace: str, name: str, status: PodStatus, removed: bool) -> None:
        self.statuses[uid] = status
        self.history.append((uid, status))
        if removed:
            self.removed.add(uid)

    def discarded(self, volumes: tuple[str, ...]) -> None:
        self.gone = volumes

    def forget(self, uid: str) -> None:
        self.forgotten.add(uid)

    def event(self, event: NodeEvent) -> None:
        self.events.append(event)

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]


class Node:
    """`restart_agent` is a kill -9 of the agent: the runtime and the directories stay."""

    def __init__(self, path: Path, runtime: FakeRuntime | None = None) -> None:
        self.clock = VirtualClock()
        self.runtime = runtime or FakeRuntime(now=self.clock.now)
        self.directories = Directories(path / "data", path / "run", path / "logs")
        self.reporter = Recorder()
        self._start()

    def _start(self) -> None:
        self.lease = Lease(self.directories.run, self.clock.monotonic)
        self.facts = NodeFacts(name="node-1", addresses=("10.0.0.1",), memory_capacity=1 << 30)
        self.workers = PodWorkers(
            self.runtime,
            self.reporter,
            directories=self.directories,
            node=self.facts,
            clock=self.clock,
            simulation=SIMULATED,
            lease=self.lease,
        )
        self._task = asyncio.create_task(self.workers.run())

    async def stop_agent(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def restart_agent(self) -> None:
        await self.stop_agent()
        self.reporter = Recorder()
        self._start()

    def accept(
        self,
        *pods: Pod,
        configs: Iterable[Config] = (),
        damaged: Iterable[str] = (),
        discard: Mapping[str, str] | None = None,
    ) -> None:
        self.workers.accept(accepted(pods, configs, damaged=damaged, discard=discard))

    def status(self, uid: str = "u1") -> PodStatus:
        return self.reporter.statuses.get(uid, PodStatus())

    def container(self, name: str = "main", uid: str = "u1") -> ContainerStatus:
        status = self.status(uid)
        return next(one for one in (*status.container_statuses, *status.init_container_statuses) if one.name == name)

    def is_ready(self, uid: str = "u1") -> bool:
        return any(one.type == "Ready" and one.status == "True" for one in self.status(uid).conditions)

    async def containers(self, name: str = "") -> list[Container]:
        return [one for one in await self.runtime.list_containers() if name in ("", one.name)]

    async def running(self, name: str = "") -> list[Container]:
        return [one for one in await self.containers(name) if one.state is State.RUNNING]


@asynccontextmanager
async def node(path: Path, runtime: FakeRuntime | None = None) -> AsyncIterator[Node]:
    one = Node(path, runtime)
    try:
        yield one
    finally:
        await one.stop_agent()
