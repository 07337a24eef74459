"""What pods need to know of their node, and where on it their files lie. Values only."""

from pathlib import Path

import msgspec


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
    hosts_file: str = ""
    """The node's own `/etc/hosts`, for pods on the host's network."""
    scheme: str = "containerd"
    """What stands before `://` in a container's id."""


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

    def pod_logs(self, namespace: str, name: str, uid: str) -> Path:
        return self.logs / f"{namespace}_{name}_{uid}"

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
