"""What pulls fetch, in containerd's content store: how far they are, and that it outlives a pull that fails.

containerd gives each pull a lease of its own and takes it back when the pull ends, so that all which a broken pull has
fetched, finished layers included, is collected within a second. A lease of ours, named for the image, holds it: the
next pull finds finished layers, and goes on in the middle of the others. It is given up when the image is there, and
runs out after a day.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from nodeagent.runtime.connection import NAMESPACE, Connection
from nodeagent.runtime.interface import Download, RuntimeFailure
from nodeagent.runtime.proto import content_pb2 as content
from nodeagent.runtime.proto import leases_pb2 as leases
from nodeagent.runtime.proto.content_grpc import ContentStub
from nodeagent.runtime.proto.leases_grpc import LeasesStub

HELD = timedelta(days=1)
SECONDS = 10.0
_NAMESPACED = {"containerd-namespace": NAMESPACE}


@asynccontextmanager
async def kept_for_next_time(connection: Connection, reference: str) -> AsyncIterator[Mapping[str, str]]:
    """Gives the headers for a pull. What is fetched is let go of once the block ends well: the image holds it then."""
    stub = LeasesStub(connection.channel)
    name = f"wherry-pull-{hashlib.sha256(reference.encode()).hexdigest()[:16]}"
    until = (datetime.now(UTC) + HELD).strftime("%Y-%m-%dT%H:%M:%SZ")
    request = leases.CreateRequest(id=name, labels={"containerd.io/gc.expire": until})
    try:
        await connection.call(stub.Create, request, SECONDS, _NAMESPACED)
    except RuntimeFailure as error:
        cause = error.__cause__
        if not isinstance(cause, GRPCError) or cause.status is not Status.ALREADY_EXISTS:
            raise
    yield {**_NAMESPACED, "containerd-lease": name}
    await connection.call(stub.Delete, leases.DeleteRequest(id=name), SECONDS, _NAMESPACED)


async def downloads(connection: Connection) -> Sequence[Download]:
    stub = ContentStub(connection.channel)
    reply = await connection.call(stub.ListStatuses, content.ListStatusesRequest(), SECONDS, _NAMESPACED)
    return [Download(one.offset, one.total) for one in reply.statuses if "layer-" in one.ref]
