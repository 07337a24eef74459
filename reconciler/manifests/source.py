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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from reconciler.manifests.checkout import Checkout, checkout_of
from reconciler.manifests.documents import FileState, broken, load
from reconciler.manifests.parse import MAX_BYTES, Problem, too_large
from reconciler.manifests.versions import Versions, left_by

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILES = 10_000
MAX_TOTAL_BYTES = 256 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
IGNORE_FILE = ".wherryignore"
_RACY_NS = 2_000_000_000
"""A file written this shortly before it was read may change again without a new time stamp; it is read again."""


EMPTY_SECONDS = 0.1
"""How long a file has to be empty before it is taken to be so on purpose."""


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
    strays: frozenset[str]
    """Files of which versions were read, and that are no manifests of this folder."""
    mark: object
    """As it was when the scan began; another one at the end means that the folder moved."""


class Look(msgspec.Struct, frozen=True):
    """What changed since the look before: the new state of each file, None where it has gone."""

    changed: dict[str, FileState | None]
    files: int
    commit: str
    earlier: dict[str, FileState] = {}
    """Of changed files that are not sound: what versions left that were there since the look before."""
    is_early: bool = False
    """Files that have just been emptied are as before: most often their writer is about to fill them."""


class Source:
    """Remembers what each file held, so that only those that changed are read, and only new content is parsed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Known] = {}
        self.versions = Versions()
        self.checkout: Checkout | None = None
        self._problems: dict[str, Problem] = {}
        self._state = ("", "")
        self.reads = 0
        self.parses = 0

    def scan(self, watch: Watch, writing: frozenset[str] = frozenset()) -> Scan:
        """Walks the folder. `watch` is told of each directory before it is listed; files in `writing` are as before."""
        root = _resolved(self.folder)
        self.checkout = checkout_of(root)
        if self.checkout is not None:
            watch.add_git(self.checkout.directory)
        mark, noted = self._mark(), self.versions.paths()
        walk = _Walk(str(root), watch.add, _ignored(root))
        walk.run()
        now = time.time_ns()
        suspects = {}
        for path, signature in walk.files.items():
            known, place = self.known.get(path), os.path.join(root, path)
            if place in writing or (known is not None and known.signature == signature and place not in noted):
                continue
            suspects[path] = signature if now - max(signature[:2]) > _RACY_NS else signature._replace(inode=0)
        present = walk.files.keys() - {
            path for path in walk.files if path not in self.known and os.path.join(root, path) in writing
        }
        commit = self.checkout.commit() if self.checkout else ""
        strays = noted - writing - {os.path.join(root, path) for path in walk.files} if noted else noted
        return Scan(str(root), commit, frozenset(present), suspects, walk.problems, strays, mark)

    def read(self, scan: Scan, written: Callable[[], frozenset[str]] = frozenset) -> Look:
        """Reads and parses what may have changed. Raises `Unsettled` where the folder moved meanwhile.

        `written` tells the files that are being written by the time that all are read.
        """
        histories: dict[str, list[bytes]] = {}
        try:
            return self._read(scan, histories, written)
        except Unsettled:
            self._put_back(scan, histories)
            raise

    def _read(self, scan: Scan, histories: dict[str, list[bytes]], written: Callable[[], frozenset[str]]) -> Look:
        changed: dict[str, FileState | None] = {}
        known: dict[str, Known] = {}
        emptied: set[str] = set()
        state = scan.root, scan.commit
        is_edited = self._state in (state, ("", ""))  # else swapped, or checked out: what is there now is all of it
        for path, signature in scan.suspects.items():
            history, content = self._contents(scan, path)
            histories[path] = history
            digest = hashlib.blake2b(content, digest_size=16).digest()
            before = self.known.get(path)
            is_new = before is None or before.digest != digest
            if not content and before is not None and is_new and is_edited and self._is_young(scan, path):
                emptied.add(path)
                continue
            if is_new or any(version != content for version in history):
                changed[path] = load(path, content)
                self.parses += 1
            known[path] = Known(digest, signature if signature.inode else None)
        for path, problem in scan.problems.items():
            if self._problems.get(path) != problem:
                changed[path] = broken(path, problem)
        gone = (self.known.keys() | self._problems.keys()) - scan.present - scan.problems.keys()
        changed.update(dict.fromkeys(gone))
        earlier = _earlier(changed, histories) if is_edited else {}
        self._check(scan, written())
        self._state = state
        self.versions.forget(scan.strays)
        self._put_back(scan, {path: histories[path] for path in emptied})
        for path in gone | scan.problems.keys():
            self.known.pop(path, None)
        self.known.update(known)
        self._problems = scan.problems
        return Look(changed, len(scan.present), scan.commit, earlier, bool(emptied))

    def _is_young(self, scan: Scan, path: str) -> bool:
        try:
            age = time.time() - os.stat(os.path.join(scan.root, path)).st_mtime
        except OSError as error:
            raise Unsettled(f"{path} was there and is not: {error.strerror}") from None
        return 0 <= age < EMPTY_SECONDS

    def _put_back(self, scan: Scan, histories: Mapping[str, list[bytes]]) -> None:
        for path, history in histories.items():
            self.versions.put_back(os.path.join(scan.root, path), history)

    def _check(self, scan: Scan, written: frozenset[str]) -> None:
        """Whether all that was read is of one moment, and whole."""
        if self._mark() != scan.mark:
            raise Unsettled("the folder changed while it was read")
        for path in scan.suspects:
            if os.path.join(scan.root, path) in written:
                raise Unsettled(f"{path} is being written")

    def _contents(self, scan: Scan, path: str) -> tuple[list[bytes], bytes]:
        self.reads += 1
        try:
            return self.versions.take(os.path.join(scan.root, path))
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


def walked(folder: Path) -> tuple[str, list[str], dict[str, Problem]]:
    """The folder's real path, the manifests below it, and why others cannot be read: one look, without a watch."""
    root = _resolved(folder)
    walk = _Walk(str(root), lambda _: None, _ignored(root))
    walk.run()
    return str(root), sorted(walk.files), walk.problems


def _earlier(changed: Mapping[str, FileState | None], histories: Mapping[str, list[bytes]]) -> dict[str, FileState]:
    """Of the files that are not sound now, what earlier versions left."""
    unsound = [path for path, state in changed.items() if state and not state.is_sound and path in histories]
    found = {path: left_by(path, histories[path]) for path in unsound}
    return {path: state for path, state in found.items() if state is not None}


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
