"""Tells that a folder of manifests changed.

Built on watchdog's inotify thread, which sleeps in the kernel while nothing happens. Directories are watched one by
one, so that `.git` and what is ignored cost nothing, and no event waits for a partner as in watchdog's observers.
An event only says "look again": what changed is for the look to find out. All that is remembered of events is which
files are open for writing, since half a file may read as a sound one. Each finished file is read at once, since a
good version may be gone by the time of the look.
"""

import asyncio
import errno
import logging
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from reconciler.manifests.gathering import QUIET_SECONDS, Gathering
from reconciler.manifests.inputs import EDITORS
from reconciler.manifests.versions import Versions
from reconciler.manifests.walk import SUFFIXES

log = logging.getLogger(__name__)

RESCAN_SECONDS = 10.0
"""How often the folder is looked at where the kernel cannot tell."""
_GIT_QUIET_SECONDS = 0.100
"""After git has moved its index it moves HEAD; one pass shall see both."""
_MASK = Mask(
    InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
_MENDING = {
    errno.ENOSPC: "sysctl -w fs.inotify.max_user_watches=524288",
    errno.EMFILE: "sysctl -w fs.inotify.max_user_instances=1024",
}
_GIT_MOVES = (b"index", b"HEAD")
_GIT_NAMES = (*_GIT_MOVES, b"index.lock")
_MOST_LINKS = 40
_EVENT_BYTES = 1024 * 1024
"""Holds all events that the kernel keeps for one who is slow (fs.inotify.max_queued_events)."""
_EDITORS = tuple(map(os.fsencode, EDITORS))
_ENDINGS = tuple(map(os.fsencode, SUFFIXES))


class _Role:
    """Why a directory is watched: for its manifests, for some names in it, or because git keeps its state there.

    `inputs` are names of files that units are made of, `is_tree` says that all in it are.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.path = ""
        self.names: set[bytes] = set()
        self.inputs: set[bytes] = set()
        self.is_tree = False
        self.is_git = False


class _Inotify(InotifyFD):
    """Reads each finished manifest before it tells of it."""

    def __init__(self, manifest_of: Callable[[InotifyEvent], str], versions: Versions) -> None:
        super().__init__()
        self._manifest_of, self._versions = manifest_of, versions
        self._more = select.poll()
        self._more.register(self._inotify_fd, select.POLLIN)

    def read_events(self, *, event_buffer_size: int = _EVENT_BYTES) -> list[InotifyEvent]:
        """A change that came while a file was read is among the events that wait right after it, if there are any."""
        if not self._more.poll(0):
            self._versions.confirm()
        events = super().read_events(event_buffer_size=event_buffer_size)
        finished: dict[str, bool] = {}
        for event in events:
            if event.is_attrib:
                continue  # of a file that became readable perhaps, which is for the look to find out
            if path := self._manifest_of(event):
                finished[path] = event.is_close_write or event.is_moved_to
                if event.is_modify:
                    self._versions.doubt(path)
            elif event.is_queue_overflow:
                self._versions.doubt_all()
        self._versions.confirm()
        for path, is_finished in finished.items():
            if is_finished:
                self._versions.read(path)
        return events


class FolderWatch:
    """Watches the directories that a scan names, and notes what happens there.

    `changed` says that there is something to look at, until the one who looks takes it back. `limit` says why not
    all of it can be watched, and how to mend that; then rescan every `RESCAN_SECONDS`.
    """

    def __init__(self, gathering: Gathering, versions: Versions) -> None:
        self.limit = ""
        self.changed = True
        self._gathering, self._versions = gathering, versions
        self._loop = asyncio.get_running_loop()
        self._inotify: _Inotify | None = None
        self._watched: dict[tuple[int, int], WatchDescriptor] = {}
        self._roles: dict[WatchDescriptor, _Role] = {}
        self._round: dict[tuple[int, int], _Role] = {}
        self._lock = threading.Lock()  # guards what the two threads share:
        self._writing: set[str] = set()
        self._slow: set[str] = set()
        self._touched: set[str] | None = None
        self._quiet = 0.0

    def close(self) -> None:
        """Ends the watching and its thread."""
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join()
            self._inotify = None

    # Which directories: told in the course of a scan, in whatever thread runs it

    def start_round(self, folder: Path) -> None:
        """Begins a new round. The directories of the one before are watched until it ends."""
        self._round = {}
        with self._lock:
            self._touched = set()  # what happens from here on is told anew, or seen by the walk
        for directory, name in _anchors(folder):
            if role := self._role(directory):
                role.names.add(os.fsencode(name))

    def add(self, directory: str) -> None:
        """Watches a directory of manifests: to be called before it is listed, so that nothing is missed."""
        if role := self._role(directory):
            role.path = directory

    def add_git(self, directory: Path) -> None:
        """Watches where git keeps index and HEAD."""
        if role := self._role(str(directory)):
            role.is_git = True

    def add_input(self, directory: str, name: str) -> None:
        """Watches one file that a unit is made of, be it there or not."""
        with suppress(OSError):  # gone by now, which the next look sees
            if role := self._role(directory):
                role.inputs.add(os.fsencode(name))

    def add_tree(self, directory: str) -> None:
        """Watches all files of a directory that a unit is made of."""
        with suppress(OSError):
            if role := self._role(directory):
                role.is_tree = True

    def end_round(self) -> None:
        """Lets go of the directories that were not named in this round, and of files that are there no more."""
        gone = self._watched.keys() - self._round.keys()
        if self._inotify is not None:
            self._inotify.remove_callbacks([(self._watched[one], CallbackId(id(self))) for one in gone])
        for identity in gone:
            self._roles.pop(self._watched.pop(identity), None)
        with self._lock:
            self._writing = {path for path in self._writing if os.path.exists(path)}
            self._slow &= self._writing

    def _role(self, directory: str) -> _Role | None:
        """The role of the directory in this round, None where it cannot be watched. Raises `OSError`."""
        found = os.stat(directory)
        identity = found.st_dev, found.st_ino
        if (role := self._round.get(identity)) is not None:
            return role
        descriptor = self._watched.get(identity)
        if descriptor is None:
            if (descriptor := self._watch(directory)) is None:
                return None
            self._watched[identity] = descriptor
        role = self._round[identity] = self._roles[descriptor] = _Role(directory)
        return role

    def _watch(self, directory: str) -> WatchDescriptor | None:
        if self.limit or not os.access(directory, os.R_OK):
            return None
        try:
            if self._inotify is None:
                self._inotify = _Inotify(self._manifest_of, self._versions)
                self._inotify.start()
            return self._inotify.add_callback(os.fsencode(directory), _MASK, self, CallbackId(id(self)))
        except OSError as error:
            if error.errno not in _MENDING:
                raise
            self.limit = f"{error.strerror}; raise it with: {_MENDING[error.errno]}"
            log.warning("not all folders can be watched, looking every %d s reason=%r", RESCAN_SECONDS, self.limit)
            return None

    # What happens there: told by watchdog's thread

    def _manifest_of(self, event: InotifyEvent) -> str:
        """The path of the manifest that the event is about, empty where it is about none."""
        role = self._roles.get(event.wd)
        if role is None or not role.path or event.is_directory or not event.name.endswith(_ENDINGS):
            return ""
        return "" if is_passing(event.name) else os.path.join(role.path, os.fsdecode(event.name))

    def on_event(self, event: InotifyEvent) -> None:
        role = self._roles.get(event.wd)
        if role is not None and self._matters(event, role):
            self._note(_GIT_QUIET_SECONDS if role.is_git and event.name in _GIT_MOVES else QUIET_SECONDS)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self._call(self._forget, wd)

    def on_queue_overflow(self) -> None:
        with self._lock:
            self._writing.clear()
            self._touched = None
        self._note(QUIET_SECONDS)

    def _matters(self, event: InotifyEvent, role: _Role) -> bool:
        if event.name in role.names or not event.name or (role.is_git and event.name in _GIT_NAMES):
            self._doubt_all()
            return True
        is_input = event.name in role.inputs or (role.is_tree and not event.name.endswith(_EDITORS))
        if not is_input and (not role.path or (is_passing(event.name) and not event.is_directory)):
            return False
        path = os.path.join(role.path or role.place, os.fsdecode(event.name))
        with self._lock:
            if event.is_modify:
                self._writing.add(path)
            elif not event.is_attrib:
                self._writing.discard(path)
        if event.is_modify:
            return False
        if event.is_directory or (event.name.startswith(b".") and not is_input):
            self._doubt_all()  # a directory that came or went with all in it, or what says how the rest is to be read
        else:
            with self._lock:
                if self._touched is not None:
                    self._touched.add(path)
        return True

    def _doubt_all(self) -> None:
        with self._lock:
            self._touched = None

    def _note(self, quiet: float) -> None:
        with self._lock:
            is_first, self._quiet = not self._quiet, max(self._quiet, quiet)
        if is_first:  # the others are gathered with it
            self._call(self._deliver)

    def _call(self, call: object, *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)  # type: ignore[arg-type]

    # In the event loop

    def _deliver(self) -> None:
        with self._lock:
            quiet, self._quiet = self._quiet, 0.0
        self.changed = True
        self._gathering.note(quiet)

    def _forget(self, wd: WatchDescriptor) -> None:
        self._roles.pop(wd, None)
        for identity in [one for one, known in self._watched.items() if known == wd]:
            del self._watched[identity]
        self._doubt_all()
        self.changed = True
        self._gathering.note()

    def touched(self) -> frozenset[str] | None:
        """The files to which something happened since this was asked last; None where it may have been to all."""
        with self._lock:
            touched = None if self.limit or self._touched is None else frozenset(self._touched)
            self._touched = set()
            return touched

    def is_writing(self) -> bool:
        """Whether a manifest is being written, by a writer that is not known to take its time."""
        with self._lock:
            return bool(self._writing - self._slow)

    def written(self) -> frozenset[str]:
        """The files that are open for writing and have changed since."""
        with self._lock:
            return frozenset(self._writing)

    def writing(self) -> frozenset[str]:
        """The same. Their writers are waited for no longer."""
        with self._lock:
            self._slow = set(self._writing)
            return frozenset(self._writing)


def is_passing(name: bytes) -> bool:
    """Whether a file is an editor's or a tool's own, and never a manifest."""
    if name.startswith(b".") and name != b".wherryignore":
        return not name.startswith(b"..")  # `..data` is the link that a mounted ConfigMap is swapped by
    return name.endswith((b"~", b".swp", b".tmp", b".bak", b".part", b"#")) or name.isdigit()


def _anchors(folder: Path) -> Iterator[tuple[str, str]]:
    """Where the folder's own name, and each symlink that it leads over, can be seen to change."""
    path = os.path.abspath(folder)
    for _ in range(_MOST_LINKS):
        parent, name = os.path.split(path)
        while not os.path.isdir(parent):
            parent, name = os.path.split(parent)
        if name:
            yield parent, name
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
