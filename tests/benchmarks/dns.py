"""The agent's name server: questions a second on one core, and how long an answer takes.

Names of a cluster of 5,000 Services, each asked for the first time and asked again, and names of the world that are
remembered. Several clients ask over UDP. `dnsmasq`, where it is installed, is asked the same from its own memory.
"""

import argparse
import asyncio
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from dnslib import QTYPE, RR, A, DNSRecord
from msgspec import structs

from nodeagent.network.dns.server import Server
from nodeagent.network.state import NetworkState
from tests.benchmarks.hosts import ending_well
from tests.benchmarks.output import percentile, say
from tests.benchmarks.services import services

COUNT = 5_000
LOCAL, DOMAIN = "127.0.0.1", "cluster.local"
CLIENTS, OPEN = 8, 16
"""Sockets, and questions without an answer on each of them."""
ONE_BY_ONE = 3_000
WAIT_SECONDS = 5.0
NEEDED = 2_000
"""Thousands, as the network is to answer. A name is asked for the first time after Services have changed."""
WORLD = [f"host-{number}.example.com" for number in range(500)]


class Elsewhere(asyncio.DatagramProtocol):
    """The world's name server: one address for each name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        reply = DNSRecord.parse(data).reply()
        reply.add_answer(RR(reply.q.qname, QTYPE.A, ttl=300, rdata=A("192.0.2.1")))
        self._transport.sendto(bytes(reply.pack()), source)


async def serve(port: int, behind: int) -> None:
    """The agent's server, and what it asks for the names of the world."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Elsewhere, local_addr=(LOCAL, behind))
    server = Server(DOMAIN, lambda: [f"{LOCAL}#{behind}"], {}, port)
    known = services(COUNT)
    for key in list(known)[::10]:
        known[key] = structs.replace(known[key], cluster_ips=())  # headless
    server.update(NetworkState(services=known))
    print("ready", flush=True)
    await server.run(LOCAL)


def questions(type_: str) -> list[bytes]:
    """One about each Service."""
    found = []
    for one in services(COUNT).values():
        name = f"{one.name}.{one.namespace}.svc.{DOMAIN}"
        if type_ == "SRV":
            name = f"_http._tcp.{name}"
        elif type_ == "PTR":
            name = ".".join(reversed(one.cluster_ips[0].split("."))) + ".in-addr.arpa"
        found.append(bytes(DNSRecord.question(name, type_).pack()))
    random.Random(1).shuffle(found)
    return found


