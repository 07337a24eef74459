"""What pods need to know of their node, and where on it their files lie. Values only."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import field

from nodeagent.devices.declared import DeviceResource
from schemas.core.pod import Pod


class Resolver(msgspec.Struct, frozen=True):
    """What a `resolv.conf` says."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`addresses`: of the node, the primary one first. CPU in thousandths of a core, the rest in bytes."""

    name: str
    addresses: tuple[str, ...] = ()
    resolver: Resolver = Resolver()
    cluster_dns: str = ""
    """The address where names of the cluster are answered; empty where none is."""
    memory_capacity: int = 0
    allocatable_cpu: int = 0
    allocatable_memory: int = 0
    allocatable_storage: int = 0
    allocatable: Mapping[str, int] = field(default_factory=dict)
    """What the node can give pods, by resource; CPU in thousandths. Of what is not named nothing is known."""
    page_sizes: tuple[int, ...] = ()
    """Of huge pages that the kernel has."""
    pids_limit: int = 0
    """Processes of one pod; 0: no limit."""
    has_cgroup_v2: bool = False
    has_apparmor: bool = False
    seccomp_profiles: Path = Path("seccomp")
    device_resources: tuple[DeviceResource, ...] = ()
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Files that are there, by resource."""
    unsafe_sysctls: tuple[str, ...] = ()
    """Those that pods may set beside the safe ones; a name may end in `*`."""
    hosts_file: str = ""
    """The node's own `/etc/hosts`, for pods on the host's network."""
    scheme: str = "containerd"
    """What stands before `://` in a container's id."""


LOGS = "wherry.dev/logs"
"""Annotation of a pod: `memory` keeps its logs off the disk, until the machine is booted anew."""


def logs_in_memory(pod: Pod) -> bool:
    return pod.metadata.annotations.get(LOGS) == "memory"


class Directories(msgspec.Struct, frozen=True):
    """`data` outlives a reboot; `run` is memory (a tmpfs), so that Secrets never touch flash."""

    data: Path
    run: Path
    logs: Path

    @property
    def pods(self) -> Path:
        return self.data / "pods"

    @property
    def pods_run(self) -> Path:
        return self.run / "pods"

    def pod_data(self, uid: str) -> Path:
        return self.pods / uid

    def pod_run(self, uid: str) -> Path:
        return self.pods_run / uid

    @property
    def memory_logs(self) -> Path:
        return self.run / "logs"

    def pod_logs(self, pod: Pod) -> Path:
        meta = pod.metadata
        logs = self.memory_logs if logs_in_memory(pod) else self.logs
        return logs / f"{meta.namespace}_{meta.name}_{meta.uid}"

    def termination_message(self, uid: str, container: str, attempt: int) -> Path:
        return self.pod_run(uid) / "termination" / f"{container}-{attempt}"

    def hosts(self, uid: str) -> Path:
        return self.pod_run(uid) / "hosts"


def parse_resolver(text: str) -> Resolver:
    """A `resolv.conf`; of several `search` lines the last one counts, as for the C library."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", address, *_]:
                servers.append(address)
            case ["search" | "domain", *domains]:
                searches = tuple(domains)
            case ["options", *more]:
                options += more
    return Resolver(tuple(servers), searches, tuple(options))
