"""The name server over real sockets, with a name server of the test's own behind it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest
from dnslib import EDNS0, MX, NS, QTYPE, RR, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.network.dns import upstream
from nodeagent.network.dns.memory import MAX_SECONDS, Memory
from nodeagent.network.dns.packets import NoQuestion, aged, holds_seconds, question, reversed_address, times
from nodeagent.network.dns.server import Server
from nodeagent.network.state import NetworkState
from schemas.network import NetworkEndpoint, NetworkService, NetworkSlice
from tests.unit.nodeagent.network.dns.test_zone import DB, SERVICES, WEB

LOCAL = "127.0.0.1"
STATE = NetworkState(services={f"services/{one.namespace}/{one.name}": one for one in SERVICES})


class Elsewhere(asyncio.DatagramProtocol):
    """Knows one address for every name, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self.records = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.asked.append(str(DNSRecord.parse(data).q.qname))
        if not self.silent:
            self.transport.sendto(self.reply(data, datagram=True), source)

    def reply(self, data: bytes, datagram: bool) -> bytes:
        reply = DNSRecord.parse(data).reply()
        for number in range(self.records):
            reply.add_answer(RR(reply.q.qname, QTYPE.A, ttl=60, rdata=A(f"192.0.2.{number % 250}")))
        if datagram and len(reply.pack()) > 512:
            reply = reply.truncate()
        return bytes(reply.pack())

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        reply = self.reply(data, datagram=False)
        writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()


class Names:
    def __init__(self, elsewhere: Elsewhere, server: Server, port: int) -> None:
        self.elsewhere, self.server, self.port = elsewhere, server, port

    async def ask(self, name: str, type_: str = "A", edns: int = 0) -> DNSRecord:
        asked = DNSRecord.question(name, type_)
        if edns:
            asked.add_ar(EDNS0(udp_len=edns))
        found = await upstream._by_datagram(LOCAL, self.port, asked.pack())
        return DNSRecord.parse(found)

    async def ask_by_stream(self, name: str) -> DNSRecord:
        return DNSRecord.parse(await upstream._by_stream(LOCAL, self.port, DNSRecord.question(name).pack()))

    async def values(self, name: str, type_: str = "A") -> list[str]:
        return [str(one.rdata) for one in (await self.ask(name, type_)).rr]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    monkeypatch.setattr(upstream, "ATTEMPT_SECONDS", 0.3)
    loop, behind, port = asyncio.get_running_loop(), free_port(), free_port()
    transport, elsewhere = await loop.create_datagram_endpoint(Elsewhere, local_addr=(LOCAL, behind))
    streams = await asyncio.start_server(elsewhere.stream, LOCAL, behind)
    server = Server("cluster.local", lambda: [f"{LOCAL}#{behind}"], {"corp.example": [f"{LOCAL}#{free_port()}"]}, port)
    server.update(STATE)
    running = asyncio.create_task(server.run(LOCAL))
    found = Names(elsewhere, server, port)
    await _until_answered(lambda: found.ask(WEB))
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    transport.close()
    streams.close()


