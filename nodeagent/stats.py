"""What the node and its containers use, told at intervals while there is a link.

CPU is a sum that grows; its use is the difference of two looks at it over the time between them.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nodeagent.link import Link
from nodeagent.machine.parsing import parse_meminfo
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.interface import ContainerUsage, Runtime, RuntimeFailure
from schemas.messages import MetricsBatch, PodUsage, Usage

log = logging.getLogger(__name__)

NANOSECONDS = 10**9


class Look(msgspec.Struct, frozen=True):
    """One look at the sums: `at` is monotonic, in seconds; `containers` are by id."""

    at: float
    node_nanoseconds: int
    node_memory: int
    containers: Mapping[str, ContainerUsage]


def batch(
    epoch: int, taken_at: datetime, before: Look, now: Look, owners: Mapping[str, tuple[str, str]]
) -> MetricsBatch:
    """What was used between two looks. `owners`: the pod's uid and the container's name, by the container's id.

    A container that was not there at the first look, or whose sum fell, is told at the next one.
    """
    window = now.at - before.at
    pods: dict[str, dict[str, Usage]] = {}
    for id_, usage in now.containers.items():
        old, owner = before.containers.get(id_), owners.get(id_)
        if old is None or owner is None:
            continue
        seconds = (usage.taken_at - old.taken_at).total_seconds()
        spent = usage.cpu_nanoseconds - old.cpu_nanoseconds
        if seconds > 0 and spent >= 0:
            uid, name = owner
            pods.setdefault(uid, {})[name] = Usage(round(spent / seconds), usage.memory_bytes)
    node = Usage(_rate(now.node_nanoseconds - before.node_nanoseconds, window), now.node_memory)
    return MetricsBatch(
        epoch=epoch,
        taken_at=taken_at,
        window_seconds=round(window, 3),
        node=node,
        pods=tuple(PodUsage(uid, containers) for uid, containers in pods.items()),
    )


def parse_stat(text: str, ticks_per_second: int) -> int:
    """Nanoseconds in which a CPU was busy since the boot, from `/proc/stat`: all but idle and waiting for disks."""
    words = text.partition("\n")[0].split()
    if len(words) < 8 or words[0] != "cpu":
        return 0
    user, nice, system, _idle, _waiting, interrupt, soft = map(int, words[1:8])
    return (user + nice + system + interrupt + soft) * NANOSECONDS // ticks_per_second


def parse_memory_in_use(text: str) -> int:
    """Bytes that are not to be had without taking them from someone, from `/proc/meminfo`."""
    memory = parse_meminfo(text)
    return max(0, memory.get("MemTotal", 0) - memory.get("MemAvailable", 0))


class Stats:
    """Looks every so many seconds while the link is up, and tells what was used since the look before."""

    def __init__(
        self, runtime: Runtime, link: Link, workers: PodWorkers, seconds: float, *, always: bool = False
    ) -> None:
        """`always`: without a link, too, for somebody else asks as well."""
        self._runtime, self._link, self._workers, self._seconds = runtime, link, workers, seconds
        self._always = always
        self._before: Look | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._tell()
            await asyncio.sleep(self._seconds)

    async def _tell(self) -> None:
        if not self._link.connected and not self._always:
            self._before = None
            return
        try:
            usages = await self._runtime.usage()
        except RuntimeFailure as error:
            log.debug("no metrics from the runtime error=%s", error)  # that it is away is said elsewhere
            usages = ()
        now = Look(
            asyncio.get_running_loop().time(),
            parse_stat(_text("/proc/stat"), os.sysconf("SC_CLK_TCK")),
            parse_memory_in_use(_text("/proc/meminfo")),
            {usage.container_id: usage for usage in usages},
        )
        if self._before is not None:
            self._link.metrics(batch(self._link.epoch, datetime.now(UTC), self._before, now, self.owners()))
        self._before = now

    @property
    def last(self) -> Look | None:
        """What was seen last, where anything was."""
        return self._before

    def owners(self) -> dict[str, tuple[str, str]]:
        """The pod's uid and the container's name, by the container's id."""
        return {
            attempt.id: (uid, name)
            for uid, state in self._workers.states.items()
            for name, attempts in state.observed.containers.items()
            for attempt in attempts
        }


def _rate(nanoseconds: int, seconds: float) -> int:
    return round(max(0, nanoseconds) / seconds) if seconds > 0 else 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
