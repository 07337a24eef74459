"""The git checkout that a folder lies in: whether git is at work in it, and which commit it shows.

Read from git's own files, which costs two small reads a pass; only a repository that keeps its references in
tables (`reftable`) is asked through the `git` program, and only when a table changed.
"""

import os
import re
import subprocess
from pathlib import Path

_GIT_SECONDS = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Checkout:
    """`directory` is where HEAD and index of this very checkout lie (a worktree has its own)."""

    def __init__(self, work_tree: Path, directory: Path) -> None:
        self.directory = directory
        self.work_tree = work_tree
        self._common = directory
        if pointer := _read(directory / "commondir"):
            self._common = Path(os.path.normpath(directory / pointer))
        self._asked: tuple[object, str] = (None, "")

    def is_moving(self) -> bool:
        """Whether git is changing the files just now, or was killed while it did."""
        return (self.directory / "index.lock").exists()

    def index_mark(self) -> tuple[int, int]:
        """Changes with every checkout, merge or reset."""
        try:
            found = (self.directory / "index").stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def commit(self) -> str:
        """The commit of HEAD; empty where there is none yet."""
        head = _read(self.directory / "HEAD")
        if not head.startswith("ref: "):
            return head if _COMMIT.fullmatch(head) else ""
        name = head.removeprefix("ref: ")
        if (self._common / "reftable").is_dir():
            return self._ask_git()
        return _read(self._common / name) or self._packed(name)

    def _packed(self, name: str) -> str:
        for line in _read(self._common / "packed-refs").splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name and _COMMIT.fullmatch(commit):
                return commit
        return ""

    def _ask_git(self) -> str:
        mark = tuple(_read(base / "reftable" / "tables.list") for base in (self.directory, self._common))
        if mark != self._asked[0]:
            command = ["git", "-C", str(self.work_tree), "rev-parse", "--verify", "--quiet", "HEAD"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired):
                return ""  # the commit only labels: without git the files still count
            self._asked = mark, done.stdout.strip() if done.returncode == 0 else ""
        return self._asked[1]


def checkout_of(folder: Path) -> Checkout | None:
    """The checkout around the folder (a resolved path), if there is one."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return Checkout(place, git)
        if (pointer := _read(git)).startswith("gitdir: "):
            return Checkout(place, Path(os.path.normpath(place / pointer.removeprefix("gitdir: "))))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""  # not there, or not readable: as if there were no checkout
