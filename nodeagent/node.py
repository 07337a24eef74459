"""What the machine that this node is means to cluster and pods. Pure; `machine.reading` reads it."""

import platform
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import field

from nodeagent.config import Config
from nodeagent.devices.allocation import amounts
from nodeagent.machine.conditions import Health, conditions
from nodeagent.machine.parsing import architecture
from nodeagent.machine.thresholds import MEMORY, NODEFS, hard_amount
from nodeagent.pods.node import NodeFacts, Resolver
from nodeagent.pods.podcgroup import huge_resource
from nodeagent.runtime.interface import Image
from schemas.core.node import ContainerImage, NodeAddress, NodeStatus, NodeSystemInfo
from schemas.ingress import SERVES
from schemas.meta import Quantity
from schemas.quantity import canonical, milli, value

MAX_IMAGES = 50
"""Images that are told, the largest first: the scheduler weighs them by size."""
KUBERNETES = "v1.36.2"
"""The API version that clients find here."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the machine. Sizes in bytes."""

    cpus: int
    memory: int
    storage: int
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
    is_clock_synchronised: bool | None = None
    """None: the kernel does not tell."""


def simulated_machine(name: str) -> Machine:
    """One that has room for a hundred small pods."""
    size = 64 * 1024**3
    return Machine(
        cpus=4,
        memory=8 * 1024**3,
        storage=size,
        addresses=("127.0.0.1",),
        hostname=name,
        architecture=architecture(platform.machine()),
        kernel="simulated",
        os_image="simulated",
        machine_id="",
        boot_id="",
    )


def facts(config: Config, machine: Machine) -> NodeFacts:
    """What pods need to know."""
    allocatable_cpu = max(0, machine.cpus * 1000 - milli(config.reserved.cpu))
    huge = sum(size * count for size, count in machine.huge_pages.items())
    hard = config.eviction().thresholds
    memory = machine.memory - value(config.reserved.memory) - hard_amount(hard, MEMORY, machine.memory) - huge
    allocatable_memory = max(0, memory)
    storage = machine.storage - value(config.reserved.ephemeral_storage) - hard_amount(hard, NODEFS, machine.storage)
    allocatable_storage = max(0, storage)
    return NodeFacts(
        name=config.node,
        addresses=machine.addresses,
        resolver=machine.resolver,
        memory_capacity=machine.memory,
        allocatable_cpu=allocatable_cpu,
        allocatable_memory=allocatable_memory,
        allocatable_storage=allocatable_storage,
        allocatable={
            "cpu": allocatable_cpu,
            "memory": allocatable_memory,
            "ephemeral-storage": allocatable_storage,
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
        **({SERVES: "true"} if config.ingress else {}),
    } | config.labels


def status(
    config: Config, machine: Machine, health: Health, *, version: str, images: Sequence[Image] = ()
) -> NodeStatus:
    """What the cluster is told."""
    known = facts(config, machine)
    whole: dict[str, Quantity] = {"cpu": str(machine.cpus), "memory": _size(machine.memory)}
    whole["ephemeral-storage"] = _size(machine.storage)
    rest: dict[str, Quantity] = {"pods": str(config.max_pods)}
    rest |= {name: _shown(amount) for name, amount in _countable(config, machine).items()}
    allocatable: dict[str, Quantity] = {
        "cpu": canonical(f"{known.allocatable_cpu}m"),
        "memory": _size(known.allocatable_memory),
        "ephemeral-storage": _shown(known.allocatable_storage),
    }
    hosts = (NodeAddress(type="Hostname", address=config.node),)  # as its label says
    return NodeStatus(
        addresses=tuple(NodeAddress(type="InternalIP", address=address) for address in machine.addresses) + hosts,
        allocatable=allocatable | rest,
        capacity=whole | rest,
        conditions=conditions(health, is_clock_synchronised=machine.is_clock_synchronised),
        images=told_images(images),
        node_info=NodeSystemInfo(
            architecture=machine.architecture,
            boot_id=machine.boot_id,
            container_runtime_version=health.runtime,
            kernel_version=machine.kernel,
            kube_proxy_version="",
            kubelet_version=f"{KUBERNETES}-wherry{version}",
            machine_id=machine.machine_id,
            operating_system="linux",
            os_image=machine.os_image,
            system_uuid=machine.machine_id,
        ),
    )


def told_images(images: Sequence[Image]) -> tuple[ContainerImage, ...]:
    """The largest ones, with the names that a pod may use for them."""
    named = [image for image in images if image.tags or image.digests]
    largest = sorted(named, key=lambda image: (-image.size, image.id))[:MAX_IMAGES]
    return tuple(ContainerImage(names=(*image.digests, *image.tags), size_bytes=image.size) for image in largest)


def _size(size: int) -> str:
    """As the API prints it: what is not whole in one unit is in the next smaller one."""
    return canonical(f"{size // 1024}Ki")


def _shown(amount: int) -> str:
    return str(amount) if amount % 1024 else _size(amount)
