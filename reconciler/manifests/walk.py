"""A folder, walked: which manifests there are, with their signatures, and why others cannot be read.

I/O, thin. A walk of 10,000 files takes a fifth of a second; after a change of some files that are known by name, the
walk of before is brought up to date instead.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.manifests.parse import MAX_BYTES, Problem, too_large
from reconciler.manifests.units import MARKERS

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILES = 10_000
MAX_TOTAL_BYTES = 256 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
IGNORE_FILE = ".wherryignore"


class Unsettled(Exception):
    """The folder is being changed just now. The text says by what."""


class Unreadable(Exception):
    """The folder cannot be seen whole. The text says why and what to do."""


class Signature(NamedTuple):
    """Changes with the content of a file, as far as its inode tells."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


def signature_of(found: os.stat_result) -> Signature:
    return tuple.__new__(Signature, (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))


def resolved(folder: Path) -> Path:
    """The folder's real path. Raises `Unreadable`."""
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a circle of symlinks is the latter
        why = error.strerror if isinstance(error, OSError) else "its symlinks lead in a circle"
        raise Unreadable(f"{folder}: {why}; create the folder, or name another") from None
    if not root.is_dir():
        raise Unreadable(f"{folder} is no folder; name the folder that holds the manifests")
    return root


def ignored(root: Path) -> "GitIgnoreSpec | None":
    """What `.wherryignore` says. Raises `Unreadable`: without it, nobody knows what is meant."""
    place = root / IGNORE_FILE
    try:
        found = place.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise Unreadable(f"{place} is no file of at most {MAX_BYTES} bytes; mend it, or remove it")
        text = place.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{place} cannot be read ({error}); mend it, or remove it") from None
    from pathspec import GitIgnoreSpec  # few folders have such a file

    try:
        return GitIgnoreSpec.from_lines(text.splitlines())
    except ValueError as error:
        raise Unreadable(f"{place}: {error}; the syntax is that of .gitignore") from None


