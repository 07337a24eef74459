"""A Compose project as it is meant: checked, with defaults filled in, short forms and paths resolved.

Immutable. Everything here has a counterpart in Kubernetes; what has none was reported and left out.
"""

import msgspec

from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.syntax import Port
from schemas.faults import Path


class Place(msgspec.Struct, frozen=True):
    """Where something is written."""

    node: Node
    path: Path


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A named volume: a claim, or with `host_path` a folder of the node, or with `memory` a file system in memory."""

    place: Place
    claim: str
    external: bool = False
    size: str = "1Gi"
    storage_class: str = ""
    annotations: dict[str, str] = {}
    host_path: str = ""
    memory: bool = False


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A config or secret: the object that holds it, and its key there. External ones have no data."""

    place: Place
    kind: str
    object_name: str
    key: str
    data: bytes | None = None
    annotations: dict[str, str] = {}


class Claim(msgspec.Struct, frozen=True):
    """From a PersistentVolumeClaim."""

    name: str


class HostPath(msgspec.Struct, frozen=True):
    """From the node."""

    path: str


class Scratch(msgspec.Struct, frozen=True):
    """Empty at the start of the pod, and gone with it."""

    memory: bool = False
    size: int | None = None


class Files(msgspec.Struct, frozen=True):
    """Files of the source's folder in a ConfigMap of that name, by their path below the mount, or the one file."""

    config: str
    contents: dict[str, bytes]
    is_single: bool


class Granted(msgspec.Struct, frozen=True):
    """A file from a config or secret."""

    content: Content
    mode: int | None = None


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Something at a path of the container."""

    target: str
    source: Claim | HostPath | Scratch | Files | Granted
    read_only: bool = False
    sub_path: str = ""
    propagation: str = ""


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """A command that tells whether the container is healthy; times in whole seconds."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    retries: int


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """CPU and memory as Kubernetes writes them; empty is not set."""

    cpu_limit: str = ""
    memory_limit: str = ""
    cpu_reserved: str = ""
    memory_reserved: str = ""


class Expression(msgspec.Struct, frozen=True):
    """What a node's label has to be, or must not be."""

    label: str
    operator: str
    value: str


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """How many pods, where, and how they are replaced. `kind` is Deployment, DaemonSet or Job."""

    kind: str = "Deployment"
    replicas: int | None = None
    resources: Resources = Resources()
    start_first: bool = False
    parallelism: int = 1
    placement: tuple[Expression, ...] = ()
    spread: tuple[str, ...] = ()
    restart: str = ""
    attempts: int | None = None
    annotations: dict[str, str] = {}


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What runs in the container. None is what the image says."""

    image: str
    pull_policy: str = "IfNotPresent"
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    working_dir: str = ""
    environment: dict[str, str] = {}
    tty: bool = False
    stdin: bool = False
    stop_signal: str = ""
    post_start: tuple[str, ...] = ()
    pre_stop: tuple[str, ...] = ()


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What the container may do. None is what the image or the runtime says."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    privileged: bool = False
    read_only: bool = False
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    se_linux: dict[str, str] = {}
    unmasked: bool = False
    sysctls: dict[str, str] = {}
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is reached, and how it reaches others."""

    ports: tuple[Port, ...] = ()
    aliases: tuple[str, ...] = ()
    hostname: str = ""
    hosts: dict[str, tuple[str, ...]] = {}
    """Names by address."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: dict[str, str | None] = {}


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service. `object_name` is its name as Kubernetes takes it."""

    name: str
    object_name: str
    place: Place
    process: Process
    rights: Rights
    network: Network
    deploy: Deploy
    mounts: tuple[Mount, ...] = ()
    healthcheck: Healthcheck | None = None
    depends_on: tuple[str, ...] = ()
    """Names of services."""
    annotations: dict[str, str] = {}
    grace_period: int = 10


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    name: str
    namespace: str
    services: tuple[Service, ...]
    volumes: tuple[Volume, ...]
    contents: tuple[Content, ...]
