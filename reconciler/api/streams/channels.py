"""The channel protocol of exec and attach over WebSocket: the first byte of a message is its channel. Pure.

Versions 4 and 5 differ in one message, by which the client ends standard input
(https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/4006-transition-spdy-to-websockets).
"""

import msgspec

from reconciler.api.streams.asked import of_end
from schemas.rpc import STDIN, Close, Data, End, Resize

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
PROTOCOLS = (V5, V4)
ERROR, RESIZE, CLOSE = 3, 4, 255
MAX_SIZE = 65535


class _Size(msgspec.Struct):
    width: int = msgspec.field(name="Width", default=0)
    height: int = msgspec.field(name="Height", default=0)


def read(message: bytes, protocol: str) -> tuple[Data | Close | Resize, bytes] | None:
    """What the client says; None for what means nothing, such as an empty message."""
    if len(message) < 2:
        return None
    channel, content = message[0], message[1:]
    if channel == STDIN:
        return Data(STDIN), content
    if channel == CLOSE and protocol == V5 and content == bytes([STDIN]):
        return Close(STDIN), b""
    if channel == RESIZE:
        try:
            size = msgspec.json.decode(content, type=_Size)
        except msgspec.DecodeError:
            return None
        if 0 < size.width <= MAX_SIZE and 0 < size.height <= MAX_SIZE:
            return Resize(size.width, size.height), b""
    return None


def output(channel: int, data: bytes) -> bytes:
    return bytes([channel]) + data


def last_word(end: End) -> bytes:
    """How it ended, as a `Status` on the channel for that."""
    if end.exit_code:
        status: dict[str, object] = {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with exit code {end.exit_code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(end.exit_code)}]},
            "code": 500,
        }
    elif end.message:
        status = of_end(end).status()
    else:
        status = {"metadata": {}, "status": "Success"}
    return output(ERROR, msgspec.json.encode(status))
