"""Answers balancers outside that ask whether this node has endpoints of a Service, at its `healthCheckNodePort`.

They ask where `externalTrafficPolicy: Local` has them send connections only to nodes that have one. Status and body are
those of Kubernetes (https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/).
"""

import asyncio
import json
import logging
from collections.abc import Mapping

import msgspec

from nodeagent.network.state import NetworkState
from schemas.network import NetworkService

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
QUESTION_BYTES, QUESTION_SECONDS = 8192, 5.0


class Health(msgspec.Struct, frozen=True):
    """Of one Service on this node: how many endpoints are ready here."""

    namespace: str
    name: str
    endpoints: int


def health_ports(services: Mapping[str, NetworkService], node: str) -> dict[int, Health]:
    """What is answered at each port."""
    return {
        one.health_check_node_port: Health(one.namespace, one.name, _ready_here(one, node))
        for one in services.values()
        if one.health_check_node_port and one.external_local
    }


def _ready_here(service: NetworkService, node: str) -> int:
    found = (one for slice_ in service.slices for one in slice_.endpoints if one.node == node and one.ready)
    return len({one.address for one in found})


def answer(health: Health) -> bytes:
    """The whole answer over HTTP."""
    told = {
        "service": {"namespace": health.namespace, "name": health.name},
        "localEndpoints": health.endpoints,
        "serviceProxyHealthy": True,
    }
    body = json.dumps(told, indent="\t").encode()
    status = "200 OK" if health.endpoints else "503 Service Unavailable"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {health.endpoints}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


class HealthPorts:
    """Listens at the ports of all Services that have one."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._wanted: Mapping[int, Health] = {}
        self._open: dict[int, asyncio.Server] = {}
        self._changed = asyncio.Event()

    @property
    def open(self) -> frozenset[int]:
        """The ports at which it listens now."""
        return frozenset(self._open)

    def update(self, state: NetworkState) -> None:
        wanted = health_ports(state.services, self._node)
        if wanted.keys() != self._wanted.keys():
            self._changed.set()
        self._wanted = wanted

    async def run(self) -> None:
        """Until cancelled; nobody listens then."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for port in self._open.keys() - self._wanted.keys():
                    self._open.pop(port).close()
                for port in self._wanted.keys() - self._open.keys():
                    await self._listen(port)
        finally:
            for server in self._open.values():
                server.close()

    async def _listen(self, port: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(port, reader, writer)

        try:
            self._open[port] = await asyncio.start_server(serve, None, port, limit=QUESTION_BYTES)
        except OSError as error:
            log.error("no answers about a Service, retry in %.0f s port=%d: %s", RETRY_SECONDS, port, error)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._changed.set)

    async def _serve(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Whatever is asked: as in Kubernetes, no path means anything."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
                if (health := self._wanted.get(port)) is not None:
                    writer.write(answer(health))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("a question about a Service came to nothing port=%d", port)
        finally:
            writer.close()
