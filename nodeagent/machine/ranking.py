"""Which pod goes first when the node is short of something, and what it is told. Pure.

Order and words are the kubelet's
(https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction):
first those that use more than they asked for, then those of the lowest priority, then those that exceed what they
asked for by most. A critical pod never goes.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import field

from nodeagent.machine.thresholds import (
    IMAGEFS,
    IMAGEFS_INODES,
    MEMORY,
    NODEFS,
    NODEFS_INODES,
    PIDS,
    Observation,
    Threshold,
)
from schemas.core.pod import Pod
from schemas.podrequests import requests
from schemas.quantity import value

RESOURCES = {
    MEMORY: "memory",
    NODEFS: "ephemeral-storage",
    NODEFS_INODES: "inodes",
    IMAGEFS: "ephemeral-storage",
    IMAGEFS_INODES: "inodes",
    PIDS: "pids",
}
"""What each signal is short of."""
CRITICAL_PRIORITY = 2_000_000_000
STATIC = "kubernetes.io/config.source"


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What one container, volume or pod uses: bytes, inodes and processes."""

    memory: int = 0
    storage: int = 0
    inodes: int = 0
    pids: int = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(
            memory=self.memory + other.memory,
            storage=self.storage + other.storage,
            inodes=self.inodes + other.inodes,
            pids=self.pids + other.pids,
        )

    def of(self, resource: str) -> int:
        return {
            "memory": self.memory,
            "ephemeral-storage": self.storage,
            "inodes": self.inodes,
            "pids": self.pids,
        }[resource]


class PodUse(msgspec.Struct, frozen=True):
    """`containers` by name: memory, processes, writable layer and logs. `volumes`: emptyDirs on disk, by name."""

    pod: Pod
    containers: Mapping[str, Use] = field(default_factory=dict)
    volumes: Mapping[str, Use] = field(default_factory=dict)

    @property
    def total(self) -> Use:
        return sum((*self.containers.values(), *self.volumes.values()), Use())


def is_critical(pod: Pod) -> bool:
    """https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/"""
    static = pod.metadata.annotations.get(STATIC, "api") != "api"
    return static or (pod.spec.priority or 0) >= CRITICAL_PRIORITY


def ranked(uses: Iterable[PodUse], signal: str) -> list[PodUse]:
    """Those that may be evicted, the first to go first. Equals go by uid, so that the order can be replayed."""
    resource = RESOURCES[signal]

    def key(use: PodUse) -> tuple[bool, int, int, str]:
        over = use.total.of(resource) - requested(use.pod, resource)
        asked_for = resource in ("memory", "ephemeral-storage")
        return (asked_for and over <= 0, use.pod.spec.priority or 0, -over, use.pod.metadata.uid)

    return sorted((use for use in uses if not is_critical(use.pod)), key=key)


def requested(pod: Pod, resource: str) -> int:
    """Of the whole pod, as the scheduler counts it."""
    return requests(pod).get(resource, 0)


def low_message(use: PodUse, threshold: Threshold, found: Observation | None) -> str:
    """Why this pod had to go."""
    resource = RESOURCES[threshold.signal]
    text = f"The node was low on resource: {resource}. "
    if found is not None:
        wanted = threshold.amount.of(found.capacity)
        text += f"Threshold quantity: {_shown(resource, wanted)}, available: {_shown(resource, found.available)}. "
    for container in use.pod.spec.containers:
        used = use.containers.get(container.name, Use()).of(resource)
        asked = value(container.resources.requests.get(resource, "0"))
        if used > asked:
            text += (
                f"Container {container.name} was using {_shown(resource, used)}, request is {_shown(resource, asked)}, "
                f"has larger consumption of {resource}. "
            )
    return text


def _shown(resource: str, amount: int) -> str:
    """As a quantity: whole KiB where they are bytes."""
    return f"{amount // 1024}Ki" if resource in ("memory", "ephemeral-storage") and amount else str(amount)
