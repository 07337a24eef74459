"""From the death of a container to the start of the next one, against two calls over CRI as soon as it is killed."""

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

from nodeagent.runtime.interface import ContainerConfig, SandboxConfig
from tests.benchmarks.output import end_in_order, median, percentile, say
from tests.lab.alone import FIRST, Alone, alone, pod
from tests.lab.containerd import BUSYBOX

ROUNDS = 20
PAUSE = 0.5
"""Seconds between two deaths."""
LIMIT = 30.0


SETTLE = 3.0
"""Seconds for the reports of all that has just started, which are no part of a restart."""


async def restarted(node: Alone, number: int) -> float:
    """Milliseconds until the next container has started, by containerd's clock. Each pod dies once: no back-off yet."""
    before = {one.id for one in await node.runtime.list_containers()}
    pid = next(one for one in node.pids() if _argument(one) == str(FIRST + number))
    began = time.time()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(LIMIT):
        while True:
            found = [one for one in await node.runtime.list_containers() if one.id not in before and one.started_at]
            if found and found[0].started_at:
                return (found[0].started_at.timestamp() - began) * 1000
            await asyncio.sleep(0.3)  # so seldom that it does not disturb


def _argument(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
    except OSError:
        return ""


async def by_hand(node: Alone) -> list[float]:
    """Milliseconds from the death of a container to the start of the next by one who knows of it at once."""
    image = await node.runtime.image_id(BUSYBOX)
    assert image is not None
    logs = node.directory / "bench-logs"
    logs.mkdir()
    config = SandboxConfig(uid="bench", namespace="d", name="bench", attempt=0, hostname="bench", log_directory=logs)
    sandbox = await node.runtime.run_sandbox(config)

    async def start(number: int) -> str:
        command = ("sleep", str(FIRST + number))
        container = ContainerConfig(
            name="main", attempt=number, image=image.id, command=command, log_path=f"{number}.log"
        )
        made = await node.runtime.create_container(sandbox.id, container, config)
        await node.runtime.start_container(made)
        return made

    taken = []
    await start(0)
    for number in range(1, ROUNDS + 1):
        await asyncio.sleep(PAUSE)
        pid = next(one for one in node.pids() if _argument(one) == str(FIRST + number - 1))
        began = time.time()
        os.kill(pid, signal.SIGKILL)
        made = await start(number)
        found = next(one for one in await node.runtime.list_containers(sandbox.id) if one.id == made)
        assert found.started_at
        taken.append((found.started_at.timestamp() - began) * 1000)
    await node.runtime.remove_sandbox(sandbox.id)
    return taken


async def measure() -> None:
    async with alone() as node:
        peer = await by_hand(node)
        node.accept([pod(number) for number in range(ROUNDS)])
        node.start()
        await node.all_run(120)
        await asyncio.sleep(SETTLE)
        taken = []
        for number in range(ROUNDS):
            taken.append(await restarted(node, number))
            await asyncio.sleep(PAUSE)
    say("crash_to_restarted_median_ms", median(taken), "ms", peer="cri_calls", peer_value=median(peer))
    say("crash_to_restarted_p95_ms", percentile(taken, 0.95), "ms", peer="cri_calls", peer_value=percentile(peer, 0.95))


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    end_in_order()
    asyncio.run(measure())


if __name__ == "__main__":
    main()
