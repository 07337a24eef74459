"""A source that is looked at as a sync would, with a watch that only remembers."""

import os
from pathlib import Path

from reconciler.manifests.source import Look, Source
from tests.unit.reconciler.manifests.builders import config_map


class Named:
    """Remembers which directories a scan named."""

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.inputs: list[str] = []

    def add(self, directory: str) -> None:
        self.directories.append(directory)

    def add_git(self, directory: Path) -> None:
        self.directories.append(str(directory))

    def start_round(self, folder: Path) -> None:
        self.directories.clear()
        self.inputs.clear()

    def add_input(self, directory: str, name: str) -> None:
        self.inputs.append(os.path.join(directory, name))

    def add_tree(self, directory: str) -> None:
        self.inputs.append(f"{directory}/")


def look(source: Source, watch: Named | None = None, writing: frozenset[str] = frozenset()) -> Look:
    return source.read(source.scan(watch or Named(), writing))


def write(folder: Path, file: str, text: str = "", age_seconds: int = 60) -> Path:
    """A file written a while ago, so that its time stamp can be trusted."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or config_map(path.stem.strip(".")))
    then = path.stat().st_mtime_ns - age_seconds * 10**9
    os.utime(path, ns=(then, then))
    return path


def messages(found: Look) -> dict[str, str]:
    return {path: state.faults[0].message for path, state in found.changed.items() if state and state.faults}
