"""Opens a `subPath` of a volume so that no link in it, however it is swapped, leads out of the volume.

A container may have written the links, and may change them at any moment. So the path is walked one name at a time
with descriptors that follow no link, after its links have been resolved once; what was opened is then mounted by
its descriptor, never by its name.
"""

import os
import stat
from pathlib import Path

from nodeagent.volumes.plan import VolumeFault

_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_within(volume: str, root: Path, sub_path: str) -> int:
    """A descriptor (`O_PATH`) of the sub-path; directories that are missing are made. Raises `VolumeFault`."""
    try:
        return _open(volume, root, sub_path, make=True)
    except OSError as error:
        raise VolumeFault(volume, f"subPath {sub_path!r}: {error.strerror}") from None


def read_within(volume: str, root: Path, path: str, most: int) -> bytes | None:
    """The content of a file of the volume, or None where there is none. Raises `VolumeFault`."""
    try:
        at = _open(volume, root, path, make=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VolumeFault(volume, f"{path!r}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise VolumeFault(volume, f"{path!r} is no file")
        with open(f"/proc/self/fd/{at}", "rb") as file:
            content = file.read(most + 1)
    finally:
        os.close(at)
    if len(content) > most:
        raise VolumeFault(volume, f"{path!r} is larger than {most // 1024} KiB")
    return content


def _open(volume: str, root: Path, sub_path: str, *, make: bool) -> int:
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise VolumeFault(volume, f"subPath {sub_path!r} must be relative and must not contain '..'")
    base = root.resolve()
    resolved = (base / sub_path).resolve()
    if not resolved.is_relative_to(base):
        raise VolumeFault(volume, f"subPath {sub_path!r} leads out of the volume")
    at = os.open(base, _WALK)
    mode = base.stat().st_mode & 0o7777
    try:
        for name in resolved.relative_to(base).parts:
            inner = _step(at, name, mode if make else None)
            os.close(at)
            at = inner
    except OSError:
        os.close(at)
        raise
    return at


def _step(at: int, name: str, mode: int | None) -> int:
    try:
        inner = os.open(name, _WALK, dir_fd=at)
    except FileNotFoundError:
        if mode is None:
            raise
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, _WALK, dir_fd=at)
        os.chmod(f"/proc/self/fd/{inner}", mode)
    if (os.fstat(inner).st_mode & 0o170000) == 0o120000:
        os.close(inner)
        raise OSError(40, "a link took its place while it was opened")
    return inner
