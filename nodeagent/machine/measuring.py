"""What pods use of what their node is short of: disk by a walk through their files, the rest as the runtime tells.

A walk counts blocks, as `du` does, a file of several names once; it stays on its file system, and what vanishes under
it was small anyway.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nodeagent.machine.ranking import PodUse, Use
from nodeagent.pods.node import Directories, logs_in_memory
from nodeagent.pods.podstate import PodState
from nodeagent.runtime.cgroups import hierarchies
from nodeagent.runtime.interface import ContainerUsage
from nodeagent.volumes.plan import EmptyDir

BLOCK = 512
"""The unit of `st_blocks`, whatever the file system's own is."""


def tree(path: Path) -> Use:
    """Of a directory with all below it."""
    try:
        top = os.stat(path, follow_symlinks=False)
    except OSError:
        return Use()
    seen: set[int] = set()
    storage, inodes, due = top.st_blocks * BLOCK, 1, [os.fspath(path)]
    while due:
        for status, below in _entries(due.pop()):
            if status.st_dev != top.st_dev or (status.st_nlink > 1 and not below and status.st_ino in seen):
                continue
            if status.st_nlink > 1:
                seen.add(status.st_ino)
            storage, inodes = storage + status.st_blocks * BLOCK, inodes + 1
            due += [below] if below else []
    return Use(storage=storage, inodes=inodes)


def _entries(directory: str) -> Iterable[tuple[os.stat_result, str]]:
    """What lies in it: how it is, and its path where it is a directory."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    is_directory = entry.is_dir(follow_symlinks=False)
                    yield entry.stat(follow_symlinks=False), entry.path if is_directory else ""
                except OSError:
                    continue  # removed meanwhile
    except OSError:
        return


def layers(mounts: str) -> dict[str, Path]:
    """Where each running container writes what it writes to its root, by its id, given `/proc/self/mounts`.

    Of overlayfs, as containerd mounts it. The runtime's own figure may be minutes old, for it walks through everything.
    """
    found = {}
    for line in mounts.splitlines():
        _, point, kind, options, *_ = line.split(" ")
        path = Path(point)
        if kind != "overlay" or path.name != "rootfs":
            continue
        for option in options.split(","):
            if option.startswith("upperdir="):
                found[path.parent.name] = Path(option.removeprefix("upperdir="))
    return found


def processes(hierarchies: Iterable[Path]) -> dict[str, int]:
    """How many processes and threads each container has, by the end of its cgroup's name: the runtime names it so."""
    found = {}
    for hierarchy in hierarchies:
        for directory, _, names in os.walk(hierarchy):
            if "pids.current" in names:
                try:
                    count = int(Path(directory, "pids.current").read_text())
                except (OSError, ValueError):
                    continue  # gone meanwhile
                name = Path(directory).name.removesuffix(".scope")
                found[name.rpartition("-")[2]] = count
    return found


def measured(
    states: Iterable[PodState],
    usages: Sequence[ContainerUsage],
    directories: Directories,
    *,
    files: bool,
    pids: bool = False,
) -> list[PodUse]:
    """For a thread: `files` says whether volumes and logs are walked through, `pids` whether processes are counted."""
    by_id = {usage.container_id: usage for usage in usages}
    counts = processes(hierarchies()) if pids else {}
    written = layers(Path("/proc/self/mounts").read_text()) if files else {}
    return [
        PodUse(
            state.pod,
            _containers(state, by_id, written, counts, directories, files),
            _volumes(state, directories) if files else {},
        )
        for state in states
    ]


def _containers(
    state: PodState,
    usages: Mapping[str, ContainerUsage],
    written: Mapping[str, Path],
    counts: Mapping[str, int],
    directories: Directories,
    files: bool,
) -> dict[str, Use]:
    logs = directories.pod_logs(state.pod)
    files = files and not logs_in_memory(state.pod)
    found = {}
    for name, attempts in list(state.observed.containers.items()):
        use = tree(logs / name) if files else Use()
        for one in attempts:
            told = usages.get(one.id)
            use += Use(memory=told.memory_bytes if told else 0, pids=counts.get(one.id, 0))
            if one.id in written:
                use += tree(written[one.id])
            elif told is not None:
                use += Use(storage=told.writable_bytes, inodes=told.writable_inodes)
        found[name] = use
    return found


def _volumes(state: PodState, directories: Directories) -> dict[str, Use]:
    root = directories.pod_data(state.uid) / "volumes"
    volumes = list(state.volumes.values())
    return {one.name: tree(root / one.name) for one in volumes if isinstance(one, EmptyDir) and not one.in_memory}