class Asking:
    """Several clients of one server. `pid`: of the server."""

    def __init__(self, port: int, pid: int) -> None:
        self._at, self._pid = (LOCAL, port), pid

    def cpu_seconds(self) -> float:
        """That the server has had."""
        return int(Path(f"/proc/{self._pid}/schedstat").read_text().split()[0]) / 1e9

    async def many(self, packets: Sequence[bytes]) -> float:
        """Asks all; how many a second of one core."""
        left = iter(packets)
        before = self.cpu_seconds()
        await asyncio.gather(*(self._client(left) for _ in range(CLIENTS)))
        return len(packets) / (self.cpu_seconds() - before)

    async def one_by_one(self, packets: Sequence[bytes]) -> list[float]:
        """Microseconds that each answer took, the server doing nothing else."""
        taken = []
        with self._socket() as client:
            client.setblocking(True)
            client.settimeout(WAIT_SECONDS)
            for packet in packets[:ONE_BY_ONE]:
                began = time.perf_counter()
                client.send(packet)
                client.recv(4096)
                taken.append((time.perf_counter() - began) * 1e6)
        return taken

    async def _client(self, left: Iterator[bytes]) -> None:
        """Never has more than `OPEN` questions without an answer; what is lost is asked again."""
        loop = asyncio.get_running_loop()
        with self._socket() as client:
            open_: dict[bytes, bytes] = {}
            number = 0
            while True:
                while len(open_) < OPEN and (packet := next(left, None)) is not None:
                    number += 1
                    id_ = (number & 0xFFFF).to_bytes(2, "big")
                    open_[id_] = id_ + packet[2:]
                    await loop.sock_sendall(client, open_[id_])
                if not open_:
                    return
                try:
                    async with asyncio.timeout(WAIT_SECONDS):
                        open_.pop((await loop.sock_recv(client, 4096))[:2], None)
                except TimeoutError:
                    for packet in open_.values():
                        await loop.sock_sendall(client, packet)

    def _socket(self) -> socket.socket:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.setblocking(False)
        client.connect(self._at)
        return client


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*command: str, port: int) -> Iterator[Asking]:
    """A name server that answers at this port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    asking = Asking(port, process.pid)
    try:
        _until_answered(port)
        yield asking
    finally:
        process.kill()
        process.wait()


def _until_answered(port: int) -> None:
    probe = bytes(DNSRecord.question(f"{DOMAIN}").pack())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect((LOCAL, port))
        for _ in range(150):
            try:
                client.send(probe)
                client.recv(4096)
                return
            except OSError:
                time.sleep(0.1)
    raise TimeoutError("the name server does not answer")


@contextmanager
def dnsmasq() -> Iterator[Asking | None]:
    """It knows the same names; None where it is not installed."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        print("dnsmasq is not installed (apt-get install dnsmasq-base): no peer", file=sys.stderr)
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        names = Path(directory) / "hosts"
        known = [f"{one.cluster_ips[0]} {one.name}.{one.namespace}.svc.{DOMAIN}" for one in services(COUNT).values()]
        names.write_text("\n".join([*known, *(f"192.0.2.1 {one}" for one in WORLD)]) + "\n")
        own = ["--conf-file=/dev/null", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--pid-file={names}.pid"]
        at = [f"--listen-address={LOCAL}", "--bind-interfaces", f"--port={port}", f"--addn-hosts={names}"]
        with running(program, *own, *at, "--user=root", "--cache-size=10000", port=port) as asking:
            yield asking


async def measure(own: Asking, peer: Asking | None) -> None:
    for type_ in ("A", "SRV", "PTR"):
        packets = questions(type_)
        say(f"dns_{type_}_asked_first", await own.many(packets), "1/s of a core", peer="needed", peer_value=NEEDED)
        again = packets * 3
        rate = await own.many(again)
        if peer is None or type_ == "SRV":
            say(f"dns_{type_}_asked_again", rate, "1/s of a core", peer="needed", peer_value=NEEDED)
        else:
            await _against(f"dns_{type_}", rate, own, peer, packets, again)
    world = [bytes(DNSRecord.question(one).pack()) for one in WORLD]
    await own.many(world)
    await asyncio.sleep(2)  # so that the answers held have grown older
    many = world * 30
    rate = await own.many(many)
    if peer is None:
        say("dns_of_the_world_asked_again", rate, "1/s of a core", peer="needed", peer_value=NEEDED)
        await _times("dns_A", own, questions("A"))
    else:
        await _against("dns_of_the_world", rate, own, peer, world * 6, many)


async def _against(
    name: str, rate: float, own: Asking, peer: Asking, packets: Sequence[bytes], many: Sequence[bytes]
) -> None:
    say(f"{name}_asked_again", rate, "1/s of a core", peer="dnsmasq", peer_value=await peer.many(many))
    await _times(name, own, packets, peer)


async def _times(name: str, own: Asking, packets: Sequence[bytes], peer: Asking | None = None) -> None:
    taken = await own.one_by_one(packets)
    other = await peer.one_by_one(packets) if peer else []
    for share, words in ((0.5, "median"), (0.99, "p99")):
        value = percentile(other, share) if other else None
        say(f"{name}_{words}", percentile(taken, share), "us", peer="dnsmasq" if other else "", peer_value=value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, type=int, metavar=("PORT", "BEHIND"), help=argparse.SUPPRESS)
    asked = parser.parse_args().serve
    if asked:
        asyncio.run(serve(*asked))
        return
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.dns", "--serve", str(port), str(free_port())]
    with ending_well(), running(*command, port=port) as own, dnsmasq() as peer:
        asyncio.run(measure(own, peer))


if __name__ == "__main__":
    main()
