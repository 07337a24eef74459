"""Tells that something in a folder changed: written, made, renamed, removed. Nothing is polled.

A few lines over the kernel's own calls: the package that the reconciler uses for it costs an agent a thread and
1.5 MiB.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
_BUFFER = 64 * 1024


@contextmanager
def watching(folder: Path, changed: Callable[[], None], *, contents: bool = True) -> Iterator[None]:
    """Calls `changed` in the loop, at least once for whatever happens in the folder. Raises `OSError`.

    Without `contents` only the coming and going of files counts: in `/dev` somebody always writes.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _error(folder)
    loop = asyncio.get_running_loop()
    try:
        what = (_MODIFY if contents else 0) | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
        if library.inotify_add_watch(descriptor, os.fsencode(folder), what) < 0:
            raise _error(folder)

        def told() -> None:
            os.read(descriptor, _BUFFER)
            changed()

        loop.add_reader(descriptor, told)
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _error(folder: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(folder))
