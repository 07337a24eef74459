"""The files that units are made of: read, and each reading noted, so that a unit is loaded anew when one changes.

I/O, thin. An input may be a file anywhere in the source or beside it, one that is not there, or the list of all files
of a folder. Paths are relative to the source's folder; one that ends in a slash is the list of what is below.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from reconciler.manifests.parse import MAX_BYTES, Problem, too_large
from reconciler.manifests.walk import Signature, Unsettled, shown, signature_of

RACY_NS = 2_000_000_000
"""A file written this shortly before it was read may change again without a new time stamp; it is read again."""
MOST_FILES = 5_000
MOST_BYTES = 64 * 1024 * 1024
"""Of one unit."""
EDITORS = ("~", ".swp", ".swx")
"""What editors put beside a file is no part of a folder."""
ABSENT, FOLDER, UNREADABLE = b"", b"/", b"!"
"""What stands for the content of what is no file."""


class InputWatch(Protocol):
    def add_input(self, directory: str, name: str) -> None: ...

    def add_tree(self, directory: str) -> None: ...


class Refused(Exception):
    """A unit that is not to be loaded with such an input."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Disk:
    """Hashes of files. One that has not changed, as far as its inode tells, is not read again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Signature, bytes]] = {}
        self.reads = 0

    def forget_all_but(self, places: Iterable[str]) -> None:
        kept = frozenset(places)
        self._known = {place: known for place, known in self._known.items() if place in kept}

    def digest(self, place: str) -> bytes:
        """The hash of what is there now."""
        try:
            return self._digest(place)
        except Refused:
            return UNREADABLE

    def _digest(self, place: str) -> bytes:
        if place.endswith(os.sep):
            return _digest_of_names(tree(place))
        found = _stat(place)
        if found is None:
            return ABSENT
        if stat.S_ISDIR(found.st_mode):
            return FOLDER
        known = self._known.get(place)
        if known is not None and known[0] == signature_of(found):
            return known[1]
        content = self.read(place)
        return ABSENT if content is None else digest_of(content)

    def read(self, place: str) -> bytes | None:
        """The content of a file, None where there is none. Raises `Refused`."""
        found = _stat(place)
        if found is None or stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise Refused(Problem(1, f"{shown(place)} is no regular file; replace it with one"))
        if found.st_size > MAX_BYTES:
            raise Refused(Problem(1, f"{shown(place)}: {too_large(found.st_size).message}"))
        self.reads += 1
        try:
            with open(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise Unsettled(f"{shown(place)} vanished while it was read") from None
        except OSError as error:
            raise Refused(Problem(1, f"{shown(place)} cannot be read: {error.strerror}; mend it")) from None
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > RACY_NS:
            self._known[place] = signature_of(found), digest_of(content)
        return content


class Inputs:
    """Those of one unit. `used` are all that it asked for, with the hash of what was there."""

    def __init__(self, root: str, disk: Disk, watch: InputWatch) -> None:
        self.used: dict[str, bytes] = {}
        self._root, self._disk, self._watch = root, disk, watch
        self._bytes = 0

    def place(self, path: str) -> str:
        """The whole path of what is at a path."""
        return place_of(self._root, path)

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is none. Raises `Refused` for what no unit may be made of."""
        place = self.place(path)
        watch_input(self._watch, place)
        self.used[path] = UNREADABLE
        content = self._disk.read(place)
        if content is None:
            self.used[path] = self._disk.digest(place)
            return None
        self.used[path] = digest_of(content)
        self._bytes += len(content)
        if len(self.used) > MOST_FILES or self._bytes > MOST_BYTES:
            raise Refused(Problem(1, f"this is made of more than {MOST_FILES} files or {MOST_BYTES} bytes; divide it"))
        return content

    def read_inside(self, path: str) -> bytes | None:
        """The same, and refused for what is not in the source's folder: what is read may be shown to others."""
        self.check_inside(path)
        return self.read(path)

    def check_inside(self, path: str) -> None:
        """Raises `Refused` where the path, or the symlinks in it, lead out of the source's folder."""
        real = os.path.realpath(self.place(path))
        if not f"{real}{os.sep}".startswith(f"{self._root.rstrip(os.sep)}{os.sep}"):
            raise Refused(Problem(1, f"{shown(path)} lies outside of the source's folder; copy it there"))

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder; if not, what is there is read."""
        self.read(path)
        return self.used[path] == FOLDER

    def files(self, path: str) -> tuple[str, ...]:
        """The paths of all files below a folder, none where there is none. Raises `Refused`."""
        self.check_inside(path)
        key = f"{path.rstrip('/')}/"
        place = place_of(self._root, key)
        watch_input(self._watch, place)
        self.used[key] = UNREADABLE
        below = tree(place)
        self.used[key] = _digest_of_names(below)
        return tuple(os.path.normpath(os.path.join(path, one)) for one in below)

    def words(self) -> bytes:
        """What the manifests among them say, as far as it can be had: for the names in it."""
        found = bytearray()
        for path in self.used:
            if path.endswith((".yaml", ".yml", ".json")) and len(found) < MAX_BYTES:
                try:
                    found += self._disk.read(self.place(path)) or b""
                except Refused:
                    continue  # it is what the fault is about
        return bytes(found)


def watch_input(watch: InputWatch, place: str) -> None:
    """Watches an input: the folder that it is in, or the nearest that there is; for a list, all that is below."""
    if place.endswith(os.sep):
        for directory, _ in _folders(place):
            watch.add_tree(directory)
    place = place.rstrip(os.sep)
    directory, name = os.path.split(place)
    while not os.path.isdir(directory) and directory != os.path.dirname(directory):
        directory, name = os.path.split(directory)
    watch.add_input(directory, name)


def digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _digest_of_names(names: Iterable[str]) -> bytes:
    return digest_of("\n".join(names).encode(errors="surrogateescape"))


def combined(used: Mapping[str, bytes], salt: str) -> bytes:
    """One hash for all inputs."""
    found = hashlib.blake2b(salt.encode(), digest_size=16)
    for path in sorted(used):
        found.update(f"{shown(path)}\0".encode() + used[path] + b"\0")
    return found.digest()


def tree(place: str) -> list[str]:
    """The files below a folder, in order. Raises `Refused` where symlinks lead away or in a circle."""
    found: list[str] = []
    top = f"{os.path.realpath(place)}{os.sep}"
    for directory, entries in _folders(place):
        for entry in entries:
            path = os.path.relpath(entry.path, place)
            if entry.is_symlink():
                real = f"{os.path.realpath(entry.path)}{os.sep}"
                if not real.startswith(top):
                    words = "this symlink leaves the folder; copy here what it points to"
                    raise Refused(Problem(1, f"{shown(path)}: {words}"))
                if f"{os.path.realpath(directory)}{os.sep}".startswith(real):
                    raise Refused(Problem(1, f"{shown(path)}: this symlink leads in a circle; remove it"))
            if not entry.is_dir():
                found.append(path)
        if len(found) > MOST_FILES:
            raise Refused(Problem(1, f"this is made of more than {MOST_FILES} files; divide it"))
    return sorted(found)


def _folders(place: str) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """The folder and all below it, each once, with what is in it."""
    waiting, seen = [place], set[str]()
    while waiting:
        directory = waiting.pop()
        if (real := os.path.realpath(directory)) in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(directory) as listed:
                entries = [one for one in listed if one.name != ".git" and not one.name.endswith(EDITORS)]
        except OSError:
            continue  # gone, no folder, or closed to us: nothing of it is an input, and whoever builds it says why
        yield directory, entries
        waiting += [entry.path for entry in entries if entry.is_dir()]


def place_of(root: str, path: str) -> str:
    place = os.path.normpath(os.path.join(root, path))
    return f"{place}{os.sep}" if path.endswith("/") else place


def _stat(place: str) -> os.stat_result | None:
    try:
        return os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Refused(Problem(1, f"{shown(place)} cannot be read: {error}; mend it")) from None
