"""Removal of cgroups that we made. Only empty ones go: the kernel refuses the others."""

import os
from pathlib import Path


def hierarchies() -> list[Path]:
    """The mounted trees: one per controller with version 1, one in all with version 2, both where both are mounted."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]


def remove_cgroup(path: str) -> None:
    """`path` in each hierarchy, with the empty ones below it. What holds processes stays."""
    for hierarchy in hierarchies():
        _remove(hierarchy / path.lstrip("/"))


def _remove(directory: Path) -> None:
    try:
        below = [entry for entry in directory.iterdir() if entry.is_dir()]
    except OSError:
        return  # gone, or never there in this hierarchy
    for entry in below:
        _remove(entry)
    try:
        directory.rmdir()
    except OSError:
        return  # in use, or another remover was faster


def processes_in(path: str) -> list[int]:
    """Those in the cgroup and below it, in any hierarchy."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        # `walk`, for that takes it well when a cgroup goes while it is looked at.
        for directory, _, _ in os.walk(hierarchy / path.lstrip("/")):
            try:
                found.update(map(int, Path(directory, "cgroup.procs").read_text().split()))
            except OSError:
                continue  # gone meanwhile
    return sorted(found)
