"""Opens a `subPath` of a volume so that no link in it, however it is swapped, leads out of the volume.

A container may have written the links, and may change them at any moment. So the path is walked one name at a time
with descriptors that follow no link, after its links have been resolved once; what was opened is then mounted by
its descriptor, never by its name.
"""

import os
from pathlib import Path

from nodeagent.volumes.plan import VolumeFault

_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_within(volume: str, root: Path, sub_path: str) -> int:
    """A descriptor (`O_PATH`) of the sub-path; directories that are missing are made. Raises `VolumeFault`."""
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
            inner = _step(at, name, mode)
            os.close(at)
            at = inner
    except OSError as error:
        os.close(at)
        raise VolumeFault(volume, f"subPath {sub_path!r}: {error.strerror}") from None
    return at


def _step(at: int, name: str, mode: int) -> int:
    try:
        inner = os.open(name, _WALK, dir_fd=at)
    except FileNotFoundError:
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, _WALK, dir_fd=at)
        os.chmod(f"/proc/self/fd/{inner}", mode)
    if (os.fstat(inner).st_mode & 0o170000) == 0o120000:
        os.close(inner)
        raise OSError(40, "a link took its place while it was opened")
    return inner
