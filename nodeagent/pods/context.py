"""What all workers of a node share."""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Literal, Protocol

from nodeagent.images.pulls import Images
from nodeagent.lease import Lease
from nodeagent.pods.checks import NETWORK, Reach
from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.pods.resizing import Room
from nodeagent.reporter import Reporter
from nodeagent.runtime.interface import Features, Runtime
from nodeagent.volumes.preparing import Volumes
from schemas.core.pod import Pod
from schemas.messages import NodeEvent
from schemas.network import NetworkService


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def now(self) -> datetime: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)


class Context:
    """`simulation` is given where there are no processes: how containers are then reached; nothing is mounted.

    `services` are those that are known now. `lost` is called by whoever finds that the runtime is away.
    """

    def __init__(
        self,
        runtime: Runtime,
        reporter: Reporter,
        directories: Directories,
        node: NodeFacts,
        images: Images,
        clock: Clock,
        start_limit: int,
        simulation: Reach | None,
        lease: Lease,
        services: Callable[[], Collection[NetworkService]],
    ) -> None:
        self.runtime = runtime
        self.reporter = reporter
        self.directories = directories
        self.node = node
        self.images = images
        self.clock = clock
        self.lease = lease
        self.services = services
        self.reach = simulation or NETWORK
        self.volumes = Volumes(directories, may_mount=simulation is None)
        self.start_slots = asyncio.Semaphore(start_limit)
        self.owners: dict[str, str] = {}
        """The pod's uid of each sandbox and container that is known."""
        self.lost: Callable[[], None] = lambda: None
        self.features = Features()
        """Of the runtime, once it has answered."""
        self.room: Callable[[str], Room] = lambda _: Room({})
        """What is left of the node for the pod of this uid."""

    def event(
        self, pod: Pod, type_: Literal["Normal", "Warning"], reason: str, message: str, container: str = ""
    ) -> None:
        now, meta = self.clock.now(), pod.metadata
        self.reporter.event(
            NodeEvent(
                type=type_,
                reason=reason,
                message=message,
                namespace=meta.namespace,
                pod=meta.name,
                uid=meta.uid,
                field_path=_field_path(pod, container) if container else "",
                first=now,
                last=now,
            )
        )


def _field_path(pod: Pod, container: str) -> str:
    field = "containers"
    if any(one.name == container for one in pod.spec.init_containers):
        field = "initContainers"
    elif any(one.name == container for one in pod.spec.ephemeral_containers):
        field = "ephemeralContainers"
    return f"spec.{field}{{{container}}}"
