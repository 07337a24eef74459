"""What of a folder is read as one. Pure.

A unit is a Kustomize folder, a Helm chart, a release of a chart, or a Compose project; it is named by its main file.
All other manifests are plain. The rules, in the order in which they apply:

- A folder with a kustomization or a chart belongs to it with all that is below: nothing there is a plain manifest.
  Below a chart nothing else is built; a chart below a kustomization is not built.
- A kustomization that another one refers to is a part of that one, and is not built on its own. Of those that refer to
  each other in a circle, the first by its path is built, and says so. A component is never built on its own.
- Of the kustomizations that are left, the outermost is built, and none below it.
- A chart that a release names is not built on its own.
- The first name of `COMPOSE_FILES` in a folder is a project; the overrides beside it are parts of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from posixpath import basename, dirname

import msgspec

from reconciler.manifests.compose.paths import COMPOSE_FILES, OVERRIDE_FILES
from reconciler.manifests.helm import CHART, RELEASE
from reconciler.manifests.kustomize import KUSTOMIZATIONS, Kustomization, targets

MARKERS = frozenset((*KUSTOMIZATIONS, CHART, RELEASE, *COMPOSE_FILES, *OVERRIDE_FILES))
"""Names of files that make a unit, or are a part of one."""


class Form(StrEnum):
    KUSTOMIZATION = "kustomization"
    CHART = "chart"
    RELEASE = "release"
    COMPOSE = "compose"


class Unit(msgspec.Struct, frozen=True, order=True):
    """`main` is the path of its main file from the source's folder."""

    main: str
    form: Form


class Layout(msgspec.Struct, frozen=True):
    """`owned` are the folders that belong to a unit with all that is below; `parts` are single files of units."""

    units: tuple[Unit, ...] = ()
    owned: tuple[str, ...] = ()
    parts: frozenset[str] = frozenset()

    def is_plain(self, path: str) -> bool:
        """Whether what is at the path speaks for itself."""
        return not path.startswith(self.owned) and path not in self.parts


def layout(
    markers: Iterable[str],
    kustomizations: Mapping[str, Kustomization],
    charts_of_releases: Mapping[str, str],
) -> Layout:
    """`markers` are the files of a source that bear one of the `MARKERS`; the kustomizations by their path.

    `charts_of_releases` is the folder of its chart for each release.
    """
    by_folder: dict[str, set[str]] = {}
    for path in markers:
        by_folder.setdefault(dirname(path), set()).add(basename(path))
    if not by_folder:
        return Layout()
    kustomized = {folder: name for folder, names in by_folder.items() if (name := _first(KUSTOMIZATIONS, names))}
    charts: set[str] = set()
    inner: set[str] = set()
    for folder in sorted(by_folder, key=_depth):
        if any(above in charts for above in _above(folder)):
            inner.add(folder)
        elif CHART in by_folder[folder] and folder not in kustomized:
            charts.add(folder)
    mains = {folder: _path(folder, name) for folder, name in kustomized.items() if folder not in inner}
    owned = mains.keys() | charts
    taken = inner | {folder for folder in by_folder if any(above in mains for above in (folder, *_above(folder)))}
    released = {folder for folder, names in by_folder.items() if RELEASE in names and folder not in taken}
    spoken_for = {charts_of_releases.get(_path(folder, RELEASE), "") for folder in released}
    units = [Unit(mains[folder], Form.KUSTOMIZATION) for folder in _built(mains, kustomizations)]
    units += [Unit(_path(folder, RELEASE), Form.RELEASE) for folder in released]
    units += [Unit(_path(one, CHART), Form.CHART) for one in charts - taken if (one or ".") not in spoken_for]
    composed = {
        folder: name
        for folder, names in by_folder.items()
        if folder not in taken and folder not in charts and (name := _first(COMPOSE_FILES, names))
    }
    units += [Unit(_path(folder, name), Form.COMPOSE) for folder, name in composed.items()]
    parts = {_path(folder, RELEASE) for folder in released}
    parts |= {
        _path(folder, name) for folder in composed for name in by_folder[folder] & {*COMPOSE_FILES, *OVERRIDE_FILES}
    }
    return Layout(tuple(sorted(units)), tuple(sorted(f"{one}/" if one else "" for one in owned)), frozenset(parts))


def _built(mains: Mapping[str, str], kustomizations: Mapping[str, Kustomization]) -> Iterator[str]:
    """The folders of the kustomizations that are built on their own."""
    none = Kustomization()
    read = {folder: kustomizations.get(main, none) for folder, main in mains.items()}
    names = {
        folder: {"" if one == "." else one for one in targets(mains[folder], read[folder])} & mains.keys() - {folder}
        for folder in mains
    }
    named = {target for found in names.values() for target in found}
    roots = [folder for folder in sorted(mains) if folder not in named and not read[folder].is_component]
    reached = _reached(roots, names)
    for folder in sorted(named - reached):  # in a circle, or parts of components alone
        if folder not in reached and folder in _reached(names[folder], names):
            roots.append(folder)
            reached |= _reached([folder], names)
    chosen = set(roots)
    return (folder for folder in roots if not any(above in chosen for above in _above(folder)))


def _reached(start: Iterable[str], names: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        folder = waiting.pop()
        if folder not in reached:
            reached.add(folder)
            waiting += names[folder]
    return reached


def _first(names: Iterable[str], there: set[str]) -> str:
    return next((name for name in names if name in there), "")


def _above(folder: str) -> Iterator[str]:
    """The folders that this one lies in, the source's own last."""
    while folder:
        folder = dirname(folder)
        yield folder


def _depth(folder: str) -> tuple[int, str]:
    return (folder.count("/") + 1 if folder else 0), folder


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
