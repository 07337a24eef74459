"""What a pod runs on. `cri.CriRuntime` is containerd, `fake.FakeRuntime` the simulation; both pass one contract test.

The terms are CRI's (https://github.com/kubernetes/cri-api): a pod has a sandbox (network and namespaces) and
containers in it. Everything that the agent must know again after its own restart is in the labels and
annotations that it gave to sandboxes and containers.
"""

import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import field


class RuntimeFailure(Exception):
    """A call to the runtime failed; the text is the runtime's own."""


class Unavailable(RuntimeFailure):
    """The runtime does not answer. Nothing is known about what it runs."""


class Missing(RuntimeFailure):
    """The sandbox, container or image of the call does not exist (any more)."""


class PullFailed(RuntimeFailure):
    """An image could not be had: unknown, forbidden, or no registry in reach."""


class State(StrEnum):
    """Of a container."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


class PortMapping(msgspec.Struct, frozen=True):
    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_ip: str = ""


class Profile(msgspec.Struct, frozen=True):
    """What confines a process: a seccomp or AppArmor profile. `Localhost` names one of the node's in `reference`."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"]
    reference: str = ""


class SELinuxLabel(msgspec.Struct, frozen=True):
    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class UserRange(msgspec.Struct, frozen=True):
    """The users of a pod with a user namespace: `length` of them, from `first` on the node and from 0 in the pod."""

    first: int
    length: int


class PodCgroup(msgspec.Struct, frozen=True, kw_only=True):
    """The cgroup around all containers of a pod. `parent`: "" for Guaranteed pods, `burstable` or `besteffort`.

    Sizes in bytes; 0 means: no limit. `hugepages` by page size (`2MB`).
    """

    parent: str = ""
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory_limit: int = 0
    pids_limit: int = 0
    hugepages: Mapping[str, int] = field(default_factory=dict)


class Features(msgspec.Struct, frozen=True):
    """What the runtime says that it can, where not every version of it can."""

    supplemental_groups_policy: bool = False
    user_namespaces: frozenset[str] = frozenset()
    """The handlers that make them."""


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to make the sandbox of a pod. `attempt` counts the sandboxes of this pod, from 0."""

    uid: str
    namespace: str
    name: str
    attempt: int
    hostname: str
    log_directory: Path
    dns_servers: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    port_mappings: tuple[PortMapping, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup: PodCgroup = PodCgroup()
    runtime_handler: str = ""
    """Empty: the default one."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    privileged: bool = False
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    strict_groups: bool = False
    read_only_root: bool = False
    selinux: SELinuxLabel | None = None
    users: UserRange | None = None
    """None: the node's own."""


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    host_path: Path
    container_path: str
    read_only: bool = False
    propagation: str = "None"
    """`None`, `HostToContainer` or `Bidirectional`, as in the API."""
    relabel: bool = False
    """For SELinux: the files become the container's."""


class Device(msgspec.Struct, frozen=True):
    """A device file. `permissions`: any of `r`, `w` and `m` (make)."""

    host_path: str
    container_path: str
    permissions: str = "rw"


class ContainerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a container. `attempt` counts the containers of this name in this pod, from 0."""

    name: str
    attempt: int
    image: str
    """A reference that `image_id` or `pull_image` returned."""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    """Relative to the sandbox's log directory."""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory_limit: int = 0
    """Bytes; 0: none."""
    swap_limit: int = 0
    """Bytes of memory and swap together; 0: the kernel's default."""
    hugepages: Mapping[str, int] = field(default_factory=dict)
    """Bytes by page size (`2MB`)."""
    unified: Mapping[str, str] = field(default_factory=dict)
    """Files of cgroup v2, as they are written."""
    oom_score_adj: int = 0
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    strict_groups: bool = False
    """No groups beside those: none of the image's `/etc/group`."""
    unmasked_proc: bool = False
    seccomp: Profile = Profile("RuntimeDefault")
    apparmor: Profile | None = None
    """None: the runtime's default, where the node has AppArmor."""
    selinux: SELinuxLabel | None = None
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    pid_of: str = ""
    """The id of the container whose processes it sees; empty: as the sandbox has it."""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What a running container may take from now on; 0: as it is. Sizes in bytes."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory_limit: int = 0
    swap_limit: int = 0


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox as it is. `ready`: its processes and network are there. `ips`: first the primary one."""

    id: str
    uid: str
    namespace: str
    name: str
    attempt: int
    ready: bool
    created_at: datetime
    ips: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as it is."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: State
    image: str
    image_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    provisional: bool = False
    """Its end was heard of, and the code; why it ended is told a little later, and its log may not be whole yet."""
    log_path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    """Bytes."""
    user: str = ""
    """The user that the image's configuration names: a number, a name, or empty."""
    pinned: bool = False
    """The runtime's own: it is never removed."""


class Download(msgspec.Struct, frozen=True):
    """A piece of an image that is being fetched, in bytes. `total` is 0 where it is not known yet."""

    done: int
    total: int


