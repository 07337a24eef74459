"""A folder of manifests, looked at: which files there are, and what those that changed say.

I/O, thin. A look is either of one state of the folder, or raises: `Unsettled` when the folder is moving (look
again when it has come to rest), `Unreadable` when it cannot be seen whole. Nothing may be concluded from a look
that raised, least of all that something is gone.
"""

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from reconciler.manifests.checkout import Checkout, checkout_of
from reconciler.manifests.documents import FileState, broken, load
from reconciler.manifests.parse import MAX_BYTES, Problem, too_large

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILES = 10_000
MAX_TOTAL_BYTES = 256 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
IGNORE_FILE = ".wherryignore"
_RACY_NS = 2_000_000_000
"""A file written this shortly before it was read may change again without a new time stamp; it is read again."""


class Unsettled(Exception):
    """The folder is being changed just now. The text says by what."""


class Unreadable(Exception):
    """The folder cannot be seen whole. The text says why and what to do."""


class Watch(Protocol):
    """What wants to know which directories count."""

    def add(self, directory: str) -> None: ...

    def add_git(self, directory: Path) -> None: ...


class Signature(NamedTuple):
    """Changes with the content of a file, as far as its inode tells."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


class Known(msgspec.Struct, frozen=True):
    """What is known of a file: the hash of its content, and its signature where that can be trusted."""

    digest: bytes
    signature: Signature | None = None


class Scan(msgspec.Struct, frozen=True):
    """The files of one moment. `suspects` have to be read, `problems` cannot be."""

    root: str
    commit: str
    present: frozenset[str]
    suspects: dict[str, Signature]
    problems: dict[str, Problem]
    mark: object
    """As it was when the scan began; another one at the end means that the folder moved."""


class Look(msgspec.Struct, frozen=True):
    """What changed since the look before: the new state of each file, None where it has gone."""

    changed: dict[str, FileState | None]
    files: int
    commit: str


class Source:
    """Remembers what each file held, so that only those that changed are read, and only new content is parsed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Known] = {}
        self.checkout: Checkout | None = None
        self._problems: dict[str, Problem] = {}
        self.reads = 0
        self.parses = 0

    def scan(self, watch: Watch, writing: frozenset[str] = frozenset()) -> Scan:
        """Walks the folder. `watch` is told of each directory before it is listed; files in `writing` are as before."""
        root = _resolved(self.folder)
        self.checkout = checkout_of(root)
        if self.checkout is not None:
            watch.add_git(self.checkout.directory)
        mark = self._mark()
        walk = _Walk(str(root), watch.add, _ignored(root))
        walk.run()
        now = time.time_ns()
        suspects = {}
        for path, signature in walk.files.items():
            known = self.known.get(path)
            if known is not None and known.signature == signature:
                continue
            if os.path.join(root, path) in writing:
                continue
            suspects[path] = signature if now - max(signature[:2]) > _RACY_NS else signature._replace(inode=0)
        present = walk.files.keys() - {
            path for path in walk.files if path not in self.known and os.path.join(root, path) in writing
        }
        commit = self.checkout.commit() if self.checkout else ""
        return Scan(str(root), commit, frozenset(present), suspects, walk.problems, mark)

    def read(self, scan: Scan) -> Look:
        """Reads and parses what may have changed. Raises `Unsettled` where the folder moved meanwhile."""
        changed: dict[str, FileState | None] = {}
        known: dict[str, Known] = {}
        for path, signature in scan.suspects.items():
            content = self._content(scan, path)
            digest = hashlib.blake2b(content, digest_size=16).digest()
            if (before := self.known.get(path)) is None or before.digest != digest:
                changed[path] = load(path, content)
                self.parses += 1
            known[path] = Known(digest, signature if signature.inode else None)
        for path, problem in scan.problems.items():
            if self._problems.get(path) != problem:
                changed[path] = broken(path, problem)
        gone = (self.known.keys() | self._problems.keys()) - scan.present - scan.problems.keys()
        changed.update(dict.fromkeys(gone))
        if self._mark() != scan.mark:
            raise Unsettled("the folder changed while it was read")
        for path in gone | scan.problems.keys():
            self.known.pop(path, None)
        self.known.update(known)
        self._problems = scan.problems
        return Look(changed, len(scan.present), scan.commit)

    def _content(self, scan: Scan, path: str) -> bytes:
        self.reads += 1
        try:
            descriptor = os.open(os.path.join(scan.root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Unsettled(f"{path} was there and could not be read: {error.strerror}") from None

    def _mark(self) -> object:
        """Raises `Unsettled` while git is at work."""
        if self.checkout is None:
            return os.path.realpath(self.folder)
        if self.checkout.is_moving():
            lock = self.checkout.directory / "index.lock"
            raise Unsettled(f"git is at work ({lock} exists; remove it should no git be running)")
        return os.path.realpath(self.folder), self.checkout.index_mark()


def _resolved(folder: Path) -> Path:
    try:
        root = folder.resolve(strict=True)
    except OSError as error:
        raise Unreadable(f"{folder}: {error.strerror}; create the folder, or name another") from None
    if not root.is_dir():
        raise Unreadable(f"{folder} is no folder; name the folder that holds the manifests")
    return root


def _ignored(root: Path) -> "GitIgnoreSpec | None":
    try:
        text = (root / IGNORE_FILE).read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{root / IGNORE_FILE} cannot be read ({error}); mend it, or remove it") from None
    from pathspec import GitIgnoreSpec  # few folders have such a file

    try:
        return GitIgnoreSpec.from_lines(text.splitlines())
    except ValueError as error:
        raise Unreadable(f"{root / IGNORE_FILE}: {error}; the syntax is that of .gitignore") from None


class _Walk:
    """One walk over the folder: files by path relative to the root, and why others cannot be read."""

    def __init__(self, root: str, watch: Callable[[str], None], ignored: "GitIgnoreSpec | None") -> None:
        self.root, self.watch, self.ignored = root, watch, ignored
        self.files: dict[str, Signature] = {}
        self.problems: dict[str, Problem] = {}
        self.directories: set[tuple[int, int]] = set()
        self.bytes = 0

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

    def _list(self, relative: str, place: str) -> Iterator[tuple[str, str]]:
        try:
            found = os.stat(place)
            if (found.st_dev, found.st_ino) in self.directories:
                return  # reached a second time, through a symlink
            self.directories.add((found.st_dev, found.st_ino))
            self.watch(place)
            with os.scandir(place) as entries:
                listed = list(entries)
        except OSError as error:
            if not relative:
                raise Unreadable(f"{place}: {error.strerror}; let the reconciler's user read it") from None
            self._not_read(relative, error)
            return
        for entry in listed:
            path = f"{relative}/{entry.name}" if relative else entry.name
            try:
                if self._take(entry, path):
                    yield path, entry.path
            except OSError as error:
                self._not_read(path, error)

    def _take(self, entry: os.DirEntry[str], path: str) -> bool:
        """Whether this is a directory to go into; a manifest is noted."""
        if entry.name.startswith("."):
            return False
        is_manifest = entry.name.endswith(SUFFIXES)
        is_link = entry.is_symlink()
        if not is_manifest and not is_link and not entry.is_dir():
            return False
        try:
            found = entry.stat()
        except FileNotFoundError:
            if not is_manifest:
                return False  # a dangling symlink that is none of ours
            raise
        is_directory = stat.S_ISDIR(found.st_mode)
        if self.ignored and self.ignored.match_file(f"{path}/" if is_directory else path):
            return False
        if not is_directory and not is_manifest:
            return False
        if is_link and not self._is_inside(entry.path):
            self.problems[path] = Problem(1, "this symlink leaves the folder; copy here what it points to")
            return False
        if is_directory:
            return True
        if not stat.S_ISREG(found.st_mode):
            self.problems[path] = Problem(1, "this is no regular file; replace it with one")
        elif found.st_size > MAX_BYTES:
            self.problems[path] = too_large(found.st_size)
        else:
            self.files[path] = Signature(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            self._bound(found.st_size)
        return False

    def _is_inside(self, path: str) -> bool:
        target = os.path.realpath(path)
        return target == self.root or target.startswith(self.root + os.sep)

    def _bound(self, size: int) -> None:
        self.bytes += size
        if len(self.files) > MAX_FILES or self.bytes > MAX_TOTAL_BYTES:
            raise Unreadable(
                f"{self.root} holds more than {MAX_FILES} manifests or {MAX_TOTAL_BYTES} bytes of them; "
                f"name a sub-folder, or list in {IGNORE_FILE} what is not meant"
            )

    def _not_read(self, path: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError) and not os.path.islink(os.path.join(self.root, path)):
            raise Unsettled(f"{path} vanished while the folder was read")
        why = "points to nothing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        self.problems[path] = Problem(1, f"{why}; mend it, or take it out of the folder")
