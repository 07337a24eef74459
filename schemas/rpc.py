"""What passes between reconciler and agent while somebody reads logs, sits in a shell or forwards a port. Pure.

Each call is a stream of its own: `rpc/<id>/down` carries what the reconciler says, `rpc/<id>/up` what the agent
says, neither retained. A frame is one line of JSON, `[number, body]`, and after the newline the bytes that a `Data`
carries. Numbers grow by one in each direction, so that what the broker doubled is dropped, and what it lost or
reordered ends the stream instead of corrupting it.

Nobody sends more than the other side has room for: `window` says at the start how much may be under way, and each
`Credit` gives back what was consumed. So a slow reader stops its own stream and no other, and neither the broker
nor a node ever holds more than the windows.
"""

from datetime import datetime
from typing import Literal

import msgspec

from schemas.messages import BadMessage
from schemas.meta import Record

CHUNK = 16 * 1024
"""Bytes in one `Data`, at most."""
LEAST = 1024
"""What a `Data` costs of the window at least: a thousand frames of one byte are a burden as well."""
MOST_WINDOW = 256 * 1024
ABRUPT = -1
"""The number of an `End` that comes from somebody who has lost count."""
STDIN, STDOUT, STDERR = 0, 1, 2
"""Channels. A forwarded port has the first two."""


class LogRequest(Record, frozen=True, kw_only=True, tag_field="call", tag="log"):
    """The log of a container, as the query of `pods/log` asks for it. Answered on `STDOUT`."""

    uid: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_seconds: int | None = None
    since_time: datetime | None = None
    stream: Literal["", "stdout", "stderr"] = ""


class ExecRequest(Record, frozen=True, kw_only=True, tag_field="call", tag="exec"):
    """A process beside the container's own."""

    uid: str
    container: str
    command: tuple[str, ...]
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class AttachRequest(Record, frozen=True, kw_only=True, tag_field="call", tag="attach"):
    """The container's own process."""

    uid: str
    container: str
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class ConnectRequest(Record, frozen=True, kw_only=True, tag_field="call", tag="connect"):
    """A TCP connection to a port of the pod, as from inside of it."""

    uid: str
    port: int


Request = LogRequest | ExecRequest | AttachRequest | ConnectRequest


class Open(Record, frozen=True, tag_field="kind", tag="open"):
    """The reconciler's first frame. `window`: what it has room for."""

    request: Request
    window: int


class Started(Record, frozen=True, tag_field="kind", tag="started"):
    """The agent's first frame, unless it refuses: what was asked for runs. `window`: what it has room for."""

    window: int


class Data(Record, frozen=True, tag_field="kind", tag="data"):
    """Followed by its bytes."""

    channel: int


class Close(Record, frozen=True, tag_field="kind", tag="close"):
    """Nothing more comes on this channel; the others go on."""

    channel: int


class Resize(Record, frozen=True, tag_field="kind", tag="resize"):
    """Of the terminal, in characters."""

    width: int
    height: int


class Credit(Record, frozen=True, tag_field="kind", tag="credit"):
    """So many bytes of the window are free again."""

    bytes: int


class End(Record, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    """The last frame of either side. From the agent: how it ended; from the reconciler: nobody listens any more.

    A call that could not be done has a `reason` and `message` of a `Status`, and its `code`; `exit_code` is that of
    a process that ran.
    """

    code: int = 0
    reason: str = ""
    message: str = ""
    exit_code: int = 0


Body = Open | Started | Data | Close | Resize | Credit | End
Frame = tuple[Body, bytes]

CANCELLED = End(code=499, reason="Cancelled", message="the caller has gone")
_decoder = msgspec.json.Decoder(tuple[int, Body])
_encode = msgspec.json.Encoder().encode


class Broken(Exception):
    """The stream cannot go on; the text says why, for a person."""


def encode_frame(number: int, body: Body, data: bytes = b"") -> bytes:
    line = _encode((number, body))
    return b"%b\n%b" % (line, data) if data else line


def decode_frame(payload: bytes) -> tuple[int, Body, bytes]:
    """Raises `BadMessage`."""
    line, _, data = payload.partition(b"\n")
    if len(data) > CHUNK:
        raise BadMessage(f"rpc: {len(data)} bytes in one frame, more than {CHUNK}")
    try:
        number, body = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise BadMessage(f"rpc: {error}") from None
    return number, body, data


def charge(length: int) -> int:
    """What a `Data` of so many bytes takes of the window."""
    return max(length, LEAST)


def window(pool: int, streams: int) -> int:
    """What a new stream is granted of a pool that `streams` others share; never too little to get on."""
    return max(CHUNK, min(MOST_WINDOW, pool // (streams + 1)))


class Conversation:
    """One side's account of a stream: numbers what it sends, and checks what comes. `grant`: its own window."""

    def __init__(self, grant: int) -> None:
        self.grant = grant
        self.room = 0
        """What may be sent before the next `Credit`; nothing until the other side has told its window."""
        self._sent = self._seen = 0
        self._held = self._owed = 0
        self._window = 0

    def fits(self, length: int) -> int:
        """How many of so many bytes may be sent now, in one `Data`."""
        most = min(length, CHUNK, self.room)
        return most if self.room >= LEAST else 0

    def frame(self, body: Body, data: bytes = b"") -> bytes:
        """The next frame to send."""
        if isinstance(body, Data):
            self.room -= charge(len(data))
        number, self._sent = self._sent, self._sent + 1
        return encode_frame(number, body, data)

    def take(self, payload: bytes) -> Frame | None:
        """What arrived; None for what came before or is for this account alone. Raises `Broken`."""
        try:
            number, body, data = decode_frame(payload)
        except BadMessage as error:
            raise Broken(f"what arrived is no frame: {error}") from None
        if number == ABRUPT and isinstance(body, End):
            return body, b""
        if number < self._seen:
            return None
        if number > self._seen:
            raise Broken(f"{number - self._seen} messages were lost on the way")
        self._seen += 1
        if isinstance(body, Open | Started):
            self._window = self.room = max(0, min(body.window, MOST_WINDOW))
        elif isinstance(body, Credit):
            self.room += max(0, body.bytes)
            if self.room > self._window:
                raise Broken("more was given back than was sent")
            return None
        elif isinstance(body, Data):
            self._held += charge(len(data))
            if self._held > self.grant:
                raise Broken("more was sent than there is room for")
        return body, data

    def consumed(self, length: int) -> bytes | None:
        """Gives back what a `Data` of this length took; returns the `Credit` to send, once it is worth a message."""
        self._owed += charge(length)
        if self._owed < self.grant // 4:
            return None
        owed, self._owed = self._owed, 0
        self._held -= owed
        return self.frame(Credit(owed))
