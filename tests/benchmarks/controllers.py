"""The controllers under many objects: 1,000 Deployments from nothing to all bound, at rest, and one change among many.

`controllers_bound_s`: from the first commit to the last of 10,000 bindings, on a real store, with nodes that only exist
on paper; `controllers_changes_per_s` are the objects written meanwhile, `controllers_scheduler_percent` is the part of
the time in which pods were being placed. `controllers_idle_cpu_percent` is what is spent on them afterwards.
`change_*_us`: CPU for one changed object and all that follows from it, among so many others in one namespace.
`daemon_pod_changed_us`: the same for one pod of a DaemonSet that is on 1,000 nodes.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.changes import Create
from reconciler.store.cluster import Cluster
from reconciler.upkeep import settle_memory
from schemas.core.pod import Pod
from tests.benchmarks.crowd import CHANGES, Crowd, daemons, deployments, nodes, run
from tests.benchmarks.output import median, percentile, say
from tests.unit.reconciler.running import open_cluster, running

DEPLOYMENTS, PODS_EACH, NODES = 1_000, 10, 100
DAEMON_NODES = 1_000
SIZES = (1_000, 10_000, 50_000)
ROUNDS = 40
IDLE_SECONDS = 20.0
LIMIT = 900.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("bound", "change"), default="", help="measure this alone")
    asked = parser.parse_args()
    if asked.part in ("", "bound"):
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(measure_bound(Path(directory)))
    if asked.part in ("", "change"):
        for size in SIZES:
            measure_change(size)
        measure_daemons()


async def measure_bound(directory: Path) -> None:
    async with open_cluster(directory) as cluster:
        await cluster.apply([Create(one) for one in nodes(NODES)])
        settle_memory()
        loop = ControllerLoop(cluster, controllers(ControllerSettings()))
        scheduler = SchedulerLoop(cluster, made=loop.has_made)
        placing = Timed(scheduler)
        async with running(loop.run(), scheduler.run()):
            began, first = time.monotonic(), cluster.cache.revision
            spent = time.process_time()
            for one in deployments(DEPLOYMENTS, PODS_EACH):
                await cluster.apply((Create(one),))
            await all_bound(cluster, DEPLOYMENTS * PODS_EACH)
            seconds, spent = time.monotonic() - began, time.process_time() - spent
            await loop.at_rest()
            say("controllers_bound_s", seconds, "s")
            say("controllers_bound_pods_per_s", DEPLOYMENTS * PODS_EACH / seconds, "pods/s")
            say("controllers_changes_per_s", (cluster.cache.revision - first) / seconds, "changes/s")
            say("controllers_cpu_s", spent, "s")
            say("controllers_scheduler_percent", placing.seconds / seconds * 100, "%")
            say("controllers_longest_step_ms", loop.statistics().longest_step_seconds * 1000, "ms")
            while not (scheduler.idle and loop.idle):  # where pods went is told after the last of them is bound
                await asyncio.sleep(0.25)
            await asyncio.sleep(2)  # what is written behind is on its way
            spent = time.process_time()
            await asyncio.sleep(IDLE_SECONDS)
            say("controllers_idle_cpu_percent", (time.process_time() - spent) / IDLE_SECONDS * 100, "%")
            say("controllers_rss_mib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")


async def all_bound(cluster: Cluster, number: int) -> None:
    async with asyncio.timeout(LIMIT):
        while sum(bool(pod.spec.node_name) for pod in cluster.cache.list(Pod)) < number:
            await asyncio.sleep(0.25)


class Timed:
    """Seconds that the scheduler spends on deciding, told by a clock around its rounds."""

    def __init__(self, scheduler: SchedulerLoop) -> None:
        self.seconds = 0.0
        self._round = scheduler._round
        setattr(scheduler, "_round", self._timed)  # noqa: B010 - it has no seam for it, and needs none otherwise

    async def _timed(self) -> bool:
        began = time.monotonic()
        found = await self._round()
        self.seconds += time.monotonic() - began if found else 0.0
        return found


def measure_change(size: int) -> None:
    crowd = Crowd(size)
    for name, change in CHANGES.items():
        spent = []
        for number in range(ROUNDS):
            act = change(crowd, number)
            began = time.process_time()
            act()
            crowd.world.settle()
            spent.append((time.process_time() - began) * 1e6)
        say(f"change_{name}_us_of_{size}", median(spent), "us", peer="95th", peer_value=percentile(spent, 0.95))


def measure_daemons() -> None:
    world = daemons(DAEMON_NODES)
    spent = []
    for pod in world.pods()[:ROUNDS]:
        began = time.process_time()
        run(world, pod, ready=False)
        world.settle()
        spent.append((time.process_time() - began) * 1e6)
    say("daemon_pod_changed_us", median(spent), "us", peer="95th", peer_value=percentile(spent, 0.95))


if __name__ == "__main__":
    main()
