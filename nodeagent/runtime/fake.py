"""A simulated runtime: the semantics of containerd without processes. For `wherry up --simulate` and for tests.

A container runs until it is stopped, or until a test has it end by `crash`. Time is the event loop's, so that a
loop with virtual time simulates hours in moments. What stays per pod is a few small structs.
"""

import asyncio
import hashlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nodeagent.runtime.archive import Archive, normalise
from nodeagent.runtime.fake_sessions import FakeSession, echoing_socket
from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    ContainerUsage,
    Credentials,
    Download,
    ExecResult,
    Features,
    Image,
    ImageDisk,
    Missing,
    PullFailed,
    Resources,
    RuntimeEvent,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    Session,
    State,
    Streams,
    Unavailable,
)

KILLED, TERMINATED, LOST = 137, 143, 255
CPU_SHARE = 0.001
"""Of one core, that each simulated container uses."""
MEMORY = 1024 * 1024
DISK = 64 * 1024**3

Execute = Callable[[str, Sequence[str]], Awaitable[ExecResult]]


async def succeed(container_id: str, command: Sequence[str]) -> ExecResult:
    return ExecResult(0, b"")


class FakeRuntime:
    """`start_seconds` is what a container's start takes. With `pull_seconds` images are not there before a pull.

    `logs`: each container that starts says so in its log file.

    With an empty `pod_cidr` pods that have an address of their own wait for `lay_network`.
    """

    def __init__(
        self,
        *,
        start_seconds: float = 0.0,
        pull_seconds: float | None = None,
        pod_cidr: str = "10.88.0.0/16",
        execute: Execute = succeed,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        version: str = "fake://1",
        logs: bool = False,
    ) -> None:
        self.mounted_images: dict[str, str] = {}
        """By their keys."""
        self._start_seconds = start_seconds
        self._pull_seconds = pull_seconds
        self._execute = execute
        self._now = now
        self._version = version
        self._logs = logs
        self._available = True
        self._made = 0
        self._addresses = ipaddress.ip_network(pod_cidr) if pod_cidr else None
        self._next_address = 2  # the network's own and the bridge's come before
        self._used: set[str] = set()
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._images: dict[str, str] = {}
        self.resized: dict[str, Resources] = {}
        """What running containers were given, by id."""
        self._listeners: set[asyncio.Queue[RuntimeEvent | None]] = set()

    # What tests and simulations do to it

    def crash(self, container_id: str, code: int = 1, reason: str = "Error") -> None:
        """The container's process ends by itself."""
        self._end(container_id, code, reason)

    def set_available(self, available: bool) -> None:
        """As when containerd is killed, or is back: containers run on, calls fail and event streams end."""
        self._available = available
        if not available:
            for queue in self._listeners:
                queue.put_nowait(None)

    def reboot(self) -> None:
        """The machine was off: nothing runs, and containerd finds on its disk what did."""
        for sandbox in list(self._sandboxes.values()):
            self._end_sandbox(sandbox, LOST, "Unknown")

    def lay_network(self, pod_cidr: str) -> None:
        """From here on pods have addresses of this range. Those that run keep theirs."""
        laid = ipaddress.ip_network(pod_cidr.partition(",")[0])
        if laid != self._addresses:
            self._addresses, self._next_address = laid, 2

    # Runtime

    async def version(self) -> str:
        self._check()
        return self._version

    async def mount_image(self, image_id: str, key: str, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        self.mounted_images[key] = image_id

    async def release_image(self, key: str) -> None:
        self.mounted_images.pop(key, None)

    async def features(self) -> Features:
        return Features()

    async def list_sandboxes(self, sandbox_id: str = "") -> Sequence[Sandbox]:
        self._check()
        if sandbox_id:
            return [self._sandboxes[sandbox_id]] if sandbox_id in self._sandboxes else []
        return list(self._sandboxes.values())

    async def list_containers(self, sandbox_id: str = "") -> Sequence[Container]:
        self._check()
        return [each for each in self._containers.values() if sandbox_id in ("", each.sandbox_id)]

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        self._check()
        identity = (config.uid, config.namespace, config.name, config.attempt)
        for other in self._sandboxes.values():
            if (other.uid, other.namespace, other.name, other.attempt) == identity:
                raise RuntimeFailure(f"the name of sandbox {config.name} is reserved for {other.id}")
        sandbox = Sandbox(
            id=self._new_id(),
            uid=config.uid,
            namespace=config.namespace,
            name=config.name,
            attempt=config.attempt,
            ready=True,
            created_at=self._now(),
            ips=() if config.host_network else (self._take_address(),),
            labels=config.labels,
            annotations=config.annotations,
        )
        self._sandboxes[sandbox.id] = sandbox
        return sandbox

    async def stop_sandbox(self, sandbox_id: str) -> None:
        self._check()
        if (sandbox := self._sandboxes.get(sandbox_id)) is not None:
            self._end_sandbox(sandbox, KILLED, "Error")

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        for container in [each for each in self._containers.values() if each.sandbox_id == sandbox_id]:
            del self._containers[container.id]
        if self._sandboxes.pop(sandbox_id, None) is not None:
            self._tell(sandbox_id)

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str:
        self._check()
        if not self._sandbox(sandbox_id).ready:
            raise RuntimeFailure(f"sandbox {sandbox_id} is not running")
        image = self._find_image(config.image)
        if image is None:
            raise Missing(f"image {config.image} is not here")
        for other in self._containers.values():
            if (other.sandbox_id, other.name, other.attempt) == (sandbox_id, config.name, config.attempt):
                raise RuntimeFailure(f"the name of container {config.name} is reserved for {other.id}")
        container = Container(
            id=self._new_id(),
            sandbox_id=sandbox_id,
            name=config.name,
            attempt=config.attempt,
            state=State.CREATED,
            image=image.tags[0],
            image_id=image.id,
            created_at=self._now(),
            log_path=str(sandbox.log_directory / config.log_path) if config.log_path else "",
            labels=config.labels,
            annotations=config.annotations,
        )
        self._containers[container.id] = container
        return container.id

    async def start_container(self, container_id: str) -> None:
        self._check()
        self._startable(container_id)
        if self._start_seconds:
            await asyncio.sleep(self._start_seconds)
            self._check()
        container = self._startable(container_id)  # it may have been stopped or removed meanwhile
        started = msgspec.structs.replace(container, state=State.RUNNING, started_at=self._now())
        self._containers[container_id] = started
        if self._logs and started.log_path:
            _write_log(Path(started.log_path), f"{self._now().isoformat()} stdout F simulated {container.image} runs\n")

    async def stop_container(self, container_id: str, grace_seconds: float, signal: str = "") -> None:
        self._check()
        self._end(container_id, TERMINATED, "Error")

    async def resize(self, containers: Mapping[str, Resources], sandbox: SandboxConfig) -> None:
        self._check()
        for container_id, resources in containers.items():
            if self._container(container_id).state is not State.RUNNING:
                raise RuntimeFailure(f"container {container_id} is not running")
            self.resized[container_id] = resources

    async def remove_container(self, container_id: str) -> None:
        self._check()
        self._end(container_id, KILLED, "Error")
        if self._containers.pop(container_id, None) is not None:
            self._tell(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> ExecResult:
        self._check()
        if self._container(container_id).state is not State.RUNNING:
            raise RuntimeFailure(f"container {container_id} is not running")
        async with asyncio.timeout(timeout_seconds):
            result = await self._execute(container_id, command)
        return msgspec.structs.replace(result, output=result.output[: 16 * 1024])

    async def exec_session(self, container_id: str, command: Sequence[str], streams: Streams) -> Session:
        self._check()
        if self._container(container_id).state is not State.RUNNING:
            raise RuntimeFailure(f"container {container_id} is not running")
        return FakeSession(command, streams)

    async def attach_session(self, container_id: str, streams: Streams) -> Session:
        return await self.exec_session(container_id, ["cat"], streams)

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        self._check()
        if not self._sandbox(sandbox_id).ready:
            raise RuntimeFailure(f"sandbox {sandbox_id} is not running")
        return await echoing_socket()

    async def reopen_log(self, container_id: str) -> None:
        self._check()
        if self._container(container_id).state is not State.RUNNING:
            raise RuntimeFailure(f"container {container_id} is not running")

    async def image_id(self, reference: str) -> Image | None:
        self._check()
        return self._find_image(reference)

    async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
        self._check()
        if self._pull_seconds:
            await asyncio.sleep(self._pull_seconds)
            self._check()
        if "missing" in reference:
            raise PullFailed(f"{normalise(reference)}: not found")
        return self._add_image(normalise(reference)).id

    async def downloads(self) -> Sequence[Download]:
        self._check()
        return []

    async def images_in_use(self) -> frozenset[str]:
        self._check()
        return frozenset(container.image_id for container in self._containers.values())

    async def image_disk(self) -> ImageDisk:
        self._check()
        return ImageDisk(DISK, DISK - len(self._images) * 10 * MEMORY, len(self._images) * 10 * MEMORY)

    async def list_images(self) -> Sequence[Image]:
        self._check()
        return [_image(reference) for reference in self._images.values()]

    async def remove_image(self, image_id: str) -> None:
        self._check()
        self._images.pop(image_id, None)

    async def load_archive(self, path: Path) -> Sequence[str]:
        self._check()
        with Archive(path) as archive:
            references = [reference for image in archive.images() for reference in image.references]
        for reference in references:
            self._add_image(reference)
        return references

    async def usage(self) -> Sequence[ContainerUsage]:
        self._check()
        now = self._now()
        return [
            ContainerUsage(
                container_id=each.id,
                taken_at=now,
                cpu_nanoseconds=int((now - each.started_at).total_seconds() * 1e9 * CPU_SHARE),
                memory_bytes=MEMORY,
            )
            for each in self._containers.values()
            if each.state is State.RUNNING and each.started_at is not None
        ]

    async def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        self._check()
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield RuntimeEvent()
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)
        raise Unavailable("the simulated runtime was switched off")

    # Inside

    def _check(self) -> None:
        if not self._available:
            raise Unavailable("the simulated runtime is switched off")

    def _new_id(self) -> str:
        self._made += 1
        return hashlib.sha256(f"{id(self)}/{self._made}".encode()).hexdigest()

    def _take_address(self) -> str:
        """The next that is free, as host-local does: an address is not used again at once."""
        if self._addresses is None:
            raise RuntimeFailure("cni plugin not initialized")
        size = self._addresses.num_addresses
        for _ in range(size):
            address = str(self._addresses[self._next_address])
            self._next_address = 2 + (self._next_address - 1) % (size - 3)
            if address not in self._used:
                self._used.add(address)
                return address
        raise RuntimeFailure(f"no address is free in {self._addresses}")

    def _sandbox(self, sandbox_id: str) -> Sandbox:
        if sandbox_id not in self._sandboxes:
            raise Missing(f"sandbox {sandbox_id} is not here")
        return self._sandboxes[sandbox_id]

    def _container(self, container_id: str) -> Container:
        if container_id not in self._containers:
            raise Missing(f"container {container_id} is not here")
        return self._containers[container_id]

    def _startable(self, container_id: str) -> Container:
        container = self._container(container_id)
        if container.state is not State.CREATED:
            raise RuntimeFailure(f"container {container_id} is in state {container.state}")
        return container

    def _end_sandbox(self, sandbox: Sandbox, code: int, reason: str) -> None:
        for container in list(self._containers.values()):
            if container.sandbox_id == sandbox.id:
                self._end(container.id, code, reason)
        self._used.difference_update(sandbox.ips)
        if sandbox.ready:
            self._sandboxes[sandbox.id] = msgspec.structs.replace(sandbox, ready=False, ips=())
            self._tell(sandbox.id)

    def _end(self, container_id: str, code: int, reason: str) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state is not State.RUNNING:
            return
        self._containers[container_id] = msgspec.structs.replace(
            container,
            state=State.EXITED,
            finished_at=self._now(),
            exit_code=code,
            reason="Completed" if code == 0 else reason,
        )
        self._tell(container_id)

    def _tell(self, changed: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(RuntimeEvent(changed))

    def _find_image(self, reference: str) -> Image | None:
        if reference in self._images:
            return _image(self._images[reference])
        if reference.startswith("sha256:") or "missing" in reference:
            return None
        image = _image(normalise(reference))
        if self._pull_seconds is None:
            return self._add_image(normalise(reference))
        return image if image.id in self._images else None

    def _add_image(self, reference: str) -> Image:
        image = _image(reference)
        self._images[image.id] = reference
        return image


def _write_log(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(line)


def _image(reference: str) -> Image:
    """Which content a name stands for is its own hash here."""
    return Image(id="sha256:" + hashlib.sha256(reference.encode()).hexdigest(), tags=(reference,), size=10 * MEMORY)
