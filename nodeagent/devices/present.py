"""Which device files are there, and word of their coming and going. Decides nothing."""

import asyncio
import contextlib
import glob
import logging
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from nodeagent.devices.declared import DeviceResource

log = logging.getLogger(__name__)

SETTLE_SECONDS = 0.2
"""A device that comes brings several files, and udev sets their rights a moment later."""
MOST_FILES = 1000


def present(declared: Iterable[DeviceResource]) -> dict[str, tuple[str, ...]]:
    """By resource, sorted. Where a file that belongs to each device is missing there is none."""
    return {one.resource: _files(one.paths) if all(map(_files_of, one.also)) else () for one in declared}


def along_with(resource: DeviceResource) -> tuple[str, ...]:
    """The files that come with any device of it."""
    return _files(resource.also)


def _files_of(pattern: str) -> tuple[str, ...]:
    return _files((pattern,))


def _files(patterns: Iterable[str]) -> tuple[str, ...]:
    found = {path for pattern in patterns for path in glob.glob(pattern)}
    return tuple(sorted(filter(is_device, found))[:MOST_FILES])


def is_device(path: str) -> bool:
    """Links count as what they lead to: `/dev/serial/by-id` names a device whatever port it is in."""
    with contextlib.suppress(OSError):
        mode = Path(path).stat().st_mode
        return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    return False


async def watch(declared: Iterable[DeviceResource], changed: Callable[[], None]) -> None:
    """Calls `changed` now, and after files have come or gone where devices are looked for. Until cancelled."""
    from nodeagent.rpc.inotify import watching  # brings ctypes, which a node without devices does not need

    woken = asyncio.Event()
    while True:
        with contextlib.ExitStack() as stack:
            for folder in _folders(declared):
                with contextlib.suppress(OSError):  # it went between the look and now; its parent is watched
                    stack.enter_context(watching(folder, woken.set, contents=False))
            changed()  # also for what came while nothing was watched
            await woken.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            woken.clear()


def _folders(declared: Iterable[DeviceResource]) -> set[Path]:
    """Of each pattern the deepest folder before its first wildcard that is there now."""
    folders = set()
    for pattern in (path for one in declared for path in (*one.paths, *one.also)):
        folder = Path(pattern).parent
        while glob.has_magic(str(folder)) or not folder.is_dir():
            folder = folder.parent
        folders.add(folder)
    return folders
