"""The gRPC health protocol, whose two messages of one field each are coded here by hand.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError

SERVING = 1
STATUS_NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_SERVICE_FIELD = b"\x0a"
"""Field 1, length-delimited."""
_STATUS_FIELD = b"\x08"
"""Field 1, a varint."""


class _HealthCodec(CodecBase):
    """Encodes a `HealthCheckRequest` from its service's name, decodes a `HealthCheckResponse` to its status."""

    __content_subtype__ = "proto"

    def encode(self, message: object, message_type: object) -> bytes:
        name = str(message).encode()
        return _SERVICE_FIELD + _varint(len(name)) + name if name else b""

    def decode(self, data: bytes, message_type: object) -> int:
        return data[1] if len(data) >= 2 and data[:1] == _STATUS_FIELD else 0


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


async def health(host: str, port: int, service: str) -> int:
    """The status that the server gives this service. Raises `OSError` (no connection) and `ValueError` (an error)."""
    async with Channel(host, port, codec=_HealthCodec()) as channel:
        check = UnaryUnaryMethod(channel, "/grpc.health.v1.Health/Check", str, int)
        try:
            status: int = await check(service)
        except GRPCError as error:
            if error.status is Status.UNIMPLEMENTED:
                raise ValueError(
                    "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
                ) from None
            if error.status is Status.NOT_FOUND:
                raise ValueError(f'service unhealthy (unknown service "{service}")') from None
            raise ValueError(f"error: health rpc probe failed: {error.message}") from None
        except StreamTerminatedError as error:
            raise ValueError(f"error: health rpc probe failed: {error}") from None
    return status
