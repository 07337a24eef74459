"""Lines of a CRI log file, and which of them somebody asked for. Pure.

A line is `<RFC 3339 time> stdout|stderr F|P <text>`; `P` marks one that the runtime cut for its length and goes on
in the next (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
"""

from datetime import UTC, datetime

MAX_LINE = 64 * 1024
"""Bytes. The runtime cuts lines at 16 KiB; whatever is longer is no log line, and is passed over."""


class LineFilter:
    """Bytes of log files in, in order and in pieces of any size; bytes for the reader out."""

    def __init__(
        self,
        *,
        stream: str = "",
        since: datetime | None = None,
        timestamps: bool = False,
        limit_bytes: int | None = None,
    ) -> None:
        self._stream, self._since, self._timestamps = stream.encode(), since, timestamps
        self._left = limit_bytes
        self._rest = b""
        self._inside_line = False

    @property
    def is_full(self) -> bool:
        """Nothing more will come out: the limit is reached."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """What of this is to be shown. What follows the last newline is kept until it is whole."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        shown = b"".join(self._shown(line) for line in lines)
        if self._left is not None:
            shown = shown[: self._left]
            self._left -= len(shown)
        return shown

    def new_file(self) -> None:
        """The next bytes are of another file: half a line, left by a crash, is not continued in it."""
        self._rest = b""

    def _shown(self, line: bytes) -> bytes:
        parts = line.split(b" ", 3)
        if len(parts) != 4:
            return b""
        time, stream, tag, text = parts
        if (self._stream and stream != self._stream) or not self._is_due(time):
            return b""
        stamp = time + b" " if self._timestamps and not self._inside_line else b""
        self._inside_line = tag == b"P"
        return stamp + text + (b"" if self._inside_line else b"\n")

    def _is_due(self, time: bytes) -> bool:
        """Times only grow: from the first line that is due on, all are."""
        if self._since is None:
            return True
        try:
            is_due = datetime.fromisoformat(time.decode()).astimezone(UTC) >= self._since
        except ValueError:
            return False
        if is_due:
            self._since = None
        return is_due


def newlines_from_end(block: bytes, wanted: int) -> tuple[int, int]:
    """Where the last but `wanted - 1` newline is (-1: not in this block), and how many were found on the way."""
    at = len(block)
    for found in range(wanted):
        at = block.rfind(b"\n", 0, at)
        if at < 0:
            return -1, found
    return at, wanted
