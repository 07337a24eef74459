"""The front door under load: a list of 10,000 pods as JSON and as Table, and 1,000 watches with 200 writes a second.

The reconciler is a process of its own, as always. The peer of the lists is msgspec encoding the very same list in this
process, with nothing else around it. A change counts as late from the moment its request was sent, which is before it
was committed, to the moment the last of the watches had all of it.
"""

import asyncio
import json
import re
import resource
import ssl
import tempfile
import time
from bisect import bisect_left
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from reconciler.store.changes import Create
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.core.pod import Pod
from schemas.defaults import defaulted
from tests.benchmarks.output import median, percentile, say
from tests.oracles.kubernetes.wherry import TOKENS, Wherry

PODS, BATCH, RUNS = 10_000, 500, 5
WATCHES, CLIENTS, WRITES_PER_SECOND, SECONDS = 1_000, 20, 200, 10
MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MIB = 1024 * 1024
_HEAD = f"Host: localhost\r\nAuthorization: Bearer {TOKENS['admin']}\r\n"


class _List(msgspec.Struct):
    items: list[Pod]


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        wherry = Wherry(Path(folder))
        asyncio.run(fill(Path(folder) / "reconciler"))
        try:
            wherry.start(nodes=())
            lists(wherry)
            asyncio.run(watches(wherry))
        finally:
            wherry.stop()


async def fill(data: Path) -> None:
    """Pods that no scheduler places."""
    data.mkdir()
    cluster = await Cluster.open(
        await SqliteStore.open(data / "store.db"),
        clock=lambda: datetime.now(UTC),
        admit=lambda object_, _: defaulted(object_),
    )
    for first in range(0, PODS, BATCH):
        await cluster.apply([Create(_pod(number)) for number in range(first, first + BATCH)])
    await cluster.close()


def _pod(number: int) -> Pod:
    container: dict[str, Any] = {
        "name": "server",
        "image": "registry.example/shop/server:v1",
        "env": [{"name": "PORT", "value": "8080"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    metadata = {"name": f"pod-{number:05}", "namespace": "default", "labels": {"app": f"app-{number % 100}"}}
    spec = {"schedulerName": "nobody", "containers": [container]}
    return msgspec.convert({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, Pod)


def lists(wherry: Wherry) -> None:
    before = wherry.resident_bytes()
    wherry.forget_peak()
    body = b""
    for form, accept in (("JSON", "application/json"), ("Table", TABLE)):
        taken = []
        for _ in range(RUNS):
            began = time.perf_counter()
            answer = wherry.call("GET", "/api/v1/pods", headers={"Accept": accept})
            taken.append(time.perf_counter() - began)
        body = answer.body if form == "JSON" else body
        say(f"list of {PODS} pods as {form}", median(taken) * 1000, "ms", peer="msgspec alone", peer_value=_alone(body))
    say("reconciler's resident memory before the lists", before / MIB, "MiB")
    say("reconciler's resident memory while serving them, at most", wherry.peak_bytes() / MIB, "MiB")


def _alone(body: bytes) -> float:
    found = msgspec.json.decode(body, type=_List)
    assert len(found.items) == PODS
    began = time.perf_counter()
    msgspec.json.encode(found)
    return (time.perf_counter() - began) * 1000


class _Watch(asyncio.Protocol):
    """Counts the changes that came, and when: `came[i]` is how many there were at `at[i]`."""

    def __init__(self, path: str) -> None:
        self.came, self.at = [0], [0.0]
        self._path, self._tail = path, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"GET {self._path} HTTP/1.1\r\n{_HEAD}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        data = self._tail + data
        self._tail = data[-1:]
        if count := data.count(b"}\n"):
            self.came.append(self.came[-1] + count)
            self.at.append(time.perf_counter())


async def watches(wherry: Wherry) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    host, _, port = wherry.server.replace("[", "").replace("]", "").rpartition(":")
    loop = asyncio.get_running_loop()
    made_maps = [wherry.done("POST", MAPS, {"metadata": {"name": f"written-{each}"}}) for each in range(CLIENTS)]
    revision = made_maps[-1]["metadata"]["resourceVersion"]
    path = f"{MAPS}?watch=1&resourceVersion={revision}"
    open_: list[_Watch] = []
    for _ in range(0, WATCHES, 20):
        made = await asyncio.gather(
            *(loop.create_connection(lambda: _Watch(path), host, int(port), ssl=tls) for _ in range(20))
        )
        open_ += [watch for _, watch in made]
    sent = await _write(host, int(port), tls)
    async with asyncio.timeout(60):
        while any(watch.came[-1] < len(sent) for watch in open_):
            await asyncio.sleep(0.05)
    late = [max(watch.at[bisect_left(watch.came, k)] for watch in open_) - began for k, began in enumerate(sent, 1)]
    rate = len(sent) / (max(sent) - min(sent))
    name = f"{WATCHES} watches, {rate:.0f} writes a second: delay to the last watch"
    say(f"{name}, median", median(late) * 1000, "ms")
    say(f"{name}, 99th percentile", percentile(late, 0.99) * 1000, "ms")
    say("reconciler's resident memory with the watches", wherry.resident_bytes() / MIB, "MiB")


async def _write(host: str, port: int, tls: ssl.SSLContext) -> list[float]:
    """Some clients in turn, an object each; when each request was sent, in the order of the changes."""
    began = time.perf_counter()
    written = await asyncio.gather(*(_write_some(began, first, host, port, tls) for first in range(CLIENTS)))
    return [sent for _, sent in sorted(each for some in written for each in some)]


async def _write_some(began: float, first: int, host: str, port: int, tls: ssl.SSLContext) -> list[tuple[int, float]]:
    """Revision and time of each."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    done: list[tuple[int, float]] = []
    for number in range(first, WRITES_PER_SECOND * SECONDS, CLIENTS):
        await asyncio.sleep(began + number / WRITES_PER_SECOND - time.perf_counter())
        body = json.dumps({"data": {"number": str(number)}}).encode()
        head = f"PATCH {MAPS}/written-{first} HTTP/1.1\r\n{_HEAD}Content-Type: application/merge-patch+json\r\n"
        sent = time.perf_counter()
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        found = re.search(rb"(?i)content-length: (\d+)", answer)
        assert found is not None
        object_ = json.loads(await reader.readexactly(int(found.group(1))))
        done.append((int(object_["metadata"]["resourceVersion"]), sent))
    writer.close()
    return done


if __name__ == "__main__":
    main()
