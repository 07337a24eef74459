"""A live cluster whose time is turned by hand: the reconciler's own store, folder, controllers and scheduler.

Only the nodes are played, by what an agent is told (`assignments`) and what it would say (`inbound`): all that they
have to say after they were told something comes at once, so that it does not hang on the machine's speed in which
order pods get ready.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.admission import AdmissionSettings, admission
from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.controllers.volumes import localpath
from reconciler.link.assignments import desired, uses
from reconciler.link.inbound import pod_changes
from reconciler.manifests.planning import ALWAYS_THERE
from reconciler.manifests.sync import ManifestSync
from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.changes import Change, Create
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from reconciler.store.view import View
from schemas.core.config import ConfigMap, Namespace
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateWaiting, ContainerStatus, PodCondition, PodStatus
from schemas.kinds import KINDS
from schemas.messages import PodReport
from schemas.meta import Object, ObjectMeta
from tests.waiting import PATIENCE

START = datetime(2026, 1, 1, tzinfo=UTC)
MARKER = "the-newest-state"
_AUTHORITY = "a certificate that no program here looks at"


class Live:
    """Runs. `merge` puts a new state into the folder; `rest` returns when all of its consequences are there."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.now = START
        self.cluster, self.directory = cluster, directory
        self.states = 0
        self.folder = directory / "folder"
        self.loop = ControllerLoop(cluster, controllers(ControllerSettings(authority=_AUTHORITY)), self.clock)
        self.scheduler = SchedulerLoop(cluster, self.clock, self.loop.has_made)
        self.sync = ManifestSync(cluster, self.folder, clock=self.clock, admit=admission(AdmissionSettings()))

    def clock(self) -> datetime:
        return self.now

    def objects(self) -> tuple[Object, ...]:
        return tuple(found for kind in KINDS for found in self.cluster.cache.list(kind.type))

    def prepare(self, files: Mapping[str, str]) -> Path:
        """The next state, beside the folder: a new checkout, as git-sync makes them."""
        self.states += 1
        state = self.directory / f"state-{self.states}"
        state.mkdir()
        for name, text in files.items():
            (state / name).write_text(text)
        marker = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {MARKER}}}\ndata: {{state: '{self.states}'}}\n"
        (state / "marker.yaml").write_text(marker)
        return state

    async def merge(self, state: Path) -> None:
        """All of it at once, by the swap of a symlink."""
        link = self.directory / "next"
        link.symlink_to(state)
        before = self.folder.resolve() if self.folder.exists() else None
        os.replace(link, self.folder)
        async with asyncio.timeout(20 * PATIENCE):
            while not self._has_seen():
                await asyncio.sleep(0.002)
        if before is not None:
            shutil.rmtree(before)
        await self.rest()

    def _has_seen(self) -> bool:
        found = self.cluster.cache.get(ConfigMap, "default", MARKER)
        return found is not None and found.data["state"] == str(self.states)

    async def rest(self) -> None:
        while True:
            await self._quiet()
            said = reports(self.cluster.cache, self.now + timedelta(seconds=1))
            if not said:
                return
            self.now += timedelta(seconds=1)
            await self.cluster.apply(said)

    async def _quiet(self) -> None:
        end = asyncio.get_running_loop().time() + 20 * PATIENCE
        while not self._is_quiet():
            assert asyncio.get_running_loop().time() < end, (
                f"not at rest: {self.loop.statistics()}, {self.scheduler.statistics()}, folder idle: {self.sync.idle}"
            )
            await asyncio.sleep(0.001)

    def _is_quiet(self) -> bool:
        loop = self.loop
        return loop.idle and not loop.statistics().retrying and self.scheduler.idle and self.sync.idle


def reports(view: View, now: datetime) -> list[Change]:
    """What the agents have to say, each of the pods that it was told to run."""
    found: list[Change] = []
    for node in view.list(Node):
        told = desired(node.metadata.name, view)
        for uid, assignment in told.pods.items():
            live = view.by_uid(uid)
            assert isinstance(live, Pod)
            missing = sorted(ref for ref in uses(live) if view.find(ref) is None)
            if live.metadata.deletion_timestamp is None and live.status.phase == "Running":
                continue
            status = waiting(live, missing[0].name, now) if missing else running(now)
            report = PodReport(
                epoch=1,
                generation=assignment.pod.metadata.generation,
                namespace=live.metadata.namespace,
                name=live.metadata.name,
                status=live.status if live.status.container_statuses and missing else status,
                removed=live.metadata.deletion_timestamp is not None,
            )
            found += pod_changes(uid, node.metadata.name, report, view) or ()
    return found


def running(now: datetime) -> PodStatus:
    told = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
    conditions = tuple(PodCondition("True", type_, last_transition_time=now) for type_ in told)
    return PodStatus(phase="Running", conditions=conditions, start_time=now)


def waiting(pod: Pod, name: str, now: datetime) -> PodStatus:
    why = ContainerStateWaiting(f'configmap "{name}" not found', "CreateContainerConfigError")
    status = ContainerStatus(
        image="", image_id="", name="main", ready=False, restart_count=0, state=ContainerState(waiting=why)
    )
    conditions = (PodCondition("False", "Ready", last_transition_time=now),)
    return PodStatus(phase="Pending", conditions=conditions, container_statuses=(status,), start_time=now)


@asynccontextmanager
async def live(directory: Path, nodes: tuple[Node, ...], files: Mapping[str, str]) -> AsyncIterator[Live]:
    """A cluster of these nodes, at rest with the folder of these files."""
    store = await SqliteStore.open(directory / "store.db")
    one: Live | None = None
    cluster = await Cluster.open(
        store, clock=lambda: one.now if one is not None else START, admit=admission(AdmissionSettings())
    )
    one = Live(cluster, directory)
    namespaces = [Namespace(metadata=ObjectMeta(name=name)) for name in sorted(ALWAYS_THERE)]
    await cluster.apply([Create(object_) for object_ in (*namespaces, localpath.BUILT_IN, *nodes)])
    one.folder.symlink_to(one.prepare(files))
    tasks = [asyncio.create_task(each) for each in (one.sync.run(), one.loop.run(), one.scheduler.run())]
    try:
        async with asyncio.timeout(60 * PATIENCE):
            await one.sync.seen.wait()
            await one.rest()
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cluster.close()
