"""The versions of files that were there for a moment: each that could be read between two passes, in order.

A good version that a broken one overwrites before the next pass still counts as the last good one, so the watching
thread reads every file as soon as it is finished. Only the newest contents are held, up to a bound, and only until
the pass; beyond it, as where a file changes faster than it can be read, the pass has what it finds itself.
"""

import os
import stat
import threading
from collections.abc import Iterable, Sequence
from functools import reduce

from reconciler.manifests.documents import FileState, load
from reconciler.manifests.ledger import overlaid
from reconciler.manifests.parse import MAX_BYTES
from schemas.decode import FieldValidation

MOST_BYTES = MAX_BYTES
"""Held of all files together."""


class Versions:
    """Shared by the thread that watches and the one that looks. Files are named by their whole path.

    Both read under one lock, so that versions are in the order in which they were on disk. What the watching thread
    has read is unsure until it has seen that nobody was writing the file meanwhile: half a file may read as a sound
    one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unsure: dict[str, bytes] = {}
        self._histories: dict[str, list[bytes]] = {}
        self._bytes = 0

    # The thread that watches

    def read(self, path: str) -> None:
        """A file is finished."""
        with self._lock:
            if (content := _content_of_its_own(path)) is not None:
                self._unsure[path] = content

    def doubt(self, path: str) -> None:
        """The file was changed, perhaps while it was read."""
        with self._lock:
            self._unsure.pop(path, None)

    def doubt_all(self) -> None:
        """It is not known which files were changed."""
        with self._lock:
            self._unsure.clear()

    def confirm(self) -> None:
        """What is not in doubt by now was whole."""
        with self._lock:
            for path, content in self._unsure.items():
                self._add(path, len(self._histories.get(path, ())), content)
            self._unsure.clear()

    # The thread that looks

    @property
    def held(self) -> int:
        """How many bytes wait for a look."""
        return self._bytes

    def paths(self) -> frozenset[str]:
        """The files of which versions wait for a look."""
        with self._lock:
            return frozenset(self._histories)

    def take(self, path: str) -> tuple[list[bytes], bytes]:
        """The versions since the last look, and the content of this moment. Raises `OSError`."""
        with self._lock:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                content = file.read(MAX_BYTES + 1)
            self._unsure.pop(path, None)
            history = self._histories.pop(path, [])
            self._bytes -= sum(map(len, history))
            return history, content

    def put_back(self, path: str, versions: Iterable[bytes]) -> None:
        """Those taken by a look that came to nothing."""
        with self._lock:
            for position, content in enumerate(versions):
                self._add(path, position, content)

    def forget(self, paths: Iterable[str]) -> None:
        """Files that are no manifests, or gone."""
        with self._lock:
            for path in paths:
                self._bytes -= sum(map(len, self._histories.pop(path, ())))

    def _add(self, path: str, position: int, content: bytes) -> None:
        history = self._histories.setdefault(path, [])
        if history[position - 1 : position] == [content]:
            return
        history.insert(position, content)
        self._bytes += len(content)
        while self._bytes > MOST_BYTES:
            oldest = next(iter(self._histories))
            self._bytes -= len(self._histories[oldest].pop(0))
            if not self._histories[oldest]:
                del self._histories[oldest]


def left_by(file: str, versions: Sequence[bytes], validation: FieldValidation = "Strict") -> FileState | None:
    """What the versions of a file, in order, leave for the time when a later one is broken; None: nothing.

    Only those from the last sound one on are parsed.
    """
    states: list[FileState] = []
    for content in reversed(versions):
        states.insert(0, load(file, content, validation))
        if states[0].is_sound:
            break
    return reduce(overlaid, states) if states else None


def _content_of_its_own(path: str) -> bytes | None:
    """None for what the look has a word to say about: links, what is no file, what is too large or gone again.

    None also for an empty file: the kernel tells of a truncation only after it, which may take a millisecond.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            return None
        content = file.read(MAX_BYTES + 1)
        return content if 0 < len(content) <= MAX_BYTES else None