class Walk:
    """Files by path relative to the root, and why others cannot be read. `watch` is told of each directory first."""

    def __init__(self, root: str, watch: Callable[[str], None], spec: "GitIgnoreSpec | None") -> None:
        self.root = root
        self.files: dict[str, Signature] = {}
        self.problems: dict[str, Problem] = {}
        self.markers: set[str] = set()
        self._links: set[str] = set()
        self._folders: dict[str, str] = {}
        self._watch, self._ignored = watch, spec
        self._seen: set[tuple[int, int]] = set()
        self._bytes = 0

    def run(self) -> None:
        """Symlinked folders come last, so that what is reached both ways bears its own name."""
        waiting = deque([("", self.root)])
        while waiting:
            relative, place = waiting.popleft()
            for path, below in self._list(relative, place):
                if os.path.islink(below):
                    waiting.append((path, below))
                else:
                    waiting.appendleft((path, below))

    def after(self, touched: Iterable[str]) -> frozenset[str] | None:
        """Brings the walk up to date after changes of these files, given by their whole path.

        Returns the files to look at again; None where only a new walk can tell, and this one is spoilt.
        """
        again = set(self._links)
        for place in touched:
            folder, name = os.path.split(place)
            if (above := self._folders.get(folder)) is None or name.startswith("."):
                continue  # no manifest, but perhaps a part of a unit
            path = f"{above}/{name}" if above else name
            if path in self._links or os.path.islink(place) or os.path.isdir(place) or place in self._folders:
                return None
            again.add(path)
        for path in again:
            self._drop(path)
            if not self._renew(path, os.path.join(self.root, path)):
                return None
        return frozenset(again)

    def _renew(self, path: str, place: str) -> bool:
        name = os.path.basename(place)
        if not name.endswith(SUFFIXES) and name not in MARKERS:
            return True
        is_link = path in self._links
        try:
            found = os.stat(place)
        except FileNotFoundError:
            return not is_link
        except OSError as error:
            self._not_read(path, error)
            return True
        if stat.S_ISDIR(found.st_mode):
            return False
        if self._ignored is None or not self._ignored.match_file(path):
            self._note(path, place, name, is_link, found)
        return True

    def _drop(self, path: str) -> None:
        if (known := self.files.pop(path, None)) is not None:
            self._bytes -= known.size
        self.problems.pop(path, None)
        self.markers.discard(path)

    def _list(self, relative: str, place: str) -> Iterator[tuple[str, str]]:
        try:
            found = os.stat(place)
            if (found.st_dev, found.st_ino) in self._seen:
                return  # reached a second time, through a symlink
            self._seen.add((found.st_dev, found.st_ino))
            self._watch(place)
            with os.scandir(place) as entries:
                listed = list(entries)
        except OSError as error:
            if not relative:
                raise Unreadable(f"{place}: {error.strerror}; let the reconciler's user read it") from None
            self._not_read(relative, error)
            return
        self._folders[place] = relative
        for entry in listed:
            path = f"{relative}/{entry.name}" if relative else entry.name
            try:
                if self._take(entry, path):
                    yield path, entry.path
            except OSError as error:
                self._not_read(path, error)

    def _take(self, entry: os.DirEntry[str], path: str) -> bool:
        """Whether this is a directory to go into; a manifest is noted."""
        name = entry.name
        if name.startswith("."):
            return False
        is_manifest = name.endswith(SUFFIXES) or name in MARKERS
        is_link = entry.is_symlink()
        if not is_manifest and not is_link and not entry.is_dir():
            return False
        if is_link:
            self._links.add(path)
        try:
            found = entry.stat()
        except FileNotFoundError:
            if not is_manifest:
                return False  # a dangling symlink that is none of ours
            raise
        is_directory = stat.S_ISDIR(found.st_mode)
        if self._ignored and self._ignored.match_file(f"{path}/" if is_directory else path):
            return False
        if not is_directory and not is_manifest:
            return False
        return self._note(path, entry.path, name, is_link, found)

    def _note(self, path: str, place: str, name: str, is_link: bool, found: os.stat_result) -> bool:
        if not path.isascii() and not _is_text(path):
            self.problems[shown(path)] = Problem(1, "the name is not UTF-8; rename it")
            return False
        if is_link and not self._is_inside(place):
            self.problems[path] = Problem(1, "this symlink leaves the folder; copy here what it points to")
            return False
        if stat.S_ISDIR(found.st_mode):
            return True
        if name in MARKERS:
            self.markers.add(path)
        if not stat.S_ISREG(found.st_mode):
            self.problems[path] = Problem(1, "this is no regular file; replace it with one")
        elif found.st_size > MAX_BYTES:
            self.problems[path] = too_large(found.st_size)
        else:
            self.files[path] = signature_of(found)
            self._bound(found.st_size)
        return False

    def _is_inside(self, path: str) -> bool:
        target = os.path.realpath(path)
        return target == self.root or target.startswith(self.root.rstrip(os.sep) + os.sep)

    def _bound(self, size: int) -> None:
        self._bytes += size
        if len(self.files) > MAX_FILES or self._bytes > MAX_TOTAL_BYTES:
            raise Unreadable(
                f"{self.root} holds more than {MAX_FILES} manifests or {MAX_TOTAL_BYTES} bytes of them; "
                f"name a sub-folder, or list in {IGNORE_FILE} what is not meant"
            )

    def _not_read(self, path: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError) and not os.path.islink(os.path.join(self.root, path)):
            raise Unsettled(f"{shown(path)} vanished while the folder was read")
        why = "points to nothing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        self.problems[shown(path)] = Problem(1, f"{why}; mend it, or take it out of the folder")


def _is_text(path: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def shown(path: str) -> str:
    """The path as text that can be stored and printed, whatever its bytes are."""
    return path if path.isascii() else path.encode(errors="surrogateescape").decode(errors="replace")
