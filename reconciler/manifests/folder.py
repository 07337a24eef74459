"""A folder, seen once by what the daemon sees it with: its plain manifests, and what its units declare.

I/O, thin. For commands that follow nothing and wait for nobody; that git may be at work is no matter here.
"""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from reconciler.manifests.documents import FileState
from reconciler.manifests.parse import Problem
from reconciler.manifests.projects import Projects
from reconciler.manifests.units import MARKERS
from reconciler.manifests.walk import Walk, ignored, resolved
from schemas.decode import FieldValidation


class Folder(msgspec.Struct, frozen=True):
    """`files` are the plain manifests, to be loaded; `units` are loaded, by their main files. Paths are from `root`."""

    root: str
    files: tuple[str, ...]
    problems: dict[str, Problem]
    units: dict[str, FileState]


class _Unwatched:
    def add(self, directory: str) -> None:
        """Nobody follows what is seen once."""

    def add_tree(self, directory: str) -> None:
        """Nor this."""

    def add_input(self, directory: str, name: str) -> None:
        """Nor this."""


def read_folder(folder: Path, validation: FieldValidation = "Strict") -> Folder:
    """Raises `Unreadable`, and `Unsettled` where files vanish meanwhile."""
    root, projects, watch = resolved(folder), Projects(validation), _Unwatched()
    walk = Walk(str(root), watch.add, ignored(root))
    walk.run()
    layout = projects.layout(walk.root, walk.markers)
    found = projects.look(walk.root, watch, layout.units, {}, frozenset())
    files = (path for path in sorted(walk.files) if layout.is_plain(path) and path not in found.parts)
    problems = {path: problem for path, problem in walk.problems.items() if layout.is_plain(path)}
    return Folder(walk.root, tuple(files), problems, found.changed)


def read_unit(main: Path, validation: FieldValidation = "Strict") -> FileState | None:
    """What the unit with this main file declares; None where the file is no unit's. Raises `Unsettled`, `OSError`.

    The source is the working directory, where the file is below it: there a chart beside the release may be.
    """
    if main.name not in MARKERS:
        return None
    place, here = os.path.abspath(main), os.getcwd()
    root = here if place.startswith(f"{here}{os.sep}") else os.path.dirname(place)
    path, projects = os.path.relpath(place, root), Projects(validation)
    layout = projects.layout(root, [path])
    state = projects.look(root, _Unwatched(), layout.units, {}, frozenset()).changed.get(path)
    if state is None or root == here:
        return state
    return below(root, state)


def below(folder: str, state: FileState) -> FileState:
    """The state, with the names that its files have from outside of the folder."""
    faults = (replace(fault, file=os.path.normpath(os.path.join(folder, fault.file))) for fault in state.faults)
    return replace(state, faults=tuple(faults))
