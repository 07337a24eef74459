"""mount(2) and umount(2), which Python does not have, and what is mounted."""

import os
import re
import struct
from pathlib import Path

MS_RDONLY = 1
MS_BIND = 4096
MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
"""The call has no wrapper in older C libraries; its number is the same on every architecture."""
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Raises `OSError`."""
    _call("mount", target, source.encode(), os.fsencode(target), kind.encode() or None, flags, options.encode() or None)


def unmount(target: Path) -> None:
    """At once for names, and for open files when they are closed. Raises `OSError`."""
    _call("umount2", target, os.fsencode(target), MNT_DETACH | UMOUNT_NOFOLLOW)


def mount_read_only(source: Path, target: Path) -> None:
    """Binds all that is mounted at the source, and each of these mounts read-only. Raises `OSError`; Linux 5.12."""
    import ctypes

    mount(os.fspath(source), target, flags=MS_BIND | MS_REC)
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, _MS_PRIVATE, 0)
    library = ctypes.CDLL(None, use_errno=True)
    path = ctypes.c_char_p(os.fsencode(target))
    if library.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, attributes, len(attributes)) != 0:
        number = ctypes.get_errno()
        unmount(target)
        raise OSError(number, f"mount_setattr: {os.strerror(number)}", str(target))


def _call(name: str, target: Path, *arguments: object) -> None:
    import ctypes  # only where something is mounted: most pods need nothing of it

    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", str(target))


def mounted_below(directory: Path) -> list[Path]:
    """Mount points at and below the directory, the deepest first."""
    root = str(directory.resolve())
    points = [point for point, _ in _mounts() if point == root or point.startswith(root + "/")]
    return [Path(point) for point in sorted(points, key=len, reverse=True)]


def is_in_memory(directory: Path) -> bool:
    """Whether files in this directory lie on a tmpfs."""
    path = str(directory.resolve())
    around = [(point, kind) for point, kind in _mounts() if point == "/" or (path + "/").startswith(point + "/")]
    return max(around, key=lambda one: len(one[0]), default=("", ""))[1] in ("tmpfs", "ramfs")


def _mounts() -> list[tuple[str, str]]:
    """Mount point and kind of file system of each mount, later ones over earlier ones."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            point = _ESCAPE.sub(lambda code: chr(int(code[1], 8)), before.split(" ")[4])
            found.append((point, after.split(" ", 1)[0]))
    return found
