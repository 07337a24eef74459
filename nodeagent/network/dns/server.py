"""The node's own name server, at the address of the pods' gateway.

Names of the cluster come from what the node knows, link or not. Every other name is asked of the node's servers, once
for all who ask at a time, and remembered. Answers of the cluster's names are remembered as bytes until the state
changes, so that a question that comes often costs a lookup.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from dnslib import DNSRecord

from nodeagent.network.dns import packets, upstream
from nodeagent.network.dns.memory import Memory
from nodeagent.network.dns.zone import Zone
from nodeagent.network.state import NetworkState

log = logging.getLogger(__name__)

PORT = 53
RETRY_SECONDS = 5.0
MAX_OPEN = 1_000
"""Questions to other servers at a time; what is more is not answered, and will be asked again."""
MAX_STREAMS = 100
STREAM_SECONDS = 10.0
MAX_READY = 10_000
MAX_FOLLOWED = 8
"""As many names as may stand for another one after the other."""
_REVERSED = b"\4arpa\0"
"""The end of a name that is an address: such may become the cluster's, and what was heard of it then counts no more."""

Respond = Callable[[bytes], None]


class Server:
    """`servers`: of the node, asked for what is not the cluster's; `stubs`: domain to the servers to ask for it."""

    def __init__(
        self, domain: str, servers: Callable[[], Sequence[str]], stubs: Mapping[str, Sequence[str]], port: int = PORT
    ) -> None:
        self._domain, self._servers, self._stubs, self._port = domain, servers, stubs, port
        self._zone = Zone(NetworkState(), domain)
        self._state = NetworkState()
        self._ready: dict[bytes, bytes] = {}
        self._memory = Memory()
        self._open: dict[bytes, asyncio.Task[bytes]] = {}
        self._streams = 0

    def update(self, state: NetworkState) -> None:
        """What is known of Services now."""
        if state.services is not self._state.services:
            self._zone = Zone(state, self._domain)
            self._ready.clear()
        self._state = state

    async def run(self, address: str) -> None:
        """Answers at this address until cancelled. A port that another one has is tried again."""
        while True:
            try:
                await self._serve(address)
            except OSError as error:
                log.error(
                    "names cannot be answered, retry in %.0f s: another name server may hold the port: "
                    "address=%s port=%d error=%s",
                    RETRY_SECONDS,
                    address,
                    self._port,
                    error,
                )
                await asyncio.sleep(RETRY_SECONDS)

    async def _serve(self, address: str) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(address, self._port))
        try:
            async with await asyncio.start_server(self._stream, address, self._port) as server:
                log.info("answering names address=%s port=%d", address, self._port)
                await server.serve_forever()
        finally:
            transport.close()

    def answer(self, packet: bytes, respond: Respond, datagram: bool, follows: int = MAX_FOLLOWED) -> None:
        """Calls `respond` at once, or later, or, with what is no question, never.

        Names that stand for other names are followed so many times: they may stand for each other.
        """
        key = packet[2:] if datagram else b"\0" + packet[2:]
        if (known := self._ready.get(key)) is not None:
            respond(packet[:2] + known)
            return
        if (held := self._held(packet, datagram)) is not None:
            respond(held)
            return
        try:
            asked = packets.question(packet)
        except packets.NoQuestion:
            return
        if target := packets.alias(asked, self._zone):
            if follows:
                self._follow(asked, target.lower(), respond, follows - 1)
            else:
                respond(packets.refused(asked, packets.SERVFAIL))
            return
        reply = packets.answered(asked, self._zone, self._domain)
        if reply is None:
            self._ask(packet, asked, respond, datagram)
            return
        reply = packets.cut(reply, asked) if datagram else reply
        self._ready[key] = reply[2:]
        if len(self._ready) > MAX_READY:
            del self._ready[next(iter(self._ready))]
        respond(reply)

    def _held(self, packet: bytes, datagram: bool) -> bytes | None:
        """What another server said to the same question, where it fits whatever the client takes."""
        now = asyncio.get_running_loop().time()
        held = self._memory.get(packet[2:], now)
        if held is None or (datagram and len(held.packet) > packets.PLAIN_UDP) or _REVERSED in packet.lower():
            return None
        return packets.aged(held.packet, held.times, packet[:2], int(now - held.came))

    def _follow(self, asked: DNSRecord, target: str, respond: Respond, follows: int) -> None:
        """A Service that is only another name is answered with what that name stands for."""

        def came(reply: bytes) -> None:
            with suppress(packets.NotReadable):
                respond(packets.followed(asked, target, reply))

        self.answer(packets.asking_for(target, asked), came, False, follows)

    def _ask(self, packet: bytes, asked: DNSRecord, respond: Respond, datagram: bool) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if (held := self._memory.get(packet[2:], now)) is not None:
            self._say(packets.aged(held.packet, held.times, packet[:2], int(now - held.came)), asked, respond, datagram)
            return
        task = self._open.get(packet[2:])
        if task is None:
            if len(self._open) >= MAX_OPEN:
                return
            task = loop.create_task(self._upstream(packet, packets.name_of(asked)), name="dns-question")
            self._open[packet[2:]] = task
        task.add_done_callback(lambda done: self._came(done, packet, asked, respond, datagram))

    def _came(
        self, done: "asyncio.Task[bytes]", packet: bytes, asked: DNSRecord, respond: Respond, datagram: bool
    ) -> None:
        self._open.pop(packet[2:], None)
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._say(packet[:2] + done.result()[2:], asked, respond, datagram)
        else:
            log.debug("a name was not answered name=%s error=%s", asked.q.qname, error)
            respond(packets.refused(asked, packets.SERVFAIL))

    async def _upstream(self, packet: bytes, name: str) -> bytes:
        answer = await upstream.ask(self._servers_for(name), packet)
        now = asyncio.get_running_loop().time()
        if (seconds := packets.holds_seconds(answer)) > 0:
            self._memory.put(packet[2:], answer, packets.times(answer), seconds, now)
        return answer

    def _servers_for(self, name: str) -> Sequence[str]:
        """The most particular stub domain's, or the node's."""
        labels = name.split(".")
        for start in range(len(labels)):
            if (servers := self._stubs.get(".".join(labels[start:]))) is not None:
                return servers
        return self._servers()

    def _say(self, reply: bytes, asked: DNSRecord, respond: Respond, datagram: bool) -> None:
        respond(packets.cut(reply, asked) if datagram else reply)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._streams >= MAX_STREAMS:
            writer.close()
            return
        self._streams += 1
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while True:
                    async with asyncio.timeout(STREAM_SECONDS):
                        await writer.drain()  # who does not read its answers is not asked for more
                        length = int.from_bytes(await reader.readexactly(2), "big")
                        packet = await reader.readexactly(length)
                    self.answer(packet, lambda reply: writer.write(len(reply).to_bytes(2, "big") + reply), False)
        finally:
            self._streams -= 1
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        transport = self._transport
        if transport is not None:
            self._server.answer(data, lambda reply: transport.sendto(reply, source), True)
