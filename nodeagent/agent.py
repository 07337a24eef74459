"""The rooms of one agent, joined over whatever pods run on: containerd on a node, a simulation anywhere."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from nodeagent.accepted import Accepted
from nodeagent.checkpoint import Checkpoint
from nodeagent.config import Config
from nodeagent.devices.present import watch
from nodeagent.images.room import ImageRoom
from nodeagent.lease import Lease
from nodeagent.link import Link
from nodeagent.machine.admission import SHUTTING_DOWN
from nodeagent.machine.amounts import Amounts
from nodeagent.machine.conditions import Health
from nodeagent.machine.pressure import Pressure
from nodeagent.machine.shutdown import Graces, begun, group_of
from nodeagent.network import cni
from nodeagent.network.commands import NetworkFailure
from nodeagent.network.feed import Feed
from nodeagent.network.interface import Network
from nodeagent.node import Machine, facts, labels, status
from nodeagent.pods.actions import Failure
from nodeagent.pods.checks import Reach
from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.pods.workers import PodWorkers
from nodeagent.rpc.service import Service
from nodeagent.runtime.interface import Image, Runtime, RuntimeFailure
from nodeagent.stats import Stats
from schemas.core.node import NodeStatus
from schemas.core.pod import Pod
from schemas.messages import NodeEvent
from schemas.version import VERSION

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""How often the node's own state (addresses, disk, memory) is looked at; it is reported only when it changed."""
AWAY_SECONDS = 0.2
"""The same while the runtime does not answer."""
AWAY_LONG_SECONDS = 5.0
"""From then on it is said: a containerd that only starts is there by then."""
NETWORK_RETRY_SECONDS = 5.0


