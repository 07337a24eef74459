"""The log of one container on disk: a file that grows, and the older ones that it was before each rotation.

Read in the order in which it was written, with one file open at a time; a file that is renamed while it is read is
known by its inode, so that no line is left out or told twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nodeagent.rpc.loglines import newlines_from_end

BLOCK = 64 * 1024
MAX_FILES = 100


def log_files(path: Path) -> list[Path]:
    """Those that are there, the oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(1, MAX_FILES)]
    present = []
    for candidate in older:
        if not candidate.exists():
            break
        present.append(candidate)
    return [*reversed(present), *([path] if path.exists() else [])]


class LogReader:
    """Begins `tail_lines` before the end, or (None) with the oldest line. To be closed."""

    def __init__(self, path: Path, tail_lines: int | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._seek(tail_lines)

    def read(self) -> Iterator[tuple[bytes, bool]]:
        """Everything up to the end, as it is now, in blocks; True with the first of each file but the first."""
        is_new = False
        while self._file is not None:
            while block := self._file.read(BLOCK):
                yield block, is_new
                is_new = False
            following = self._next()
            if following is None:
                return
            # What was written to the old file between the read above and its renaming is there by now.
            if block := self._file.read(BLOCK):
                following.close()
                yield block, is_new
                is_new = False
                continue
            self._file.close()
            self._file = following
            is_new = True
        if self._open_first():
            yield from self.read()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open_first(self) -> bool:
        files = log_files(self._path)
        if files:
            self._file = _open(files[0])
        return self._file is not None

    def _seek(self, tail_lines: int | None) -> None:
        files = log_files(self._path)
        wanted = tail_lines
        for path in reversed(files):
            opened = _open(path)
            if opened is None:
                break
            self.close()
            self._file = opened
            if wanted is not None:
                wanted = _seek_lines(opened, wanted)
                if not wanted:
                    return

    def _next(self) -> BinaryIO | None:
        """The file that follows the one that is open; None while that is the newest."""
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        inodes = {}
        for path in log_files(self._path):
            opened = _open(path)
            if opened is not None:
                inodes[os.fstat(opened.fileno()).st_ino] = opened
        following = list(inodes.values())
        if mine.st_ino in inodes:
            following = following[list(inodes).index(mine.st_ino) + 1 :]
        chosen = following[0] if following else None
        for other in inodes.values():
            if other is not chosen:
                other.close()
        return chosen


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None  # rotated away since it was listed


def _seek_lines(file: BinaryIO, wanted: int) -> int:
    """Goes to the start of the last lines; returns how many are still wanted from the file before."""
    position = file.seek(0, os.SEEK_END)
    if wanted == 0:
        return 0
    ends = wanted + 1  # the last line's own, and that of the line before the first
    while position > 0:
        start = max(0, position - BLOCK)
        file.seek(start)
        at, found = newlines_from_end(file.read(position - start), ends)
        ends -= found
        if ends == 0:
            file.seek(start + at + 1)
            return 0
        position = start
    file.seek(0)
    return max(ends - 1, 0)
