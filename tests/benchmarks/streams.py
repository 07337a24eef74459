"""How long 100 calls take that are made at once: `echo` in a container, over the link and straight on the runtime.

    python -m tests.benchmarks.streams

Needs root, containerd and Mosquitto. Prints one line of JSON: median and 99th percentile in seconds, of a call over
HTTP, broker and agent (`link`), and of the same process started on the same containerd without them (`runtime`).
"""

import asyncio
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import yaml

from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import Streams
from tests.lab.containerd import images
from tests.lab.fleet import API_PORT, Fleet
from tests.lab.network import HUB
from tests.waiting import eventually

CALLS = 100
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "busy", "namespace": "default"},
    "spec": {
        "nodeName": "a",
        "containers": [{"name": "main", "image": "wherry.local/busybox:1", "command": ["sleep", "100000"]}],
        "terminationGracePeriodSeconds": 0,
    },
}


async def timed(call: Callable[[], Awaitable[None]]) -> dict[str, float]:
    async def one() -> float:
        began = time.perf_counter()
        await call()
        return time.perf_counter() - began

    await one()  # connections are made, and modules imported
    began = time.perf_counter()
    seconds = sorted(await asyncio.gather(*(one() for _ in range(CALLS))))
    return {
        "median": round(statistics.median(seconds), 3),
        "p99": round(seconds[int(len(seconds) * 0.99) - 1], 3),
        "all": round(time.perf_counter() - began, 3),
    }


async def over_the_link(kubeconfig: Path) -> dict[str, float]:
    """From within the hub's network, as kubectl calls: one WebSocket each."""
    token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    query = "command=echo&command=hi&stdout=true&stderr=true"
    url = f"https://127.0.0.1:{API_PORT}/api/v1/namespaces/default/pods/busy/exec?{query}"
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {token}"}) as session:

        async def call() -> None:
            async with session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
                heard = [await socket.receive_bytes(), await socket.receive_bytes()]
                assert heard == [b"\x01hi\n", b'\x03{"metadata":{},"status":"Success"}'], heard

        return await timed(call)


async def on_the_runtime(address: Path) -> dict[str, float]:
    """From within the node's network: containerd serves streams on its loopback."""
    runtime = CriRuntime(address, "a")
    try:
        (container,) = [one.id for one in await runtime.list_containers() if one.name == "main"]

        async def call() -> None:
            session = await runtime.exec_session(container, ["echo", "hi"], Streams(stdout=True, stderr=True))
            heard = [piece async for piece in session.output()]
            session.close()
            assert heard == [(1, b"hi\n")], heard

        return await timed(call)
    finally:
        runtime.close()


def measure(fleet: Fleet, machine: str, part: str, argument: Path) -> dict[str, float]:
    done = fleet.network_of(machine, [sys.executable, "-m", "tests.benchmarks.streams", part, str(argument)])
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    if len(sys.argv) == 3:
        part = over_the_link if sys.argv[1] == "link" else on_the_runtime
        print(json.dumps(asyncio.run(part(Path(sys.argv[2])))))
        return
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
        fleet = Fleet(Path(directory) / "fleet", ["a"], images())
        try:
            fleet.start()
            fleet.write("busy.yaml", POD)
            eventually(lambda: fleet.ready_pods(), 30, "the pod is Ready")
            found = {
                "calls": CALLS,
                "link": measure(fleet, HUB, "link", fleet.directory / "hub" / "kubeconfig"),
                "runtime": measure(fleet, "a", "runtime", fleet.directory / "a" / "containerd" / "c.sock"),
            }
        finally:
            fleet.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