class Agent:
    """`prepare` ends when pods may be started."""

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        *,
        machine: Callable[[], Machine],
        network: Network,
        prepare: Callable[[], Awaitable[None]],
        simulation: Reach | None = None,
        registries: Path | None = None,
        archived: Callable[[], Sequence[str]] = tuple,
        amounts: Callable[[], Amounts] = Amounts,
    ) -> None:
        """`registries` and `archived` are those of `ImageRoom`; `amounts`: what there is of all that can run out."""
        self._config, self._runtime, self._machine = config, runtime, machine
        self._network, self._prepare = network, prepare
        self._laid = ""
        self._feed = Feed(config.data, network.update, network.linked)
        self.service = Service(runtime, lambda: self.workers.states)
        lease = Lease(config.run)
        self.link = Link(
            config,
            Checkpoint(config.data / "accepted"),
            version=VERSION,
            clock=now,
            serve=self.service.serve,
            pod_changed=self._pod_changed,
            lease=lease,
            network=self._feed,
        )
        self._look = asyncio.Event()
        self._loading: set[asyncio.Task[None]] = set()
        self.images = ImageRoom(
            runtime,
            config,
            registries=registries,
            archived=archived,
            tell=self._tell,
            report=self.link.images,
            changed=self._look.set,
        )
        directories = Directories(data=config.data, run=config.run, logs=config.data / "logs")
        self.workers = PodWorkers(
            runtime,
            self.link,
            directories=directories,
            node=self._facts(machine()),
            simulation=simulation,
            lease=lease,
            services=lambda: self._feed.state.services.values(),
            images=self.images.pulls,
        )
        self._network_fault: str | None = None
        self._is_going_down = False
        self._pods_changed = asyncio.Event()
        self.told = NodeStatus()
        """What the cluster was told last."""
        self.pressure = self._pressure(amounts, directories)
        always = bool(config.metrics_address)
        self.stats = Stats(runtime, self.link, self.workers, config.metrics_seconds, always=always)
        self._away_since: float | None = None
        self._said_away = False
        self._network_wanted = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; containers run on."""
        self._network.update(self._feed.state)
        self._accept(self.link.accepted)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run(self._accept), name="link")
            tasks.create_task(self._run_pods(), name="pods")
            tasks.create_task(self._keep_network(), name="pod-network")
            tasks.create_task(self._report_node(), name="node-report")
            tasks.create_task(self.stats.run(), name="stats")
            if self._config.devices:
                tasks.create_task(watch(self._config.devices, self._look.set), name="devices")
            tasks.create_task(self.pressure.run(), name="pressure")

    def images_came(self, references: Sequence[str]) -> None:
        """These images were loaded from archives."""
        self.workers.images_came()
        task = asyncio.get_running_loop().create_task(self.images.loaded(references), name="images-loaded")
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)
        self._look.set()

    def archive_failed(self, message: str) -> None:
        self._tell("Warning", "ImageArchiveFailed", message)

    def moved(self) -> None:
        """An address of the node has come or gone."""
        self._look.set()

    def not_secured(self, why: str) -> None:
        """WireGuard cannot be used though it is wanted."""
        log.error("tunnels to other nodes are VXLAN, for WireGuard cannot be used: %s", why)
        self._tell(
            "Warning", "WireGuardMissing", f"tunnels to other nodes are VXLAN, for WireGuard cannot be used: {why}"
        )

    def ingress_failed(self, message: str) -> None:
        self._tell("Warning", "IngressFailed", message)

    def _accept(self, accepted: Accepted) -> None:
        """Pods wait until the network of their CIDR is there; that is once in the life of a node.

        The first pods of a new node may come with a digest from before it was given its CIDR.
        """
        self.images.accept(accepted)
        self._network.configs(accepted.configs)
        if accepted.digest.pod_cidr not in ("", self._laid):
            self._network_wanted.set()
        elif self._laid or not accepted.digest.pods:
            self.workers.accept(accepted)
        else:
            log.info("pods wait for the node's pod CIDR pods=%d", len(accepted.digest.pods))

    def _pod_changed(self, uid: str) -> None:
        self.service.pod_changed(uid)
        self._pods_changed.set()
        report = self.link.reports.get(uid)
        held = report is not None and not report.removed
        self._network.placed(uid, tuple(one.ip for one in report.status.pod_ips) if report and held else ())

    def _facts(self, machine: Machine) -> NodeFacts:
        """Names of the cluster are answered at the gateway of the pods, where that is ours."""
        settings = self._config.network
        names = settings.names if settings.cni == "existing" else cni.gateway(self._laid) if self._laid else ""
        return replace(facts(self._config, machine), cluster_dns=names)

    def _pressure(self, amounts: Callable[[], Amounts], directories: Directories) -> Pressure:
        eviction = self._config.eviction()
        pressure = Pressure(
            eviction.thresholds,
            transition=eviction.transition,
            soft_grace=eviction.soft_grace,
            look=amounts,
            pods=self.workers,
            runtime=self._runtime,
            directories=directories,
            free_images=self.images.collector.free_everything,
            tell=self._tell,
            changed=self._look.set,
        )
        ran_before = frozenset(self.link.accepted.pods)  # after a reboot, these are not new to the node

        def unwilling(pod: Pod) -> Failure | None:
            if pod.metadata.uid in ran_before:
                return None
            return SHUTTING_DOWN if self._is_going_down else pressure.refusal(pod)

        self.workers.unwilling = unwilling
        return pressure

    def _health(self, runtime: str) -> Health:
        return Health(
            runtime=runtime,
            pressures=self.pressure.conditions,
            network=self._network_fault,
            is_going_down=self._is_going_down,
        )

    async def go_down(self) -> None:
        """The machine does: ends the pods group by group, each within its time."""
        self._is_going_down = True
        self._look.set()
        graces = self._config.shutdown().graces
        for number, (_, seconds) in enumerate(graces):
            self.workers.go_down(begun(graces, number))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self.workers.live(partial(_is_in, graces, number)):
                        self._pods_changed.clear()
                        await self._pods_changed.wait()
        log.warning("pods have ended, the machine may go down")

    def stay_up(self) -> None:
        """The shutdown was called off."""
        self._is_going_down = False
        self._look.set()
        self.workers.go_down(lambda _: None)

    async def _run_pods(self) -> None:
        await self._prepare()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.workers.run(), name="pod-workers")
            tasks.create_task(self.images.run(), name="images")

    async def _keep_network(self) -> None:
        said = ""
        while True:
            await self._network_wanted.wait()
            self._network_wanted.clear()
            wanted = self.link.accepted.digest.pod_cidr
            try:
                await self._network.lay(wanted)
            except NetworkFailure as error:
                if str(error) != said:
                    self._network_fault = said = str(error)
                    self._look.set()
                    self._say_no_network(said)
                asyncio.get_running_loop().call_later(NETWORK_RETRY_SECONDS, self._network_wanted.set)
                continue
            log.info("the pod network is there cidr=%s", wanted)
            said = ""
            self._laid, self._network_fault = wanted, ""
            self._look.set()
            self.workers.update_node(self._facts(self._machine()))
            self.workers.accept(self.link.accepted)

    def _say_no_network(self, why: str) -> None:
        """In the log, and where a person who wonders about pending pods looks."""
        log.error("no pod network, trying again every %.0f s: %s", NETWORK_RETRY_SECONDS, why)
        self._tell("Warning", "NetworkNotReady", f"pods cannot start: {why}")

    def _tell(self, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """An Event of the node."""
        time = now()
        self.link.event(NodeEvent(type=type_, reason=reason, message=message, first=time, last=time))

    async def _report_node(self) -> None:
        """Reports the node when it changed: at once after images came, and soon while the runtime is away."""
        told: tuple[NodeStatus, dict[str, str]] | None = None
        while True:
            machine = await asyncio.to_thread(self._machine)
            runtime, images = await self._ask_runtime()
            seen = (
                status(self._config, machine, self._health(runtime), version=VERSION, images=images),
                labels(self._config, machine),
            )
            if seen != told:
                told = seen
                self.told = seen[0]
                self.workers.update_node(self._facts(machine))
                self.link.node(*seen)
            try:
                async with asyncio.timeout(LOOK_SECONDS if runtime else AWAY_SECONDS):
                    await self._look.wait()
                self._look.clear()
            except TimeoutError:
                continue

    async def _ask_runtime(self) -> tuple[str, Sequence[Image]]:
        """Its version and images; no version while it does not answer."""
        try:
            found = await self._runtime.version(), await self._runtime.list_images()
        except RuntimeFailure as failure:
            self._say_away(failure)
            return "", ()
        self._away_since, self._said_away = None, False
        return found

    def _say_away(self, failure: RuntimeFailure) -> None:
        """Once, when it has been away for longer than it takes to start."""
        time = asyncio.get_running_loop().time()
        self._away_since = self._away_since or time
        if time - self._away_since >= AWAY_LONG_SECONDS and not self._said_away:
            self._said_away = True
            log.error("the container runtime does not answer, no pod can be started: %s", failure)


def _is_in(graces: Graces, group: int, pod: Pod) -> bool:
    return group_of(pod, graces) == group


def now() -> datetime:
    return datetime.now(UTC)
