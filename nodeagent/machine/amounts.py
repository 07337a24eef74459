"""How much of what runs out there is, and what is left of it: a few small reads, cheap enough for every ten seconds."""

import os
from pathlib import Path

import msgspec

from nodeagent.machine.parsing import parse_meminfo
from nodeagent.machine.thresholds import (
    IMAGEFS,
    IMAGEFS_INODES,
    MEMORY,
    NODEFS,
    NODEFS_INODES,
    PIDS,
    Observation,
)


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes. `images…` are 0 where images lie on the file system of the data directory."""

    memory: int = 0
    memory_available: int = 0
    storage: int = 0
    storage_free: int = 0
    inodes: int = 0
    inodes_free: int = 0
    images_storage: int = 0
    images_free: int = 0
    images_inodes: int = 0
    images_inodes_free: int = 0
    pids: int = 0
    pids_free: int = 0

    def observations(self) -> dict[str, Observation]:
        """What has no capacity is not there to run out."""
        pairs = {
            MEMORY: Observation(self.memory_available, self.memory),
            NODEFS: Observation(self.storage_free, self.storage),
            NODEFS_INODES: Observation(self.inodes_free, self.inodes),
            IMAGEFS: Observation(self.images_free, self.images_storage),
            IMAGEFS_INODES: Observation(self.images_inodes_free, self.images_inodes),
            PIDS: Observation(self.pids_free, self.pids),
        }
        return {signal: found for signal, found in pairs.items() if found.capacity > 0}


def read(data: Path, images: Path) -> Amounts:
    """`data`: the agent's directory, `images`: where the runtime keeps its layers. Raises `OSError`."""
    memory = parse_meminfo(_text("/proc/meminfo"))
    disk = os.statvfs(data)
    other = _other(data, images)
    pids = _number("/proc/sys/kernel/pid_max")
    return Amounts(
        memory=memory.get("MemTotal", 0),
        memory_available=memory.get("MemAvailable", 0),
        storage=disk.f_blocks * disk.f_frsize,
        storage_free=disk.f_bavail * disk.f_frsize,
        inodes=disk.f_files,
        inodes_free=disk.f_favail,
        images_storage=other.f_blocks * other.f_frsize if other else 0,
        images_free=other.f_bavail * other.f_frsize if other else 0,
        images_inodes=other.f_files if other else 0,
        images_inodes_free=other.f_favail if other else 0,
        pids=pids,
        pids_free=max(0, pids - _threads()) if pids else 0,
    )


def _other(data: Path, images: Path) -> os.statvfs_result | None:
    """The file system of the images, where it is one of its own."""
    try:
        return os.statvfs(images) if os.stat(images).st_dev != os.stat(data).st_dev else None
    except OSError:
        return None  # not made yet, or not to be looked into


def _threads() -> int:
    words = _text("/proc/loadavg").split()
    return int(words[3].partition("/")[2]) if len(words) > 3 else 0


def _number(path: str) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
