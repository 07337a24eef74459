"""The recorded nodes, played by real agents over simulated containers: `python -m tests.oracles.kubernetes.nodes JSON`.

On all of them pods of Jobs succeed after a moment. The JSON has the fields `broker`, `data`, and `nodes`, the names
of those to play.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from nodeagent.agent import Agent
from nodeagent.config import Config
from nodeagent.machine.settings import Reserved
from nodeagent.machine.thresholds import DEFAULT_HARD
from nodeagent.node import Machine
from nodeagent.runtime.archive import normalise
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import Credentials, Image, PullFailed
from nodeagent.simulation import SIMULATED, SimulatedNetwork
from schemas.configuration import BrokerAddress, convert
from schemas.core.node import Taint
from schemas.daemon import log_to, stop_signal
from schemas.messages import Assignment

GIB = 1024**3
JOB_SECONDS = 2.0
STOP_SECONDS = 0.5
_JOB = "batch.kubernetes.io/job-name"
IMAGES = ("nginx:1.25", "nginx:1.27", "nginx:latest", "busybox:1.36", "redis:7")
RUNTIME = "containerd://1.6.20"


class Played(msgspec.Struct, frozen=True):
    """What tells the recorded nodes apart."""

    name: str
    number: int
    cpus: int
    architecture: str
    labels: dict[str, str]
    taints: tuple[Taint, ...] = ()
    images: frozenset[str] = frozenset()
    """Those that are there; none: all that are asked for."""

    @property
    def machine(self) -> Machine:
        return Machine(
            cpus=self.cpus,
            memory=8 * GIB,
            storage=100 * GIB,
            addresses=(f"10.210.0.{self.number}",),
            hostname=self.name,
            architecture=self.architecture,
            kernel="6.1",
            os_image="Linux",
            machine_id="",
            boot_id="",
        )


_SPARE = (Taint(key="example.com/spare", effect="PreferNoSchedule"),)
NODES = (
    Played("node-1", 1, 2, "amd64", {}, images=frozenset(map(normalise, IMAGES))),
    *(
        Played(f"node-{number}", number, 4, "arm64", {"topology.kubernetes.io/zone": f"zone-{number}"}, _SPARE)
        for number in (2, 3)
    ),
)


class PlayedRuntime(FakeRuntime):
    """Containers of Jobs end by themselves. Where images are `present`, there are no others, and none can be pulled."""

    def __init__(self, present: frozenset[str]) -> None:
        super().__init__(pod_cidr="", version=RUNTIME, logs=True)
        self._present = present
        self.is_of_job: Callable[[str], bool] = lambda _: False
        """Whether the pod of this uid is a Job's; set when the agent is there."""

    async def start_container(self, container_id: str) -> None:
        await super().start_container(container_id)
        [container] = [each for each in await self.list_containers() if each.id == container_id]
        [sandbox] = await self.list_sandboxes(container.sandbox_id)
        if self.is_of_job(sandbox.uid):
            asyncio.get_running_loop().call_later(JOB_SECONDS, self.crash, container_id, 0, "Completed")

    async def stop_container(self, container_id: str, grace_seconds: float, signal: str = "") -> None:
        await asyncio.sleep(min(STOP_SECONDS, grace_seconds))  # no container is gone at once
        await super().stop_container(container_id, grace_seconds, signal)

    async def image_id(self, reference: str) -> Image | None:
        is_here = not self._present or reference.startswith("sha256:") or normalise(reference) in self._present
        return await super().image_id(reference) if is_here else None

    async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
        if self._present:
            raise PullFailed(f"{normalise(reference)}: nothing can be pulled here")
        return await super().pull_image(reference, credentials)


def agent_of(played: Played, broker: BrokerAddress, data: Path) -> Agent:
    config = Config(
        node=played.name,
        broker=broker,
        data=data / played.name,
        run=data / played.name / "run",
        labels=played.labels,
        taints=played.taints,
        reserved=Reserved(cpu="0", memory="0"),
        eviction_hard=dict.fromkeys(DEFAULT_HARD, "0"),
    )
    runtime = PlayedRuntime(played.images)

    async def nothing_to_prepare() -> None:
        """All images are there."""

    agent = Agent(
        config,
        runtime,
        machine=lambda: played.machine,
        network=SimulatedNetwork(runtime),
        prepare=nothing_to_prepare,
        simulation=SIMULATED,
    )
    runtime.is_of_job = lambda uid: _is_of_job(agent.link.accepted.pods.get(uid))
    return agent


def _is_of_job(assignment: Assignment | None) -> bool:
    return assignment is not None and _JOB in assignment.pod.metadata.labels


async def play(settings: dict[str, Any]) -> None:
    """All nodes named, until SIGTERM."""
    stop = stop_signal()
    broker = convert("broker", settings["broker"], BrokerAddress)
    agents = [agent_of(each, broker, Path(settings["data"])) for each in NODES if each.name in settings["nodes"]]
    tasks = [asyncio.create_task(agent.run()) for agent in agents]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()  # an agent does not end by itself
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    log_to(None)
    asyncio.run(play(json.loads(sys.argv[1])))
