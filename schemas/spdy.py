"""SPDY/3.1 frames, as far as Kubernetes uses them: streams with headers, data in both directions, pings. Pure.

Spoken with containerd (exec, attach) and, inside a WebSocket, with kubectl (port-forward). Neither uses the windows
of SPDY, so there are none here: who does not read stops the whole connection.
(https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/)
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

import msgspec

MAX_FRAME = 1024 * 1024
MAX_HEADERS = 64 * 1024
_FIN = 1
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING = 1, 2, 3, 6
_VERSION = 3
_CANCEL = 5

_WORDS = (  # noqa: SIM905 (a list of one word a line is no easier to compare with the specification)
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|"
    "authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|"
    "content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|"
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
    "proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|upgrade|"
    "user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|"
    "keep-alive|origin"
).split("|")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS) + _TAIL.encode()
"""Of section 2.6.10.1: what header blocks are compressed against."""


class SpdyError(ValueError):
    """What came is not SPDY/3.1."""


class Opened(msgspec.Struct, frozen=True):
    """A stream that the other side opens. `last`: it sends nothing on it."""

    stream: int
    headers: Mapping[str, str]
    last: bool = False


class Replied(msgspec.Struct, frozen=True):
    """The other side has taken a stream of ours."""

    stream: int


class Received(msgspec.Struct, frozen=True):
    stream: int
    data: bytes
    last: bool = False


class Reset(msgspec.Struct, frozen=True):
    """The stream is over, in both directions."""

    stream: int


class Pinged(msgspec.Struct, frozen=True):
    """To be answered with the same."""

    payload: bytes


Event = Opened | Replied | Received | Reset | Pinged


class Connection:
    """Both directions of one connection: bytes to events, and what is to be said to bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        # The smallest that hold the dictionary: an agent may have many of these.
        self._deflate = zlib.compressobj(wbits=11, memLevel=1, zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Event]:
        """What these bytes complete. Raises `SpdyError`."""
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if length > MAX_FRAME:
                raise SpdyError(f"a frame of {length} bytes, more than {MAX_FRAME}")
            if len(self._buffer) < 8 + length:
                return
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            event = self._event(first, flags, body)
            if event is not None:
                yield event

    def _event(self, first: int, flags: int, body: bytes) -> Event | None:
        if not first >> 31:
            return Received(first, body, bool(flags & _FIN))
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise SpdyError(f"SPDY/{version}, expected SPDY/3")
        if kind == _PING:
            return Pinged(body)
        if kind not in (_SYN_STREAM, _SYN_REPLY, _RST_STREAM):
            return None  # settings and windows mean nothing here, and a farewell is followed by the end
        if len(body) < 4:
            raise SpdyError("a control frame is cut short")
        stream = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
        if kind == _RST_STREAM:
            return Reset(stream)
        headers = self._headers(body[10:] if kind == _SYN_STREAM else body[4:])
        return Opened(stream, headers, bool(flags & _FIN)) if kind == _SYN_STREAM else Replied(stream)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
            if self._inflate.unconsumed_tail:
                raise SpdyError(f"more than {MAX_HEADERS} bytes of headers")
            (count,), at = struct.unpack_from(">I", plain), 4
            texts = []
            for _ in range(2 * min(count, MAX_HEADERS)):
                (length,) = struct.unpack_from(">I", plain, at)
                texts.append(plain[at + 4 : at + 4 + length].decode())
                at += 4 + length
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SpdyError(f"headers that cannot be read: {error}") from None
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """A stream of ours: odd numbers are the client's."""
        return _control(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers))

    def accept(self, stream: int) -> bytes:
        return _control(_SYN_REPLY, struct.pack(">I", stream) + self._block({}))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers))
        for text in (text for pair in headers.items() for text in pair):
            plain += struct.pack(">I", len(text.encode())) + text.encode()
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, content: bytes, *, last: bool = False) -> bytes:
    return struct.pack(">II", stream, (_FIN if last else 0) << 24 | len(content)) + content


def reset(stream: int) -> bytes:
    return _control(_RST_STREAM, struct.pack(">II", stream, _CANCEL))


def pong(ping: Pinged) -> bytes:
    return _control(_PING, ping.payload)


def _control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | _VERSION, kind, len(body)) + body
