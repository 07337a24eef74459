"""A folder of manifests, looked at: which files there are, and what those that changed say.

I/O, thin. A look is either of one state of the folder, or raises: `Unsettled` when the folder is moving (look
again when it has come to rest), `Unreadable` when it cannot be seen whole. Nothing may be concluded from a look
that raised, least of all that something is gone.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Protocol

import msgspec

from reconciler.manifests.checkout import Checkout, checkout_of
from reconciler.manifests.documents import FileState, broken, load
from reconciler.manifests.inputs import RACY_NS, InputWatch
from reconciler.manifests.parse import Problem
from reconciler.manifests.projects import EMPTY_SECONDS, Found, Known, Projects
from reconciler.manifests.versions import Versions, left_by
from reconciler.manifests.walk import SUFFIXES, Signature, Unreadable, Unsettled, Walk, ignored, resolved
from schemas.decode import FieldValidation

__all__ = ["EMPTY_SECONDS", "SUFFIXES", "Known", "Look", "Scan", "Source", "Unreadable", "Unsettled", "Watch"]


_MOVED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ESTALE)
"""What reading a file fails with when it has just been replaced."""


class Watch(InputWatch, Protocol):
    """What wants to know which directories count. A round names all of them anew."""

    def start_round(self, folder: Path) -> None: ...

    def add(self, directory: str) -> None: ...

    def add_git(self, directory: Path) -> None: ...


class Scan(msgspec.Struct, frozen=True):
    """The files of one moment. `suspects` have to be looked at again: all of them, if that is not known (None)."""

    root: str
    commit: str
    walk: Walk
    suspects: frozenset[str] | None
    writing: frozenset[str]
    noted: frozenset[str]
    """Files of which versions were read, by their whole path."""
    watch: Watch
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


class _Reading(msgspec.Struct):
    """What a look has found so far."""

    changed: dict[str, FileState | None] = {}
    known: dict[str, Known] = {}
    histories: dict[str, list[bytes]] = {}
    emptied: set[str] = set()
    closed: dict[str, Problem] = {}
    """Why a file cannot be read."""


class Source:
    """Remembers what each file held, so that only those that changed are read, and only new content is parsed.

    Without `follows_git` it is of no interest whether git is at work in the folder.
    """

    def __init__(self, folder: Path, validation: FieldValidation = "Strict", *, follows_git: bool = True) -> None:
        self.folder = folder
        self.known: dict[str, Known] = {}
        self.versions = Versions()
        self.checkout: Checkout | None = None
        self.parses = 0
        self._validation, self._follows_git = validation, follows_git
        self._projects = Projects(validation)
        self._problems: dict[str, Problem] = {}
        self._state = ("", "")
        self._walk: Walk | None = None
        self._pending: frozenset[str] = frozenset()
        """Files to look at again, whatever happens: those just emptied, and those that cannot be read."""
        self._reads = 0

    @property
    def reads(self) -> int:
        """Of files, since the start."""
        return self._reads + self._projects.disk.reads

    def scan(self, watch: Watch, writing: frozenset[str] = frozenset(), touched: frozenset[str] | None = None) -> Scan:
        """Looks which files there are; those in `writing` are as before.

        `touched` are the only files that may have changed since the scan before. Without it (None), and where it does
        not suffice, the folder is walked: `watch` is told of each directory before it is listed.
        """
        walk, self._walk = self._walk, None
        noted, root = self.versions.paths(), resolved(self.folder)
        if touched is not None and walk is not None and walk.root == str(root):
            mark, suspects = self._mark(), walk.after(touched | self._pending | noted)
            if suspects is not None:
                return Scan(str(root), self._commit(), walk, suspects, writing, noted, watch, mark)
        return self._walked(root, watch, writing, noted)

    def _walked(self, root: Path, watch: Watch, writing: frozenset[str], noted: frozenset[str]) -> Scan:
        try:
            watch.start_round(self.folder)
        except OSError as error:
            raise Unsettled(f"{self.folder} was swapped just now: {error.strerror}") from None
        self.checkout = checkout_of(root) if self._follows_git else None
        if self.checkout is not None:
            watch.add_git(self.checkout.directory)
        mark = self._mark()
        walk = Walk(str(root), watch.add, ignored(root))
        walk.run()
        return Scan(str(root), self._commit(), walk, None, writing, noted, watch, mark)

    def _commit(self) -> str:
        return self.checkout.commit() if self.checkout else ""

    def read(self, scan: Scan, written: Callable[[], frozenset[str]] = frozenset) -> Look:
        """Reads and parses what may have changed. Raises `Unsettled` where the folder moved meanwhile.

        `written` tells the files that are being written by the time that all are read.
        """
        reading = _Reading()
        try:
            return self._read(scan, reading, written)
        except Unsettled:
            self._put_back(scan, reading.histories)
            raise

    def _read(self, scan: Scan, reading: _Reading, written: Callable[[], frozenset[str]]) -> Look:
        layout = self._projects.layout(scan.root, scan.walk.markers)
        units = self._projects.look(scan.root, scan.watch, layout.units, self.known, scan.writing)
        files = scan.walk.files
        plain: Set[str] = files.keys()
        if layout.units or layout.owned:
            plain = {path for path in files if layout.is_plain(path) and path not in units.parts}
        problems = {path: one for path, one in scan.walk.problems.items() if layout.is_plain(path)}
        state = scan.root, scan.commit
        is_edited = self._state in (state, ("", ""))  # else swapped, or checked out: what is there now is all of it
        self._read_files(scan, self._suspects(scan, plain), reading, is_edited)
        changed = reading.changed
        changed.update(units.changed)
        problems |= reading.closed
        for path, problem in problems.items():
            if self._problems.get(path) != problem:
                changed[path] = broken(path, problem)
        present = (plain - self._unfinished(scan, plain)) | units.mains
        gone = (self.known.keys() | self._problems.keys() | self._projects.failed.keys()) - present - problems.keys()
        changed.update(dict.fromkeys(gone))
        earlier = _earlier(changed, reading.histories, self._validation) if is_edited else {}
        self._check(scan, reading, written())
        self._settle(scan, reading, units, problems, gone, plain)
        self._state = state
        return Look(changed, len(present), scan.commit, earlier, bool(reading.emptied) or units.is_early)

    def _suspects(self, scan: Scan, plain: Set[str]) -> dict[str, Signature]:
        """The files to read, with signatures as far as these can be trusted."""
        now, suspects = time.time_ns(), dict[str, Signature]()
        candidates = plain if scan.suspects is None else (plain & scan.suspects) | (plain - self.known.keys())
        for path in candidates:
            signature, known = scan.walk.files[path], self.known.get(path)
            is_same = known is not None and known.signature == signature and not known.inputs
            if is_same and not scan.noted:
                continue  # nearly always, and thousands of times
            place = os.path.join(scan.root, path)
            if place in scan.writing or (is_same and place not in scan.noted):
                continue
            suspects[path] = signature if now - max(signature[:2]) > RACY_NS else signature._replace(inode=0)
        return suspects

    def _unfinished(self, scan: Scan, plain: Set[str]) -> set[str]:
        """New files that are being written."""
        if not scan.writing:
            return set()
        return {path for path in plain - self.known.keys() if os.path.join(scan.root, path) in scan.writing}

    def _read_files(self, scan: Scan, suspects: Mapping[str, Signature], reading: _Reading, is_edited: bool) -> None:
        for path, signature in suspects.items():
            if (found := self._contents(scan, path, reading)) is None:
                continue
            history, content = found
            reading.histories[path] = history
            digest = self._digest(content)
            before = self.known.get(path)
            is_new = before is None or before.digest != digest
            if not content and before is not None and is_new and is_edited and self._is_young(scan, path):
                reading.emptied.add(path)
                continue
            if is_new or any(version != content for version in history):
                reading.changed[path] = load(path, content, self._validation)
                self.parses += 1
            reading.known[path] = Known(digest, signature if signature.inode else None)

    def _digest(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=16, person=self._validation.encode()).digest()

    def _settle(
        self,
        scan: Scan,
        reading: _Reading,
        units: Found,
        problems: dict[str, Problem],
        gone: set[str],
        plain: Set[str],
    ) -> None:
        """Takes over what was found, now that the look has come to its end."""
        strays = scan.noted - scan.writing
        if strays:
            self.versions.forget(strays - {os.path.join(scan.root, path) for path in plain})
        self._put_back(scan, {path: reading.histories[path] for path in reading.emptied})
        for path in gone | problems.keys():
            self.known.pop(path, None)
        self.known.update(reading.known)
        self.known.update(units.known)
        for path in units.failed:
            self.known.pop(path, None)
        self._problems = problems
        self._projects.settle(scan.root, units)
        self._walk = scan.walk
        self._pending = frozenset(os.path.join(scan.root, path) for path in (*reading.emptied, *reading.closed))

    def _is_young(self, scan: Scan, path: str) -> bool:
        try:
            age = time.time() - os.stat(os.path.join(scan.root, path)).st_mtime
        except OSError as error:
            raise Unsettled(f"{path} was there and is not: {error.strerror}") from None
        return 0 <= age < EMPTY_SECONDS

    def _put_back(self, scan: Scan, histories: Mapping[str, list[bytes]]) -> None:
        for path, history in histories.items():
            self.versions.put_back(os.path.join(scan.root, path), history)

    def _check(self, scan: Scan, reading: _Reading, written: frozenset[str]) -> None:
        """Whether all that was read is of one moment, and whole."""
        if self._mark() != scan.mark:
            raise Unsettled("the folder changed while it was read")
        for path in reading.histories if written else ():
            if os.path.join(scan.root, path) in written:
                raise Unsettled(f"{path} is being written")

    def _contents(self, scan: Scan, path: str, reading: _Reading) -> tuple[list[bytes], bytes] | None:
        self._reads += 1
        try:
            return self.versions.take(os.path.join(scan.root, path))
        except OSError as error:
            if error.errno in _MOVED:
                raise Unsettled(f"{path} was there and could not be read: {error.strerror}") from None
            words = f"cannot be read: {error.strerror}; mend it, or take it out of the folder"
            reading.closed[path] = Problem(1, words)
            return None

    def _mark(self) -> object:
        """Raises `Unsettled` while git is at work."""
        if self.checkout is None:
            return os.path.realpath(self.folder)
        if self.checkout.is_moving():
            lock = self.checkout.directory / "index.lock"
            raise Unsettled(f"git is at work ({lock} exists; remove it should no git be running)")
        return os.path.realpath(self.folder), self.checkout.index_mark()


def _earlier(
    changed: Mapping[str, FileState | None], histories: Mapping[str, list[bytes]], validation: FieldValidation
) -> dict[str, FileState]:
    """Of the files that are not sound now, what earlier versions left."""
    unsound = [path for path, state in changed.items() if state and not state.is_sound and path in histories]
    found = {path: left_by(path, histories[path], validation) for path in unsound}
    return {path: state for path, state in found.items() if state is not None}
