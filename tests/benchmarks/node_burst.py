"""20 and 100 pods at once until the last one runs, against bare CRI calls side by side; and a boot to 30 pods.

All in one containerd, one after the other. The boot begins with the start of the agent's process on a node whose
containers are gone, with no broker: containerd has to start, too.
"""

import argparse
import asyncio
import time

from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.interface import ContainerConfig, SandboxConfig
from tests.benchmarks.output import end_in_order, say
from tests.lab.alone import FIRST, Alone, alone, pod
from tests.lab.containerd import BUSYBOX
from tests.unit.nodeagent.pods.builders import Recorder, accepted

BURSTS = (20, 100)
BOOT = 30
AT_ONCE = 10
"""Sandboxes that are made side by side by hand, as by the agent."""
LIMIT = 300.0


async def by_hand(node: Alone, count: int) -> float:
    """Seconds until the last of so many containers has started."""
    image = await node.runtime.image_id(BUSYBOX)
    assert image is not None
    gate = asyncio.Semaphore(AT_ONCE)
    logs = node.directory / "bench-logs"

    async def one(number: int) -> None:
        name = f"bench-{count}-{number}"
        folder = logs / name
        folder.mkdir(parents=True)
        config = SandboxConfig(uid=name, namespace="d", name=name, attempt=0, hostname=name, log_directory=folder)
        command = ("sleep", str(FIRST + 10_000 + number))
        container = ContainerConfig(name="main", attempt=0, image=image.id, command=command, log_path="0.log")
        async with gate:
            sandbox = await node.runtime.run_sandbox(config)
            made = await node.runtime.create_container(sandbox.id, container, config)
            await node.runtime.start_container(made)

    async def remove(sandbox_id: str) -> None:
        async with gate:
            await node.runtime.remove_sandbox(sandbox_id)

    began = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(count)))
    taken = time.monotonic() - began
    await asyncio.gather(*(remove(sandbox.id) for sandbox in await node.runtime.list_sandboxes()))
    return taken


async def through_the_workers(node: Alone, count: int) -> float:
    """Seconds from the acceptance of so many pods by workers in this process."""
    directories = Directories(node.directory / "bench-data", node.run, node.directory / "bench-logs")
    facts = NodeFacts(name="bench", addresses=("127.0.0.1",), memory_capacity=1 << 34)
    told = Recorder()
    workers = PodWorkers(node.runtime, told, directories=directories, node=facts)
    running = asyncio.create_task(workers.run())
    try:
        began = time.time()
        workers.accept(accepted([pod(number) for number in range(count)]))
        async with asyncio.timeout(LIMIT):
            while sum(status.phase == "Running" for status in told.statuses.values()) < count:
                await asyncio.sleep(0.1)
        found = await node.runtime.list_containers()
        workers.accept(accepted([]))
        await node.until(lambda: not workers.statistics().workers, LIMIT, "nothing is left of the pods")
    finally:  # else they would make again what is being cleaned up
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return max(one.started_at.timestamp() for one in found if one.started_at) - began


async def _until_running(node: Alone) -> float:
    began = time.time()
    node.start()
    while node.running() != node.wanted():
        await asyncio.sleep(1)  # to look costs much; what is measured is told by containerd
    found = await node.runtime.list_containers()
    return max(one.started_at.timestamp() for one in found if one.started_at) - began


async def measure() -> None:
    async with alone() as node:
        for count in BURSTS:
            peer = await by_hand(node, count)
            say(
                f"burst_{count}_pods_seconds",
                await through_the_workers(node, count),
                "s",
                peer="cri_calls",
                peer_value=peer,
            )
        node.accept([pod(number) for number in range(BOOT)])
        node.start()
        await node.all_run(LIMIT)
        await node.cut_power()
        say(f"boot_to_{BOOT}_pods_seconds", await _until_running(node), "s")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    end_in_order()
    asyncio.run(measure())


if __name__ == "__main__":
    main()
