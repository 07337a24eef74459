"""The workers of all pods of a node: who they are, and who has to look again.

What is accepted is wanted, what the runtime lists is there; a pod that is either has a worker. One subscription to
the runtime's events serves them all, and a full look, when the stream begins and every few minutes, makes up for
whatever it did not tell. A pod that the digest names and whose body is not here (the checkpoint was damaged) runs on
as it is, without a worker, until the body comes: only the digest takes pods away.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from nodeagent.accepted import Accepted
from nodeagent.images.pulls import Images
from nodeagent.lease import Lease
from nodeagent.pods import files
from nodeagent.pods.actions import Failure
from nodeagent.pods.admission import Neighbours, admit
from nodeagent.pods.checks import Reach
from nodeagent.pods.context import Clock, Context, SystemClock
from nodeagent.pods.imagevolumes import release_images
from nodeagent.pods.logs import IN_MEMORY, LogLimits, rotate
from nodeagent.pods.logtally import LogTally
from nodeagent.pods.node import Directories, NodeFacts, logs_in_memory
from nodeagent.pods.observed import Observed, observed
from nodeagent.pods.podstate import PodState, orphan
from nodeagent.pods.resizing import Room
from nodeagent.pods.worker import PodWorker
from nodeagent.reporter import Reporter
from nodeagent.runtime.interface import Container, Runtime, RuntimeFailure, Sandbox, State
from nodeagent.tallies import TALLIES
from nodeagent.volumes.discards import Discards
from nodeagent.volumes.plan import Local
from schemas.core.pod import Pod
from schemas.network import NetworkService
from schemas.podrequests import requests

log = logging.getLogger(__name__)

FULL_LOOK = 300.0
AGAIN = "runtime-found-again"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts to reach a runtime that is away."""


class Statistics(msgspec.Struct, frozen=True):
    workers: int
    busy: int
    available: bool


