"""A node that nobody can reach, and whatever happens to it: what shall run runs, each once, and nothing else.

`WHERRY_SOAK_SECONDS` (600 in `make soak`) makes the long form: 30 pods, and as long a time of kills.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.alone import FIRST, Alone, alone, end, pod

SOAK = float(os.environ.get("WHERRY_SOAK_SECONDS", "0"))
PODS, SECONDS = (30, SOAK) if SOAK else (6, 8.0)
LIMIT = 60.0 if not SOAK else 300.0


@pytest.fixture
async def node() -> AsyncIterator[Alone]:
    async with alone() as one:
        yield one


async def test_kills_at_random_leave_each_container_running_once(node: Alone) -> None:
    node.accept([pod(number) for number in range(PODS)])
    node.start()
    await node.all_run(LIMIT)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    watcher = asyncio.create_task(_never_two(node))
    kills = await _kill_for(node, chance, SECONDS)
    calm = await _calmed(node)
    watcher.cancel()
    assert not [one for one in await asyncio.gather(watcher, return_exceptions=True) if isinstance(one, AssertionError)]
    assert calm, f"seed={seed}"
    assert kills >= 4


async def _never_two(node: Alone) -> None:
    """No container ever runs twice, whoever was killed. One that just forks is seen twice for a moment."""
    before: set[int] = set()
    while True:
        twice = {number for number, count in node.running().items() if count > 1}
        assert not twice & before, f"these ran twice: {twice & before}"
        before = twice
        await asyncio.sleep(0.2)


async def _kill_for(node: Alone, chance: random.Random, seconds: float) -> int:
    until, kills, spare = time.monotonic() + seconds, 0, PODS
    while time.monotonic() < until:
        kind = chance.choice(["container", "container", "shim", "containerd", "agent", "agent away", "other pods"])
        if kind == "container" and (pids := node.pids()):
            end(chance.choice(pids))
        elif kind == "shim" and (shims := node.shims()):
            end(chance.choice(shims))
        elif kind == "containerd" and (pid := node.own.pid()):
            end(pid)
        elif kind == "agent":
            node.kill_agent()
            node.start()
        elif kind in ("agent away", "other pods"):
            node.kill_agent()
            if kind == "other pods":  # it took on a change, and was killed before it did anything
                kept = [body.pod for body in node.accepted.pods.values()]
                kept.remove(chance.choice(kept))
                node.accept([*kept, pod(spare)])
                spare += 1
            if pids := node.pids():
                end(chance.choice(pids))
            await asyncio.sleep(chance.random())
            node.start()
        kills += 1
        await asyncio.sleep(chance.random() * 1.5)
    return kills


async def _calmed(node: Alone) -> bool:
    """An agent that is started again has forgotten all back-off, and tries at once."""
    node.kill_agent()
    node.start()
    await node.all_run(LIMIT)
    async with asyncio.timeout(LIMIT):  # the sandbox of a pod that was taken away goes after its containers
        while sorted(one.uid for one in await node.runtime.list_sandboxes() if one.ready) != sorted(node.accepted.pods):
            await asyncio.sleep(0.2)
    return True


async def test_a_power_cut_at_any_moment_is_followed_by_a_boot_with_all_pods(node: Alone) -> None:
    """Without a broker, from what is on the disk; also where a file was only half written."""
    cuts = 6 if SOAK else 2
    node.accept([pod(number) for number in range(4)])
    node.start()
    await node.all_run(LIMIT)
    for cut in range(cuts):
        await node.cut_power()
        leftover = node.data / "accepted" / f"{cut:032x}.body.new"
        leftover.write_bytes(b"half of a bo")
        node.accept([*(body.pod for body in node.accepted.pods.values()), pod(10 + cut)])
        node.start()
        if cut < cuts - 1:  # in the midst of starting what was added
            await asyncio.sleep(random.random() * 3)
    await node.all_run(LIMIT)
    assert not list((node.data / "accepted").glob("*.new"))
    ready = [one for one in await node.runtime.list_sandboxes() if one.ready]
    assert len(ready) == len(node.accepted.pods)


async def test_a_full_disk_stops_nothing_and_an_agent_starts_on_it(node: Alone) -> None:
    """Pods that the node may not evict for the sake of its disk."""
    critical: dict[str, object] = {"priority": 2_000_001_000, "priorityClassName": "system-node-critical"}
    node.accept([pod(number, **critical) for number in range(3)])
    node.start()
    await node.all_run(LIMIT)
    before = set(node.pids())
    ballast = node.directory / "ballast"
    _fill(ballast)
    node.kill_agent()
    node.start()
    await node.until(lambda: "condition=DiskPressure" in node.said(), LIMIT, "the node says that its disk is full")
    victim = next(pid for pid in node.pids() if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0%d\0" % FIRST))
    _fill(ballast)  # what the agent has made room in
    end(victim)
    await node.until(lambda: victim not in node.pids(), LIMIT, "the container is dead")
    ballast.unlink()
    await node.all_run(LIMIT)
    assert before - {victim} <= set(node.pids())


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
