"""The machine that this node is: read from the system in one place, told to cluster and pods by pure functions."""

import json
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field

from nodeagent.config import Config
from nodeagent.devices.allocation import amounts
from nodeagent.devices.present import present
from nodeagent.pods.node import NodeFacts, Resolver, parse_resolver
from nodeagent.pods.podcgroup import huge_resource
from nodeagent.runtime.interface import Image
from schemas.core.node import ContainerImage, NodeAddress, NodeCondition, NodeStatus, NodeSystemInfo
from schemas.meta import Quantity
from schemas.quantity import milli, value

MAX_IMAGES = 50
"""Images that are told, the largest first: the scheduler weighs them by size."""
MEMORY_FLOOR = 100 * 1024 * 1024
DISK_FLOOR = 0.10
PIDS_FLOOR = 0.05
KUBERNETES = "v1.36.2"
"""The API version that clients find here."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the machine. Sizes in bytes; `pids_free` is a share."""

    cpus: int
    memory: int
    memory_available: int
    storage: int
    storage_free: int
    pids_free: float = 1.0
    addresses: tuple[str, ...]
    hostname: str
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    boot_id: str
    resolver: Resolver = Resolver()
    hosts_file: str = ""
    huge_pages: Mapping[int, int] = field(default_factory=dict)
    """How many there are of each size in bytes."""
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The files of each declared resource."""
    has_apparmor: bool = False
    has_cgroup_v2: bool = False


def machine(config: Config) -> Machine:
    """Reads the system. What a machine does not tell is left empty."""
    memory = parse_meminfo(_text("/proc/meminfo"))
    disk = shutil.disk_usage(config.data)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", 0),
        storage=disk.total,
        storage_free=disk.free,
        pids_free=_pids_free(),
        addresses=(config.address,) if config.address else _addresses(),
        hostname=socket.gethostname(),
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=parse_os_release(_text("/etc/os-release")),
        machine_id=_text("/etc/machine-id").strip(),
        boot_id=_text("/proc/sys/kernel/random/boot_id").strip(),
        resolver=parse_resolver(_text("/etc/resolv.conf")),
        hosts_file=_text("/etc/hosts"),
        huge_pages=_huge_pages(Path("/sys/kernel/mm/hugepages")),
        devices=present(config.devices),
        has_apparmor=_text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
        has_cgroup_v2=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
    )


def simulated_machine(name: str) -> Machine:
    """One that has room for a hundred small pods."""
    size = 64 * 1024**3
    return Machine(
        cpus=4,
        memory=8 * 1024**3,
        memory_available=8 * 1024**3,
        storage=size,
        storage_free=size,
        addresses=("127.0.0.1",),
        hostname=name,
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel="simulated",
        os_image="simulated",
        machine_id="",
        boot_id="",
    )


def facts(config: Config, machine: Machine) -> NodeFacts:
    """What pods need to know."""
    allocatable_cpu = max(0, machine.cpus * 1000 - milli(config.reserved.cpu))
    huge = sum(size * count for size, count in machine.huge_pages.items())
    allocatable_memory = max(0, machine.memory - value(config.reserved.memory) - huge)
    return NodeFacts(
        name=config.node,
        addresses=machine.addresses,
        resolver=machine.resolver,
        memory_capacity=machine.memory,
        allocatable_cpu=allocatable_cpu,
        allocatable_memory=allocatable_memory,
        allocatable_storage=machine.storage,
        allocatable={
            "cpu": allocatable_cpu,
            "memory": allocatable_memory,
            "ephemeral-storage": machine.storage,
            "pods": config.max_pods,
            **_countable(config, machine),
        },
        page_sizes=tuple(sorted(machine.huge_pages)),
        pids_limit=config.pod_pids_limit,
        has_cgroup_v2=machine.has_cgroup_v2,
        has_apparmor=machine.has_apparmor,
        seccomp_profiles=config.data / "seccomp",
        unsafe_sysctls=config.allowed_unsafe_sysctls,
        device_resources=config.devices,
        devices=machine.devices,
        hosts_file=machine.hosts_file,
    )


def _countable(config: Config, machine: Machine) -> dict[str, int]:
    """Huge pages, in bytes, and devices."""
    huge = {huge_resource(size): size * count for size, count in sorted(machine.huge_pages.items())}
    return huge | amounts(config.devices, machine.devices)


def labels(config: Config, machine: Machine) -> dict[str, str]:
    """The well-known ones, with the names that some charts still select by, and those of the configuration."""
    return {
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": config.node,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
    } | config.labels


def status(config: Config, machine: Machine, *, runtime: str, version: str, images: Sequence[Image] = ()) -> NodeStatus:
    """What the cluster is told. `runtime` is its name and version, empty while it does not answer."""
    known = facts(config, machine)
    whole: dict[str, Quantity] = {"cpu": str(machine.cpus), "memory": _kibibytes(machine.memory)}
    rest: dict[str, Quantity] = {"ephemeral-storage": _kibibytes(machine.storage), "pods": str(config.max_pods)}
    rest |= {name: _shown(amount) for name, amount in _countable(config, machine).items()}
    allocatable: dict[str, Quantity] = {
        "cpu": f"{known.allocatable_cpu}m",
        "memory": _kibibytes(known.allocatable_memory),
    }
    hosts = (NodeAddress(type="Hostname", address=machine.hostname),)
    return NodeStatus(
        addresses=tuple(NodeAddress(type="InternalIP", address=address) for address in machine.addresses) + hosts,
        allocatable=allocatable | rest,
        capacity=whole | rest,
        conditions=conditions(machine, runtime),
        images=told_images(images),
        node_info=NodeSystemInfo(
            architecture=machine.architecture,
            boot_id=machine.boot_id,
            container_runtime_version=runtime,
            kernel_version=machine.kernel,
            kube_proxy_version="",
            kubelet_version=f"{KUBERNETES}-wherry{version}",
            machine_id=machine.machine_id,
            operating_system="linux",
            os_image=machine.os_image,
            system_uuid=machine.machine_id,
        ),
    )


def conditions(machine: Machine, runtime: str) -> tuple[NodeCondition, ...]:
    """Ready, and what the node is short of."""
    short = {
        "MemoryPressure": (machine.memory_available < MEMORY_FLOOR, "Memory"),
        "DiskPressure": (machine.storage_free < machine.storage * DISK_FLOOR, "Disk"),
        "PIDPressure": (machine.pids_free < PIDS_FLOOR, "PID"),
    }
    pressure = tuple(
        NodeCondition(
            type=type_,
            status="True" if is_short else "False",
            reason=f"KubeletHas{'Insufficient' if is_short else 'Sufficient'}{word}",
            message=f"{word.lower()} is {'short' if is_short else 'sufficient'}",
        )
        for type_, (is_short, word) in short.items()
    )
    ready = NodeCondition(type="Ready", status="True", reason="KubeletReady", message="the node agent is ready")
    if not runtime:
        ready = NodeCondition(
            type="Ready", status="False", reason="KubeletNotReady", message="the container runtime does not answer"
        )
    return (*pressure, ready)


def told_images(images: Sequence[Image]) -> tuple[ContainerImage, ...]:
    """The largest ones, with the names that a pod may use for them."""
    named = [image for image in images if image.tags or image.digests]
    largest = sorted(named, key=lambda image: (-image.size, image.id))[:MAX_IMAGES]
    return tuple(ContainerImage(names=(*image.digests, *image.tags), size_bytes=image.size) for image in largest)


def parse_meminfo(text: str) -> dict[str, int]:
    """`/proc/meminfo` in bytes."""
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[1].isdigit()}


def parse_os_release(text: str) -> str:
    """The name for people."""
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return ""


def _kibibytes(size: int) -> str:
    return f"{size // 1024}Ki"


def _shown(amount: int) -> str:
    return str(amount) if amount % (1024 * 1024) or not amount else f"{amount // (1024 * 1024)}Mi"


def _huge_pages(folder: Path) -> dict[int, int]:
    """Those set aside when the system booted or by its administrator, by their size."""
    names = (entry.name for entry in folder.glob("hugepages-*kB"))
    sizes = {int(name.removeprefix("hugepages-").removesuffix("kB")): name for name in names}
    return {size * 1024: int(_text(str(folder / name / "nr_hugepages")) or 0) for size, name in sizes.items()}


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _addresses() -> tuple[str, ...]:
    """The source addresses of the default routes, IPv4 first; a node without a route has the first of its links'."""
    found: list[str] = []
    for family, far in (("-4", "192.0.2.1"), ("-6", "2001:db8::1")):
        routes = _ip(family, "route", "get", far)
        found += [route["prefsrc"] for route in routes if "prefsrc" in route]
    if not found:
        links = _ip("-4", "address", "show", "scope", "global", "up")
        found = [address["local"] for link in links for address in link.get("addr_info", ())][:1]
    return tuple(found)


def _ip(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, timeout=10, check=False)
    answer: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    return answer


def _pids_free() -> float:
    limit = _text("/proc/sys/kernel/pid_max").strip()
    load = _text("/proc/loadavg").split()
    if not limit or len(load) < 4:
        return 1.0
    return 1.0 - int(load[3].partition("/")[2]) / int(limit)