class PodWorkers:
    """`accept` may be called at any time; nothing is done before `run`, and before the first full look."""

    def __init__(
        self,
        runtime: Runtime,
        reporter: Reporter,
        *,
        directories: Directories,
        node: NodeFacts,
        clock: Clock | None = None,
        start_limit: int = 10,
        images: Images | None = None,
        logs: LogLimits | None = None,
        simulation: Reach | None = None,
        lease: Lease | None = None,
        services: Callable[[], Collection[NetworkService]] = tuple,
    ) -> None:
        """`simulation`: how containers are reached where they only seem to run; volumes are then plain directories.

        Without a lease of their own pods that are fenced never run.
        """
        clock = clock or SystemClock()
        self.images = images or Images(runtime, clock.monotonic)
        lease = lease or Lease(directories.run)
        lease.regained = self._lease_regained
        self._context = Context(
            runtime, reporter, directories, node, self.images, clock, start_limit, simulation, lease, services
        )
        self._context.lost = self._lost
        self._context.room = self._room
        self._discards = Discards(self._context.volumes, self._mounted, reporter.discarded)
        self._logs = logs or LogLimits()
        self.unwilling: Callable[[Pod], Failure | None] = lambda _: None
        """Why the node takes no new pod, or not this one, for its own sake."""
        self._accepted: Accepted | None = None
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._without_body: set[str] = set()
        self._available = asyncio.Event()
        self._relisted = False
        self._swept = False
        self._stopping = False
        self._going_down: Callable[[Pod], float | None] = lambda _: None

    @property
    def states(self) -> Mapping[str, PodState]:
        """What is known of each pod, by uid."""
        return {uid: worker.state for uid, worker in self._workers.items()}

    def statistics(self) -> Statistics:
        busy = sum(worker.is_busy for worker in self._workers.values())
        return Statistics(len(self._workers), busy, self._available.is_set())

    def _mounted(self) -> set[str]:
        """Directories of volumes: of pods that are to run, and of those that are no longer named and still end."""
        configs = self._accepted.configs.values() if self._accepted is not None else ()
        held = (planned for state in self.states.values() for planned in state.volumes.values())
        named = {config.volume.local for config in configs if config.volume is not None}
        return named | {planned.path for planned in held if isinstance(planned, Local)}

    def _room(self, uid: str) -> Room:
        """For the pod of this uid."""
        node, others = self._context.node, Counter[str]()
        for other, state in self.states.items():
            if other != uid and not state.memory.finished:
                others.update(requests(state.granted))
        known = {"cpu": node.allocatable_cpu, "memory": node.allocatable_memory}
        return Room({name: amount for name, amount in known.items() if amount}, others)

    def _weigh_again(self) -> None:
        """There may be room now for a resize that had to wait."""
        for worker in self._workers.values():
            resize = worker.state.memory.resize
            if resize is not None and resize.pending:
                worker.wake()

    def accept(self, accepted: Accepted) -> None:
        """What shall run from now on. Only the workers that it concerns are woken."""
        self._accepted = accepted
        self._discards.want(accepted.digest.discard)
        if self._relisted:
            self._apply(accepted)
        elif self._available.is_set():
            self._look_soon()  # the first look came before there was anything to hold it against

    def update_node(self, node: NodeFacts) -> None:
        """Facts that later starts and reports go by."""
        self._context.node = node
        for worker in self._workers.values():
            worker.wake()

    def images_came(self) -> None:
        """By another way than a pull: containers that wait for one try again."""
        self.images.forget_back_offs()
        for worker in self._workers.values():
            worker.images_came()

    # What the node does with its pods by itself.

    def active(self) -> list[PodState]:
        """Of pods that have not run to their end."""
        return [one.state for one in self._workers.values() if not one.state.memory.finished and not one.dropped]

    def evict(self, uid: str, failure: Failure) -> bool:
        """Ends the pod for good. False where there is nothing left to end."""
        worker = self._workers.get(uid)
        return worker is not None and worker.fail(failure)

    async def remove_dead(self) -> None:
        """The containers of pods that have run to their end, with their logs."""
        for worker in list(self._workers.values()):
            state = worker.state
            for instance in state.observed.all() if state.memory.finished else ():
                files.remove_logs(self._context.directories, state.pod, instance.name, instance.attempt)
                await self._context.runtime.remove_container(instance.id)
                worker.look_again()

    def go_down(self, grace: Callable[[Pod], float | None]) -> None:
        """How many seconds each pod has, as the machine goes down; None: it runs on. New pods go by it, too."""
        self._going_down = grace
        for worker in self._workers.values():
            worker.go_down(grace(worker.state.pod))

    def live(self, among: Callable[[Pod], bool]) -> bool:
        """Whether anything runs of these pods."""
        states = (worker.state for worker in self._workers.values() if among(worker.state.pod))
        return any(state.observed.live() for state in states)

    def _lease_regained(self) -> None:
        for worker in self._workers.values():
            if worker.is_held:
                worker.wake()

    def begin(self) -> None:
        """The run directory is on memory from here on. Raises `OSError` where it cannot be."""
        self._context.volumes.start()

    async def run(self) -> None:
        """Until cancelled; containers run on. Raises `OSError` when the run directory cannot be used."""
        self.begin()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="runtime-events-follower")
                group.create_task(self._look_now_and_then(), name="full-look")
                group.create_task(self._rotate_logs(), name="log-rotation")
                group.create_task(self._discards.run(), name="volume-discards")
        finally:
            self._stopping = True
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.images.stop()

    def _apply(self, accepted: Accepted) -> None:
        for uid, worker in self._workers.items():
            assignment = accepted.pods.get(uid)
            if assignment is not None:
                worker.assign(assignment.pod, accepted.configs)
            elif uid not in accepted.digest.pods and not worker.dropped:
                worker.drop()
        new: list[PodWorker] = []
        for uid, assignment in accepted.pods.items():
            if uid not in self._workers and uid not in self._without_body:
                new.append(PodWorker(self._context, assignment.pod, accepted.configs, Observed()))
        self._admit(new, accepted)
        if any(not _lacks_body(uid, accepted) for uid in self._without_body):
            self._look_soon()  # what runs of it has to be found again before there is a worker for it
        self._weigh_again()
        self._sweep(accepted)

    def _admit(self, new: Sequence[PodWorker], accepted: Accepted) -> None:
        """Each in turn; what was admitted before, by whatever agent, holds what it has."""
        if not new:
            return
        held = [one.state for one in self._workers.values() if not one.dropped and not one.state.memory.finished]
        neighbours = Neighbours((state.granted, state.allocated) for state in held if state.memory.failure is None)
        for worker in new:
            pod, context = worker.state.pod, self._context
            self._employ(worker)
            if worker.is_new:
                found = self.unwilling(pod) or admit(
                    pod, context.node, neighbours, accepted.digest.labels, context.features
                )
                if isinstance(found, Failure):
                    worker.fail(found)
                    continue
                worker.state.allocated = found
            if worker.state.memory.failure is None and not worker.state.memory.finished:
                neighbours.add(pod, worker.state.allocated)

    def _employ(self, worker: PodWorker) -> None:
        uid, meta = worker.state.uid, worker.state.pod.metadata
        self._workers[uid] = worker
        if (grace := self._going_down(worker.state.pod)) is not None:
            worker.go_down(grace)
        task = asyncio.create_task(worker.run(self._available), name=f"pod-worker[{meta.namespace}/{meta.name}]")
        self._tasks[uid] = task
        task.add_done_callback(lambda ended: self._dismissed(uid, ended))

    def _dismissed(self, uid: str, task: "asyncio.Task[None]") -> None:
        """Its pod is gone; one of the same uid that is wanted again, or whose worker broke, begins from a full look."""
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if task.cancelled() or self._stopping:
            return
        self._weigh_again()
        if task.exception() is not None:
            log.error("pod worker broke uid=%s", uid, exc_info=task.exception())
        if self._accepted is not None and uid in self._accepted.pods:
            asyncio.get_running_loop().call_later(FIRST_PAUSE, self._look_soon)

    # The runtime.

    def _lost(self) -> None:
        if self._available.is_set():
            log.warning("runtime does not answer; pods run on unwatched until it does")
            self._available.clear()
            self._tasks[AGAIN] = asyncio.get_running_loop().create_task(self._find_again(), name=AGAIN)

    async def _find_again(self) -> None:
        """A call may have taken too long while the stream of events stands, so that none will tell of the runtime."""
        pause = FIRST_PAUSE
        while not self._available.is_set():
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            await self._look_quietly()

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async for event in self._context.runtime.events():
                    pause = FIRST_PAUSE
                    if event.id:
                        self._look_at(event.id)
                    else:
                        await self._look()
            except RuntimeFailure as error:
                log.debug("event stream ended error=%s", error)
            self._lost()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _look_at(self, id_: str) -> None:
        """An id that nobody knows may be of what a worker is just making."""
        owner = self._workers.get(self._context.owners.get(id_, ""))
        if owner is not None:
            owner.look_again()
            return
        for worker in self._workers.values():
            if worker.is_busy:
                worker.look_again(everywhere=True)

    async def _look(self) -> None:
        """A full look. Raises `RuntimeFailure`."""
        runtime = self._context.runtime
        before = set(self._workers)
        sandboxes, containers = await asyncio.gather(runtime.list_sandboxes(), runtime.list_containers())
        self._context.features = await runtime.features()
        found = _by_pod(sandboxes, containers)
        first, self._relisted = not self._relisted, True
        for uid in before & set(self._workers):
            self._workers[uid].was_observed(found.get(uid, Observed()))
        if self._accepted is not None:
            self._take_in(self._accepted, found)
            self._apply(self._accepted)
        elif first:
            self._relisted = False  # nothing accepted yet: what runs, runs on
        if not self._available.is_set():
            log.info("runtime answers sandboxes=%d containers=%d", len(sandboxes), len(containers))
            self._available.set()

    def _take_in(self, accepted: Accepted, found: Mapping[str, Observed]) -> None:
        """Adopts what runs; what runs and is not wanted gets a worker that ends it."""
        self._without_body = {uid for uid in found if uid not in self._workers and _lacks_body(uid, accepted)}
        for uid, what in found.items():
            if uid in self._workers or uid in self._without_body:
                continue
            assignment = accepted.pods.get(uid)
            pod = assignment.pod if assignment else orphan(what)
            self._employ(PodWorker(self._context, pod, accepted.configs, what, dropped=assignment is None))

    def _look_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._look_quietly(), name="full-look-once")
        self._tasks["full-look-once"] = task
        task.add_done_callback(lambda _: self._tasks.pop("full-look-once", None))

    async def _look_quietly(self) -> None:
        try:
            await self._look()
        except RuntimeFailure as error:
            log.debug("full look failed error=%s", error)

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(FULL_LOOK)
            if self._available.is_set():
                await self._look_quietly()

    # Files.

    def _sweep(self, accepted: Accepted) -> None:
        """Once: files of pods that an agent before this one did not come to remove."""
        if self._swept:
            return
        self._swept = True
        directories = self._context.directories
        kept = {*accepted.digest.pods, *accepted.pods, *self._workers}
        former = self._context.volumes.known() - kept
        if former:
            self._tasks["sweep"] = asyncio.get_running_loop().create_task(self._remove_former(former), name="sweep")
            self._tasks["sweep"].add_done_callback(lambda _: self._tasks.pop("sweep", None))
        for logs in (directories.logs, directories.memory_logs):
            for entry in list(os.scandir(logs)) if logs.is_dir() else ():
                if entry.name.rpartition("_")[2] not in kept:
                    files.remove_tree(logs / entry.name)

    async def _remove_former(self, uids: Collection[str]) -> None:
        for uid in uids:
            try:
                await release_images(self._context, uid)
                self._context.volumes.remove(uid)
            except (OSError, RuntimeFailure) as error:
                log.warning("files of a former pod stay uid=%s error=%s", uid, error)

    async def _rotate_logs(self) -> None:
        tally, began = LogTally(TALLIES), self._context.clock.now()
        while True:
            await asyncio.sleep(self._logs.interval)
            if not self._available.is_set():
                continue
            seen = set()
            for worker in list(self._workers.values()):
                state = worker.state
                in_memory = logs_in_memory(state.pod)
                for instance in state.observed.all():
                    path = files.log_path(self._context.directories, state.pod, instance)
                    if not in_memory:
                        seen.add(instance.id)
                        tally.look(instance.id, path, is_new=instance.created_at >= began)
                    if instance.state is State.RUNNING:
                        limits = IN_MEMORY if in_memory else self._logs
                        if await rotate(self._context.runtime, instance.id, path, limits):
                            tally.rotated(instance.id)
            tally.keep(seen)


def _lacks_body(uid: str, accepted: Accepted) -> bool:
    return uid in accepted.digest.pods and uid not in accepted.pods


def _by_pod(sandboxes: Sequence[Sandbox], containers: Sequence[Container]) -> dict[str, Observed]:
    of_pod: dict[str, list[Sandbox]] = {}
    in_sandbox: dict[str, list[Container]] = {}
    for sandbox in sandboxes:
        of_pod.setdefault(sandbox.uid, []).append(sandbox)
    for container in containers:
        in_sandbox.setdefault(container.sandbox_id, []).append(container)
    return {
        uid: observed(several, [one for sandbox in several for one in in_sandbox.get(sandbox.id, ())])
        for uid, several in of_pod.items()
    }
