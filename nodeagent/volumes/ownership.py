"""fsGroup: all that lies in a volume belongs to a group that may read and write it, and what is new does as well.

Follows https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-the-security-context-for-a-pod.
Nothing is written where it is so already: the cards of small machines wear out with every write.
"""

import os
import stat
from pathlib import Path

_FILE = 0o660
_DIRECTORY = 0o770 | stat.S_ISGID


def hand_to(root: Path, group: int, *, if_needed: bool) -> None:
    """`if_needed`: a root that belongs to the group already stands for all below it. Raises `OSError`."""
    if if_needed and _is_handed(os.lstat(root), group):
        return
    for directory, _, files in os.walk(root):
        for name in files:
            _hand(os.path.join(directory, name), group)
        if directory != os.fspath(root):
            _hand(directory, group)
    _hand(os.fspath(root), group)  # last: a walk that was cut short begins anew


def _is_handed(status: os.stat_result, group: int) -> bool:
    wanted = _DIRECTORY if stat.S_ISDIR(status.st_mode) else _FILE
    return status.st_gid == group and status.st_mode & wanted == wanted


def _hand(path: str, group: int) -> None:
    """Links are not followed: a container may have made them."""
    try:
        status = os.lstat(path)
        if status.st_gid != group:
            os.lchown(path, -1, group)
        if stat.S_ISLNK(status.st_mode) or _is_handed(os.lstat(path), group):
            return
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            wanted = _DIRECTORY if stat.S_ISDIR(status.st_mode) else _FILE
            os.chmod(f"/proc/self/fd/{descriptor}", stat.S_IMODE(os.fstat(descriptor).st_mode) | wanted)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return  # it was removed meanwhile
