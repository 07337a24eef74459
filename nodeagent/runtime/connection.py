"""One HTTP/2 connection to containerd's socket. Every call has a deadline, and fails as a `RuntimeFailure`.

The connection is made at the first call and made again at the next call after it broke: containerd may come and
go beneath us.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message
from grpclib.client import Channel, Stream, StreamStreamMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from nodeagent.runtime.interface import Missing, RuntimeFailure, Unavailable
from nodeagent.tallies import TALLIES

NAMESPACE = "k8s.io"
"""containerd's namespace of everything that its CRI plugin makes."""

_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)

# containerd serves its socket before the CRI plugin is ready.
_NOT_YET = ("server is not initialized yet", "unknown service runtime.v1")


class Connection:
    def __init__(self, address: Path) -> None:
        self.address = address
        self._channel: Channel | None = None

    @property
    def channel(self) -> Channel:
        if self._channel is None:
            self._channel = Channel(path=str(self.address))
        return self._channel

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def call(
        self,
        method: UnaryUnaryMethod[_Request, _Reply],
        request: _Request,
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> _Reply:
        began, failed = time.monotonic(), True
        try:
            reply = await method(request, timeout=seconds, metadata=dict(headers or {}))
            failed = False
            return reply
        except (GRPCError, StreamTerminatedError, ProtocolError, OSError, TimeoutError) as error:
            raise failure(error, self.address) from error
        finally:
            TALLIES.operation(method.name.rpartition("/")[2], time.monotonic() - began, failed=failed)

    @asynccontextmanager
    async def stream(
        self,
        method: UnaryStreamMethod[_Request, _Reply] | StreamStreamMethod[_Request, _Reply],
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Stream[_Request, _Reply]]:
        """Leaving the block by an exception (a cancellation too) ends the call on containerd's side."""
        try:
            async with method.open(timeout=seconds, metadata=dict(headers or {})) as stream:
                yield stream
        except (GRPCError, StreamTerminatedError, ProtocolError, OSError, TimeoutError) as error:
            raise failure(error, self.address) from error


def failure(error: Exception, address: Path) -> RuntimeFailure:
    """What the caller can act on. The text is containerd's where it gave one."""
    if isinstance(error, GRPCError):
        text = error.message or error.status.name
        if error.status in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED) or any(hint in text for hint in _NOT_YET):
            return Unavailable(text)
        return Missing(text) if error.status is Status.NOT_FOUND else RuntimeFailure(text)
    if isinstance(error, TimeoutError):
        return Unavailable(f"containerd on {address} did not answer in time")
    return Unavailable(f"containerd on {address} cannot be reached: {error or type(error).__name__}")