async def _until_answered(ask: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await ask()
                return
            except (OSError, TimeoutError):
                await asyncio.sleep(0.01)


async def test_names_of_the_cluster_are_answered_here(names: Names) -> None:
    assert await names.values(WEB) == ["10.96.0.7"]
    assert await names.values(f"_http._tcp.{WEB}", "SRV") == [f"0 100 80 {WEB}."]
    assert await names.values("7.0.96.10.in-addr.arpa", "PTR") == [f"{WEB}."]
    assert (await names.ask("gone.shop.svc.cluster.local")).header.rcode == 3
    assert names.elsewhere.asked == []


async def test_case_does_not_matter_and_comes_back_as_it_was(names: Names) -> None:
    answer = await names.ask("WeB.shop.svc.Cluster.Local")
    assert str(answer.q.qname) == "WeB.shop.svc.Cluster.Local."
    assert [str(one.rdata) for one in answer.rr] == ["10.96.0.7"]


async def test_a_changed_service_is_answered_anew(names: Names) -> None:
    await names.values(WEB)
    moved = NetworkService("shop", "web", cluster_ips=("10.96.0.8",))
    names.server.update(NetworkState(services={"services/shop/web": moved}))
    assert await names.values(WEB) == ["10.96.0.8"]


async def test_other_names_are_asked_once_and_remembered(names: Names) -> None:
    answers = await asyncio.gather(*(names.values("example.com") for _ in range(5)))
    assert answers == [["192.0.2.0"]] * 5
    assert await names.values("example.com") == ["192.0.2.0"]
    assert len(names.elsewhere.asked) == len({*names.elsewhere.asked}) == 1


async def test_a_service_that_is_another_name_is_answered_with_its_address(names: Names) -> None:
    assert await names.values("out.shop.svc.cluster.local") == ["example.com.", "192.0.2.0"]


async def test_services_that_stand_for_each_other_are_told_to_fail(names: Names) -> None:
    ring = [
        NetworkService("shop", one, type="ExternalName", external_name=f"{other}.shop.svc.cluster.local")
        for one, other in (("a", "b"), ("b", "a"))
    ]
    names.server.update(NetworkState(services={f"services/shop/{one.name}": one for one in ring}))
    assert (await names.ask("a.shop.svc.cluster.local")).header.rcode == 2


async def test_a_service_that_stands_for_another_one_is_answered_with_its_address(names: Names) -> None:
    other = NetworkService("shop", "old", type="ExternalName", external_name=WEB)
    names.server.update(NetworkState(services={**STATE.services, "services/shop/old": other}))
    assert await names.values("old.shop.svc.cluster.local") == [f"{WEB}.", "10.96.0.7"]


async def test_what_there_is_not_says_for_how_long_and_what_has_no_such_type_does_not_deny_the_name(
    names: Names,
) -> None:
    missing, other = await names.ask("gone.shop.svc.cluster.local"), await names.ask(WEB, "MX")
    assert (missing.header.rcode, other.header.rcode) == (3, 0)
    for reply in (missing, other):
        assert reply.header.aa
        assert (reply.rr, [QTYPE.get(one.rtype) for one in reply.auth]) == ([], ["SOA"])


async def test_more_endpoints_than_fit_a_datagram_are_told_by_stream(names: Names) -> None:
    endpoints = tuple(NetworkEndpoint(f"10.244.1.{number}") for number in range(1, 101))
    wide = NetworkService("shop", "wide", slices=(NetworkSlice("IPv4", (), endpoints),))
    names.server.update(NetworkState(services={"services/shop/wide": wide}))
    name = "wide.shop.svc.cluster.local"
    short, longer = await names.ask(name), await names.ask(name, edns=4096)
    assert short.header.tc
    assert longer.header.tc  # no larger than what passes every path
    assert len(short.pack()) <= 512
    assert len((await names.ask_by_stream(name)).rr) == 100


async def test_what_does_not_fit_a_datagram_is_told_by_stream(names: Names) -> None:
    names.elsewhere.records = 100
    short = await names.ask("large.example")
    assert short.header.tc
    assert len(short.pack()) <= 512
    assert len((await names.ask_by_stream("large.example")).rr) == 100


async def test_names_of_the_cluster_are_answered_while_no_server_is(names: Names) -> None:
    names.elsewhere.silent = True
    assert (await names.ask("example.com")).header.rcode == 2
    assert await names.values(DB) == ["10.244.0.2", "10.244.0.3"]


async def test_an_address_that_becomes_the_clusters_is_the_clusters_at_once(names: Names) -> None:
    name = "9.0.96.10.in-addr.arpa"
    await names.ask(name, "PTR")
    assert names.elsewhere.asked == [f"{name}."]
    fresh = NetworkService("shop", "new", cluster_ips=("10.96.0.9",))
    names.server.update(NetworkState(services={"services/shop/new": fresh}))
    assert await names.values(name, "PTR") == ["new.shop.svc.cluster.local."]


async def test_a_stub_domain_has_servers_of_its_own(names: Names) -> None:
    assert (await names.ask("host.corp.example")).header.rcode == 2  # nobody is there
    assert names.elsewhere.asked == []


@given(st.binary(max_size=80))
def test_whatever_bytes_come_they_are_a_question_or_none(data: bytes) -> None:
    try:
        question(data)
    except NoQuestion:
        return


def test_an_answer_grows_older() -> None:
    reply = DNSRecord.question("example.com", "MX").reply()
    reply.add_answer(RR("example.com", QTYPE.MX, ttl=60, rdata=MX("mail.example.com")))
    reply.add_auth(RR("example.com", QTYPE.NS, ttl=90, rdata=NS("ns.example.com")))
    reply.add_ar(RR("mail.example.com", QTYPE.A, ttl=5, rdata=A("192.0.2.1")), EDNS0(udp_len=1232, flags="do"))
    packet = bytes(reply.pack())
    assert holds_seconds(packet) == 60
    older = DNSRecord.parse(aged(packet, times(packet), b"\1\2", 20))
    assert older.header.id == 258
    assert [one.ttl for one in (*older.rr, *older.auth, older.ar[0])] == [40, 70, 0]
    assert older.ar[1].edns_do


def test_an_answer_that_came_just_now_is_as_it_came() -> None:
    packet = bytes(DNSRecord.question("example.com").pack())
    assert aged(packet, times(packet), b"\1\2", 0) == b"\1\2" + packet[2:]


def test_what_is_remembered_ends() -> None:
    memory = Memory()
    memory.put(b"q", b"a", (), 10_000, now=0.0)
    assert memory.get(b"q", MAX_SECONDS - 1) is not None
    assert memory.get(b"q", MAX_SECONDS) is None


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("7.0.96.10.in-addr.arpa", "10.96.0.7"),
        (f"{'.'.join('7' + '0' * 27 + '00df')}.ip6.arpa", "fd00::7"),
        ("z.ip6.arpa", ""),
        ("example.com", ""),
    ],
)
def test_an_address_is_asked_for_backwards(name: str, address: str) -> None:
    assert reversed_address(name) == address
