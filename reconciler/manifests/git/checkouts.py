"""Where a git source keeps things on disk, and how one commit takes the place of another.

    repository/            bare, shallow, ours alone
    checkouts/COMMIT/      one commit each, as a linked worktree, so that its `.git` tells which
    shown                  symlink to the folder of manifests in one of them, swapped at once

What lies there counts only once `shown` leads to it: a checkout that was cut short is removed.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

_LEFTOVERS = (".lock", ".pid")


class Places(msgspec.Struct, frozen=True):
    """All below one directory."""

    directory: Path

    @property
    def repository(self) -> Path:
        return self.directory / "repository"

    @property
    def checkouts(self) -> Path:
        return self.directory / "checkouts"

    @property
    def shown(self) -> Path:
        return self.directory / "shown"

    def shown_checkout(self) -> str:
        """The name of the checkout in force; empty where there is none, or it has gone."""
        try:
            place = os.readlink(self.shown).split("/")
        except OSError:
            return ""
        name = place[1] if place[:1] == ["checkouts"] and len(place) > 1 else ""
        return name if name and (self.checkouts / name / ".git").is_file() else ""

    def show(self, name: str, path: str) -> None:
        """Swaps the link, durably. Nothing is written where it leads there already."""
        target = f"checkouts/{name}/{path}".rstrip("/")
        if self.shown.is_symlink() and os.readlink(self.shown) == target:
            return
        draft = self.directory / "shown.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(target)
        draft.replace(self.shown)
        _sync(self.directory)

    def remove(self, name: str) -> None:
        """Removes what there is of a checkout."""
        for place in (self.checkouts / name, self.repository / "worktrees" / name):
            if place.exists():
                shutil.rmtree(place)

    def remove_others(self, keep: set[str]) -> None:
        """Removes all checkouts but these."""
        for name in {*_names(self.checkouts), *_names(self.repository / "worktrees")} - keep:
            self.remove(name)

    def sweep(self) -> None:
        """Removes what a git that was killed has left in our repository: locks, and packs that were never finished."""
        for directory, _, files in os.walk(self.repository):
            for file in files:
                if file.endswith(_LEFTOVERS) or file.startswith(("tmp_", ".tmp-")):
                    os.unlink(os.path.join(directory, file))

    def empty_repository(self) -> None:
        """Removes all of a damaged repository but which commit each checkout shows."""
        for name in _names(self.repository):
            place = self.repository / name
            if name == "worktrees":
                continue
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()

    def packs(self) -> int:
        return sum(name.endswith(".pack") for name in _names(self.repository / "objects" / "pack"))

    def leads_out(self, name: str, path: str) -> bool:
        """Whether the folder of manifests, followed through symlinks, lies outside of the checkout."""
        root = os.path.realpath(self.checkouts / name)
        return not f"{os.path.realpath(self.checkouts / name / path)}/".startswith(f"{root}/")


def replace(path: Path, content: str) -> None:
    """Brings a small file to this content; nothing is written where it has it."""
    if path.exists() and path.read_text() == content:
        return
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(content)
    draft.replace(path)


def fresh(directory: Path) -> Path:
    """An empty directory that nobody else looks into."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return directory


def _names(directory: Path) -> Iterator[str]:
    yield from (os.listdir(directory) if directory.is_dir() else ())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
