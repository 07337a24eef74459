"""Rules for many Services in the kernel: what loading and changing them costs, and what they cost a connection.

All of it in network namespaces of its own, by the agent's own code. Connections are made from a node with 5,000
Services, from one with 10 and from one with none, in turns; each goes to an endpoint in another namespace.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import structs

from nodeagent.network.forwarding import Forwarding
from nodeagent.network.state import NetworkState
from schemas.network import SERVICES, NetworkEndpoint, NetworkPort, NetworkService, NetworkSlice, SlicePort
from tests.benchmarks.connecting import PORT
from tests.benchmarks.hosts import HUB, Hosts, hosts, run
from tests.benchmarks.output import median, percentile, say

MANY, FEW, ENDPOINTS = 5_000, 10, 5
POD_CIDR = "10.244.0.0/24"
CHANGES, ROUNDS, CONNECTIONS = 20, 12, 1_000
ASKED = "10.96.0.1"
"""The Service that connections are made to; its endpoints are the hub's."""
REAL = [f"10.127.0.{number}" for number in range(1, ENDPOINTS + 1)]
MEBIBYTE = 1024 * 1024


def services(count: int) -> dict[str, NetworkService]:
    made = [_service(number) for number in range(count)]
    return {f"{SERVICES}{one.namespace}/{one.name}": one for one in made}


def _service(number: int) -> NetworkService:
    fresh = [f"10.{128 + number // 2500}.{number // 50 % 50}.{number % 50 * ENDPOINTS + at}" for at in range(ENDPOINTS)]
    endpoints = tuple(NetworkEndpoint(one, f"node-{at}") for at, one in enumerate(fresh if number else REAL))
    return NetworkService(
        f"team-{number % 20}",
        f"service-{number}",
        cluster_ips=(f"10.96.{number // 250}.{number % 250 + 1}",),
        ports=(NetworkPort(80, "TCP", "http"),),
        slices=(NetworkSlice("IPv4", (SlicePort(PORT, "TCP", "http"),), endpoints),),
    )


class Watched(Forwarding):
    """Says what it sends to the kernel, and how long `nft` took with that."""

    def __init__(self, enter: Sequence[str]) -> None:
        super().__init__("node-0", "wherry0", enter)
        self.sent, self.seconds = 0, 0.0
        self.done = asyncio.Event()

    async def _nft(self, script: str) -> None:
        began = time.perf_counter()
        await super()._nft(script)
        self.sent, self.seconds = len(script), time.perf_counter() - began
        self.done.set()


async def loaded(forwarding: Watched, state: NetworkState) -> float:
    """Seconds from what is known to the whole table in the kernel."""
    began = time.perf_counter()
    forwarding.update(state)
    await forwarding.lay([POD_CIDR])
    return time.perf_counter() - began


