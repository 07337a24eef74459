"""A folder of image archives (docker-archive or OCI tar): what lies in it, or is dropped into it, is loaded.

The kernel tells when something in the folder changes, or when the folder comes; it does not tell that a disk was
mounted there, which a look every ten seconds finds. A file is taken when it has rested for two seconds and nobody has
it open for writing, so that one which is still being copied is left alone, also while the copy is stuck. Files stay
where they are: they are what an image can be had from again.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nodeagent.rpc.inotify import watching
from nodeagent.runtime.interface import Runtime, RuntimeFailure

log = logging.getLogger(__name__)

REST = 2.0
"""Seconds from one look at a file that is new to the next."""
UNTOLD = 10.0
"""Seconds between looks while nothing is told."""


class Version(msgspec.Struct, frozen=True):
    """A file as it was; another size or time is another file."""

    size: int
    modified: int


class ArchiveFolder:
    """`loaded` is called after images came in, with their references; `failed` with what is wrong with an archive."""

    def __init__(
        self,
        directory: Path,
        runtime: Runtime,
        loaded: Callable[[list[str]], None],
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._runtime = runtime
        self._loaded = loaded
        self._failed = failed
        self._references: dict[str, tuple[str, ...]] = {}
        self._settled: dict[str, Version] = {}
        """Loaded, or found broken: not touched again until they change."""
        self._seen: dict[str, Version] = {}

    @property
    def references(self) -> list[str]:
        """Of the images whose archives lie here."""
        return [reference for several in self._references.values() for reference in several]

    async def run(self) -> None:
        while True:
            changed = asyncio.Event()
            with self._told(changed):
                if await self.look():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), UNTOLD)
            await asyncio.sleep(REST)

    @contextlib.contextmanager
    def _told(self, changed: asyncio.Event) -> Iterator[None]:
        """Of the folder, or of where it is going to be. Where the kernel has no watch left, the looks have to do."""
        folder = self._directory
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(watching(folder, changed.set, contents=folder == self._directory))
            except OSError as error:
                log.debug("image folder is not watched directory=%s error=%s", folder, error)
            yield

    async def look(self, settle: bool = True) -> bool:
        """Loads what is new and at rest. `settle=False` takes every file as at rest (at the agent's start).

        False where something is left that has to be looked at again.
        """
        pending = self._files()
        if pending is None:
            return True
        for name, version in pending.items():
            if self._settled.get(name) == version:
                continue
            if settle and (self._seen.get(name) != version or _is_being_written(self._directory / name)):
                continue
            await self._load(name, version)
        self._seen = pending
        self._settled = {name: version for name, version in self._settled.items() if name in pending}
        self._references = {name: one for name, one in self._references.items() if name in pending}
        return self._settled == pending

    def _files(self) -> dict[str, Version] | None:
        """None when the folder cannot be read now."""
        try:
            return {entry.name: _version(entry) for entry in os.scandir(self._directory) if _is_archive(entry)}
        except FileNotFoundError:
            return None  # no folder, or a file of it, at this moment: the next look will see
        except OSError as error:
            log.warning("cannot read image folder directory=%s error=%s", self._directory, error)
            return None

    async def _load(self, name: str, version: Version) -> None:
        try:
            references = list(await self._runtime.load_archive(self._directory / name))
        except ValueError as error:
            log.warning("image archive cannot be loaded file=%s error=%s", name, error)
            self._failed(f"image archive {name} cannot be loaded: {error}")
        except (RuntimeFailure, OSError) as error:
            log.info("image archive waits file=%s error=%s", name, error)
            return
        else:
            log.info("loaded image archive file=%s images=%s", name, ",".join(references))
            self._references[name] = tuple(references)
            self._loaded(references)
        self._settled[name] = version


def _is_archive(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file() and not entry.name.startswith(".")


def _version(entry: "os.DirEntry[str]") -> Version:
    status = entry.stat()
    return Version(status.st_size, status.st_mtime_ns)


def _is_being_written(path: Path) -> bool:
    """A lease on a file is refused while somebody has it open for writing. Where there are none, its rest decides."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    finally:
        os.close(descriptor)
    return False