class ImageDisk(msgspec.Struct, frozen=True):
    """The filesystem that images lie on, in bytes. `used` is what images take of it, unpacked."""

    capacity: int
    available: int
    used: int


class ContainerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_nanoseconds` is the sum since the container's start; `writable…`: what it has written to its root."""

    container_id: str
    taken_at: datetime
    cpu_nanoseconds: int
    memory_bytes: int
    writable_bytes: int = 0
    writable_inodes: int = 0


class Credentials(msgspec.Struct, frozen=True):
    username: str
    password: str


class ExecResult(msgspec.Struct, frozen=True):
    exit_code: int
    output: bytes
    """Standard output and error, at most 16 KiB."""


class RuntimeEvent(msgspec.Struct, frozen=True):
    """Look again at this sandbox or container (its id). An empty id: look at everything again."""

    id: str = ""


class Streams(msgspec.Struct, frozen=True):
    """Which of a process' streams somebody wants. A terminal has no `stderr` of its own."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class ProcessEnd(msgspec.Struct, frozen=True):
    """How a process ended, or (`message` set) why it never ran."""

    exit_code: int = 0
    message: str = ""


class Session(Protocol):
    """A process on the other end of a few pipes. To be closed, which detaches from it."""

    def output(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """Pieces of standard output (1) and error (2), until the process has ended or let go of both.

        Nothing is read ahead: who does not ask holds the process up.
        """

    async def write(self, data: bytes) -> None:
        """To standard input; waits while the process does not read. Raises `OSError` when it is gone."""

    def end_input(self) -> None: ...

    def resize(self, width: int, height: int) -> None: ...

    @property
    def end(self) -> ProcessEnd:
        """Once `output` is over."""

    def close(self) -> None: ...


class Runtime(Protocol):
    """Every call raises `RuntimeFailure` or one of its kinds, and ends within its own deadline."""

    async def version(self) -> str:
        """Name and version, such as `containerd://1.6.20`; raises `Unavailable` until the runtime answers."""

    async def features(self) -> Features: ...

    async def list_sandboxes(self, sandbox_id: str = "") -> Sequence[Sandbox]:
        """Those that this agent made (all, or the one)."""

    async def list_containers(self, sandbox_id: str = "") -> Sequence[Container]:
        """Those that this agent made (all, or those of one sandbox), with their full status."""

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox: ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kills what runs in it and takes its network down. Repeating it is harmless; `Missing` is not raised."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Stops it and removes it with its containers. Repeating it is harmless."""

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str:
        """Returns the new container's id."""

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, grace_seconds: float, signal: str = "") -> None:
        """The signal (SIGTERM or the image's own where none is named), and SIGKILL after the grace.

        Harmless on one that has ended.
        """

    async def resize(self, containers: Mapping[str, Resources], sandbox: SandboxConfig) -> None:
        """Gives running containers, by id, other resources, and the cgroup of their pod what `sandbox` says."""

    async def remove_container(self, container_id: str) -> None:
        """Harmless on one that is gone."""

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> ExecResult:
        """Raises `TimeoutError` when the command takes longer."""

    async def exec_session(self, container_id: str, command: Sequence[str], streams: Streams) -> Session:
        """Starts a process beside the container's own."""

    async def attach_session(self, container_id: str, streams: Streams) -> Session:
        """The container's own process, from now on."""

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        """A TCP connection to that port of the sandbox's loopback. Raises `OSError` where nobody listens."""

    async def reopen_log(self, container_id: str) -> None:
        """After the log file was renamed: write to a new one."""

    async def image_id(self, reference: str) -> Image | None:
        """The image that this reference names, if it is on the node."""

    async def pull_image(self, reference: str, credentials: Credentials | None = None) -> str:
        """Returns the id of the image. Raises `PullFailed`.

        What a pull that failed has fetched is kept for a day, and the next one goes on from there.
        """

    async def downloads(self) -> Sequence[Download]:
        """What is being fetched just now, of all pulls."""

    async def images_in_use(self) -> frozenset[str]:
        """The ids of the images of all containers, those included that this agent did not make."""

    async def image_disk(self) -> ImageDisk: ...

    async def list_images(self) -> Sequence[Image]: ...

    async def mount_image(self, image_id: str, key: str, target: Path) -> None:
        """Its files at `target`, read-only, until `release_image`. Repeating it is harmless. Raises `OSError`, too."""

    async def release_image(self, key: str) -> None:
        """Lets go of what was mounted under that key, once it is unmounted. Harmless where there is nothing."""

    async def remove_image(self, image_id: str) -> None: ...

    async def load_archive(self, path: Path) -> Sequence[str]:
        """Loads a docker-archive or OCI tar (plain, gzip or zstd) and returns the references it holds.

        Raises `ValueError` with a sentence for a person when the file is not such an archive.
        """

    async def usage(self) -> Sequence[ContainerUsage]: ...

    def events(self) -> AsyncGenerator[RuntimeEvent, None]:
        """Ends with `Unavailable` when the runtime goes; begins with an empty event. To be closed (`aclosing`)."""