async def changes(forwarding: Watched, state: NetworkState) -> tuple[list[float], list[float], int]:
    """Milliseconds of single changes, those that `nft` took of them, and the most bytes sent. An endpoint goes."""
    taken, nft, sent = [], [], 0
    running = asyncio.create_task(forwarding.run())
    await asyncio.sleep(0.1)
    keys = sorted(state.services)
    for number in range(CHANGES):
        key = keys[number * len(keys) // CHANGES]
        service = state.services[key]
        slice_ = structs.replace(service.slices[0], endpoints=service.slices[0].endpoints[1:])
        state = NetworkState(services={**state.services, key: structs.replace(service, slices=(slice_,))})
        forwarding.done.clear()
        began = time.perf_counter()
        forwarding.update(state)
        await asyncio.wait_for(forwarding.done.wait(), 30)
        taken.append((time.perf_counter() - began) * 1000)
        nft.append(forwarding.seconds * 1000)
        sent = max(sent, forwarding.sent)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return taken, nft, sent


class Charged:
    """A control group that `nft` runs in: what the kernel keeps for it stays charged there after it has ended."""

    def __init__(self) -> None:
        name = f"wherry-bench-{os.getpid()}"
        first = Path("/sys/fs/cgroup/memory")
        self._path = (first if first.exists() else Path("/sys/fs/cgroup")) / name
        self._counter = "memory.kmem.usage_in_bytes" if first.exists() else "memory.current"

    @contextlib.contextmanager
    def group(self) -> Iterator["Charged"]:
        self._path.mkdir()
        try:
            yield self
        finally:
            for _ in range(100):  # an `nft` that was broken off may be in it still
                with contextlib.suppress(OSError):
                    self._path.rmdir()
                    break
                time.sleep(0.1)

    @property
    def enter(self) -> list[str]:
        return ["sh", "-c", f'echo $$ > {self._path}/cgroup.procs; exec "$@"', "sh"]

    def bytes(self) -> int:
        return int((self._path / self._counter).read_text())


@contextlib.contextmanager
def clients(at: Hosts, names: Sequence[str]) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """One that connects on each of these hosts, and one that listens on the hub."""
    program = [sys.executable, "-m", "tests.benchmarks.connecting"]
    for one in REAL:
        run(*at.enter(HUB), "ip", "addr", "add", f"{one}/32", "dev", "lo")
    server = subprocess.Popen([*at.enter(HUB), *program, "serve", *REAL], stdout=subprocess.PIPE, text=True)
    processes = [server]
    try:
        made = {}
        for name in names:
            made[name] = subprocess.Popen(
                [*at.enter(name), *program, "connect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            processes.append(made[name])
        assert server.stdout
        server.stdout.readline()
        yield made
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def connections(client: "subprocess.Popen[str]", address: str, port: int, count: int) -> tuple[float, list[float]]:
    """How many a second, and the microseconds of each."""
    assert client.stdin
    assert client.stdout
    client.stdin.write(f"{address} {port} {count}\n")
    client.stdin.flush()
    told = json.loads(client.stdout.readline())
    return count / told["seconds"], told["microseconds"]


def compare(at: Hosts) -> None:
    """In turns, so that what else the machine does falls on all alike."""
    ways = {"no": (REAL[0], PORT), "few": (ASKED, 80), "many": (ASKED, 80)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with clients(at, list(ways)) as made:
        for name, way in ways.items():
            connections(made[name], *way, CONNECTIONS // 10)  # warms up
        for _ in range(ROUNDS):
            for name, way in ways.items():
                rate, microseconds = connections(made[name], *way, CONNECTIONS)
                rates[name].append(rate)
                taken[name] += microseconds
    for peer, words in (("no", "no_service"), ("few", f"{FEW}_services")):
        own, other = median(rates["many"]), median(rates[peer])
        say(f"connections_through_{MANY}_services", own, "1/s", peer=words, peer_value=other)
        for name, share in (("median", 0.5), ("p99", 0.99)):
            own, other = percentile(taken["many"], share), percentile(taken[peer], share)
            say(f"connect_through_{MANY}_services_{name}", own, "us", peer=words, peer_value=other)


async def measure_rules(at: Hosts, charged: Charged) -> None:
    state = {count: NetworkState(services=services(count)) for count in (FEW, MANY)}
    few = Watched(at.enter("few"))
    await loaded(few, state[FEW])
    many = Watched([*charged.enter, *at.enter("many")])
    before = charged.bytes()
    seconds = await loaded(many, state[MANY])
    say(f"load_{MANY}_services_{MANY * ENDPOINTS}_endpoints", seconds, "s", peer="nft_alone", peer_value=many.seconds)
    say("load_sends", many.sent / 1024, "KiB")
    say("kernel_memory_charged_to_nft", (charged.bytes() - before) / MEBIBYTE, "MiB")
    taken, nft, sent = await changes(many, state[MANY])
    other, _, _ = await changes(few, state[FEW])
    say("change_one_endpoint_median", median(taken), "ms", peer="nft_alone", peer_value=median(nft))
    say("change_one_endpoint_median", median(taken), "ms", peer=f"{FEW}_services", peer_value=median(other))
    say("change_one_endpoint_p95", percentile(taken, 0.95), "ms")
    say("change_one_endpoint_sends", sent, "bytes")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    charged = Charged()
    with hosts("no", "few", "many") as at, charged.group():
        asyncio.run(measure_rules(at, charged))
        compare(at)


if __name__ == "__main__":
    main()
