"""A file packed with zstd, read as if it were not: by the `zstd` program, for Python 3.11 has no such module.

It is read forwards. Going back begins at the start again, as in a gzip file; nothing is unpacked onto the disk.
"""

import shutil
import subprocess
from pathlib import Path

MAGIC = b"\x28\xb5\x2f\xfd"
_PIECE = 256 * 1024


class Unpacked:
    """What `tarfile` asks of a file: `read`, `seek` (from the start, or from the end), `tell`, `close`."""

    def __init__(self, path: Path) -> None:
        """Raises `ValueError` where the program is missing."""
        program = shutil.which("zstd")
        if program is None:
            raise ValueError(
                "it is packed with zstd, and the zstd program is not installed; on Debian: apt-get install zstd"
            )
        self._command = [program, "--decompress", "--stdout", "--quiet", "--", str(path)]
        self._process: subprocess.Popen[bytes] | None = None
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        process = self._running()
        assert process.stdout is not None
        pieces = []
        while size != 0 and (piece := process.stdout.read(_PIECE if size < 0 else min(size, _PIECE))):
            pieces.append(piece)
            size -= len(piece) if size > 0 else 0
        content = b"".join(pieces)
        self._at += len(content)
        if not content and size != 0 and process.wait() > 0:
            raise EOFError("zstd cannot unpack it: it is damaged or not whole")
        return content

    def seek(self, position: int, whence: int = 0) -> int:
        if whence == 2:
            while self.read(_PIECE):
                pass
            return self._at
        if position < self._at:
            self.close()
        while self._at < position and self.read(min(_PIECE, position - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process, self._at = None, 0

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self._at = 0
        return self._process
