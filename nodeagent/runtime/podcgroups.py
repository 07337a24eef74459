"""The cgroups around the containers of a pod, and around all pods of a class, as the kubelet lays them.

Guaranteed pods lie directly below the root of the agent's cgroups, the others in `burstable` and `besteffort`: under
load these give way to them. The same values are written to whatever files the kernel has, of version 1 or 2
(https://kubernetes.io/docs/concepts/architecture/cgroups/). On a node where systemd keeps the cgroups the directories
are its slices; there the two classes keep systemd's own weights.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from nodeagent.runtime.cgroups import hierarchies
from nodeagent.runtime.interface import PodCgroup

BURSTABLE, BEST_EFFORT = "burstable", "besteffort"
CLASSES = ("", BURSTABLE, BEST_EFFORT)
MIN_SHARES, MAX_SHARES = 2, 262_144
_MAX_WEIGHT = 10_000
_CONTROLLERS = ("cpu", "memory", "pids", "hugetlb")


def weight(shares: int) -> int:
    """`cpu.weight` of version 2 for the `cpu.shares` of version 1, as the kubelet and runc reckon it."""
    kept = min(max(shares, MIN_SHARES), MAX_SHARES)
    return 1 + (kept - MIN_SHARES) * (_MAX_WEIGHT - 1) // (MAX_SHARES - MIN_SHARES)


def shares(weight_: int) -> int:
    """The shares that `weight` makes this of, roughly."""
    return MIN_SHARES + (weight_ - 1) * (MAX_SHARES - MIN_SHARES) // (_MAX_WEIGHT - 1)


def files(cgroup: PodCgroup) -> dict[str, str]:
    """What is written, by file; of both versions, in an order that the kernel takes."""
    found = {"cpu.shares": str(max(MIN_SHARES, cgroup.cpu_shares)), "cpu.weight": str(weight(cgroup.cpu_shares))}
    if cgroup.cpu_period:
        found["cpu.cfs_period_us"] = str(cgroup.cpu_period)
        found["cpu.cfs_quota_us"] = str(cgroup.cpu_quota or -1)
        found["cpu.max"] = f"{cgroup.cpu_quota or 'max'} {cgroup.cpu_period}"
    found["memory.limit_in_bytes"] = str(cgroup.memory_limit or -1)
    found["memory.max"] = str(cgroup.memory_limit or "max")
    found["pids.max"] = str(cgroup.pids_limit or "max")
    for size, limit in cgroup.hugepages.items():
        found[f"hugetlb.{size}.limit_in_bytes"] = found[f"hugetlb.{size}.max"] = str(limit)
    return found


def keep(path: str, cgroup: PodCgroup) -> None:
    """Makes the cgroup at `path` below each hierarchy, and sets its limits; again, wherever they differ.

    Raises `OSError` where the kernel refuses a limit: the pod must not run without it.
    """
    for hierarchy in _limiting():
        directory = hierarchy / path.lstrip("/")
        _make(hierarchy, directory)
        write(directory, files(cgroup))
    if cgroup.parent:
        share_out(str(Path(path).parents[1]))


def limit_pids(root: str, most: int) -> None:
    """How many processes all pods of this root may have together. Raises `OSError`."""
    for hierarchy in _limiting():
        if "pids" in _controllers(hierarchy):
            directory = hierarchy / root.lstrip("/")
            _make(hierarchy, directory)
            write(directory, {"pids.max": str(most)})


def write(directory: Path, values: Mapping[str, str]) -> None:
    """What a hierarchy has no file for is another one's affair."""
    for name, value in values.items():
        file = directory / name
        with suppress(FileNotFoundError):
            if file.read_text().strip() != value:
                file.write_text(value)


def share_out(root: str) -> None:
    """The class of Burstable pods gets what its pods ask for together, the one of BestEffort pods the least there is.

    Read from the pods' own cgroups, so that it is right whatever was missed; a class that is gone needs nothing.
    """
    for hierarchy in _limiting():
        base = hierarchy / root.lstrip("/")
        for name, asked in ((BEST_EFFORT, MIN_SHARES), (BURSTABLE, _asked(base / BURSTABLE))):
            with suppress(OSError):  # the last of its pods may be going at this moment, and the class with it
                write(base / name, {"cpu.shares": str(asked), "cpu.weight": str(weight(asked))})


def _asked(directory: Path) -> int:
    total = 0
    for pod in directory.glob("pod*"):
        with suppress(OSError, ValueError):
            total += int((pod / "cpu.shares").read_text())
        with suppress(OSError, ValueError):
            total += shares(int((pod / "cpu.weight").read_text()))
    return min(max(total, MIN_SHARES), MAX_SHARES)


def _limiting() -> Iterable[Path]:
    """The hierarchies that hold one of the controllers by which pods are limited."""
    return [one for one in hierarchies() if set(_controllers(one)) & set(_CONTROLLERS)]


def _controllers(hierarchy: Path) -> list[str]:
    """With version 2 those that the root offers; with version 1 those that it is named for."""
    with suppress(OSError):
        return (hierarchy / "cgroup.controllers").read_text().split()
    return hierarchy.name.split(",")


def _make(hierarchy: Path, directory: Path) -> None:
    """With version 2 each level has to hand its controllers down to the next one."""
    for level in reversed([directory, *directory.parents]):
        if not level.is_relative_to(hierarchy):
            continue
        level.mkdir(exist_ok=True)
        handed = level / "cgroup.subtree_control"
        if level != directory and handed.exists():
            missing = set(_CONTROLLERS) & set(_controllers(level)) - set(handed.read_text().split())
            if missing:
                handed.write_text(" ".join(f"+{name}" for name in sorted(missing)))
