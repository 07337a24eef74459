"""How fast the scheduler places pods: `--nodes N --pods P --mix basic|affinity|spread|taints|mixed`, on one core.

`…_algorithm`: decisions alone, over a snapshot that knows the nodes. Beside it, in the same run, the plainest program
that looks at every node for every pod, at room and balance alone. `…_reference`: the same on a small fleet, beside the
brute-force reference of the tests, which gives the same answers. `…_end_to_end`: from the start of the scheduler over
a cluster in which the pods are pending to the last binding committed in SQLite, with fsync. `…_with_events`: to the
last Event that tells of one. `…_of_cpu_time`: without what other programs took of the core. `…_one_more_…`: from the
commit of one more pod to that of its binding, for a template that was seen before and for a new one, on the fleet that
now holds the P pods and has come to rest. `…_resident`: of the process that holds that cluster.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reconciler.scheduler.loop import SchedulerLoop
from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from reconciler.store.changes import Create
from reconciler.store.cluster import Cluster
from reconciler.store.view import Event
from reconciler.upkeep import settle_memory
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.meta import Object
from tests.benchmarks import fleet
from tests.benchmarks.output import median, percentile, say
from tests.oracles.scheduler.reference.decide import decide
from tests.oracles.scheduler.reference.demands import Demands, whole
from tests.oracles.scheduler.reference.world import World
from tests.unit.reconciler.running import open_cluster, running

BATCH = 256
"""Pods that are decided upon together, and objects that are made in one commit."""
ONE_MORE = 41
PLAIN = 40
"""Pods that the plain loop places: enough to tell its pace."""
SMALL_NODES, SMALL_PODS = 60, 200
LIMIT = 900.0
QUIET = 1.0
"""Seconds without a commit, after which none is to come."""
PARTS = ("algorithm", "reference", "end-to-end")


def algorithm(nodes: int, pods: int, mix: str, templates: int) -> None:
    snapshot = Snapshot((*fleet.nodes(nodes), *fleet.surroundings(mix)))
    waiting = list(fleet.pods(mix, pods, templates))
    settle_memory()
    start, began = time.perf_counter(), time.process_time()
    placed = 0
    for at in range(0, pods, BATCH):
        placed += sum(bool(one.node) for one in schedule(waiting[at : at + BATCH], snapshot))
    pace, busy = pods / (time.perf_counter() - start), pods / (time.process_time() - began)
    if placed < pods:
        sys.exit(f"only {placed} of {pods} pods have room on so few nodes: give more --nodes or fewer --pods")
    peer = plain(list(fleet.nodes(nodes)), waiting)
    say(f"scheduler_{mix}_algorithm", pace, "pods/s", peer="plain_loop", peer_value=peer)
    say(f"scheduler_{mix}_algorithm_of_cpu_time", busy, "pods/s")


def plain(nodes: Sequence[Node], pods: Iterable[Pod]) -> float:
    """Pods a second of a loop over all nodes that knows of CPU and memory alone."""
    free = [[whole(node.status.allocatable)[name] for name in ("cpu", "memory")] for node in nodes]
    sizes = [tuple(one) for one in free]
    asked = [Demands(pod).requested for pod, _ in zip(pods, range(PLAIN), strict=False)]
    start = time.perf_counter()
    for one in asked:
        cpu, memory = one["cpu"], one["memory"]
        best, chosen = -1, -1
        for index, (left, room) in enumerate(free):
            if left >= cpu and room >= memory:
                size, bytes_ = sizes[index]
                score = ((left - cpu) * 100 // size + (room - memory) * 100 // bytes_) // 2
                if score > best:
                    best, chosen = score, index
        free[chosen][0] -= cpu
        free[chosen][1] -= memory
    return len(asked) / (time.perf_counter() - start)


def reference(mix: str) -> None:
    """Both on the same small fleet; they have to agree."""
    objects = (*fleet.nodes(SMALL_NODES), *fleet.surroundings(mix))
    waiting = list(fleet.pods(mix, SMALL_PODS))
    snapshot, world = Snapshot(objects), World(objects)
    start = time.perf_counter()
    ours = [one.node for one in schedule(waiting, snapshot)]
    middle = time.perf_counter()
    theirs = []
    for pod in waiting:
        theirs.append(min(decide(pod, world).best, default=""))
        if theirs[-1]:
            world.place(pod, theirs[-1])
    end = time.perf_counter()
    assert ours == theirs
    pace, plain = SMALL_PODS / (middle - start), SMALL_PODS / (end - middle)
    say(f"scheduler_{mix}_reference", pace, "pods/s", peer="brute_force_reference", peer_value=plain)


class Watched:
    """When pods are seen to be made and bound."""

    def __init__(self, cluster: Cluster) -> None:
        self.made: dict[str, float] = {}
        self.bound: dict[str, float] = {}
        self.last = 0.0
        self._more = asyncio.Event()
        cluster.cache.subscribe(self._listen)

    def _listen(self, events: Sequence[Event]) -> None:
        now = self.last = time.perf_counter()
        for event in events:
            new, old = event.new, event.old
            if not isinstance(new, Pod):
                continue
            if old is None:
                self.made[new.metadata.name] = now
            elif isinstance(old, Pod) and new.spec.node_name and not old.spec.node_name:
                self.bound[new.metadata.name] = now
        self._more.set()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(LIMIT):
            while len(self.bound) < number:
                self._more.clear()
                await self._more.wait()


async def end_to_end(nodes: int, pods: int, mix: str, templates: int, directory: Path) -> None:
    async with open_cluster(directory) as cluster:
        for chunk in _chunks((*fleet.nodes(nodes), *fleet.surroundings(mix), *fleet.pods(mix, pods, templates))):
            await cluster.apply([Create(one) for one in chunk])
        settle_memory()
        watched = Watched(cluster)
        loop = SchedulerLoop(cluster)
        start, began = time.perf_counter(), time.process_time()
        async with running(loop.run()):
            await watched.until(pods)
            say(f"scheduler_{mix}_end_to_end", pods / (time.perf_counter() - start), "pods/s")
            say(f"scheduler_{mix}_end_to_end_of_cpu_time", pods / (time.process_time() - began), "pods/s")
            await _rest(cluster)
            say(f"scheduler_{mix}_end_to_end_with_events", pods / (watched.last - start), "pods/s")
            settle_memory()
            seen = [fleet.template(mix, index % fleet.TEMPLATES) for index in range(ONE_MORE)]
            new = [fleet.template(mix, fleet.APPS + index) for index in range(ONE_MORE)]
            for name, models in (("seen", seen), ("new", new)):
                times = await _one_more(cluster, watched, models, name)
                say(f"scheduler_{mix}_one_more_{name}_template", median(times), "ms")
                say(f"scheduler_{mix}_one_more_{name}_template_p95", percentile(times, 0.95), "ms")
            say(f"scheduler_{mix}_resident", resident(), "MiB")
            say(f"scheduler_{mix}_longest_step", loop.statistics().longest_step_seconds * 1000, "ms")


async def _rest(cluster: Cluster) -> None:
    """Until nothing is written any more: the Events that tell of bindings may come after them."""
    revision = -1
    while revision != cluster.cache.revision:
        revision = cluster.cache.revision
        await asyncio.sleep(QUIET)


async def _one_more(cluster: Cluster, watched: Watched, models: Sequence[Pod], name: str) -> list[float]:
    """Milliseconds from commit to binding, one pod after another."""
    times = []
    for index, model in enumerate(models):
        one = fleet.named(model, f"{name}-{index}")
        number = len(watched.bound) + 1
        await cluster.apply((Create(one),))
        await watched.until(number)
        pod = one.metadata.name
        times.append((watched.bound[pod] - watched.made[pod]) * 1000)
    return times


def _chunks(objects: Sequence[Object]) -> Iterator[Sequence[Object]]:
    return (objects[at : at + BATCH] for at in range(0, len(objects), BATCH))


def resident() -> float:
    """Of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scheduler",
        description=__doc__,
        epilog="example: python -m tests.benchmarks.scheduler --nodes 5000 --pods 10000 --mix basic",
    )
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--mix", choices=fleet.MIXES, default="basic")
    parser.add_argument("--templates", type=int, default=0, help="of the pods (default: 5, mixed 20)")
    parser.add_argument("--part", choices=PARTS, help="this part alone (default: each in a process of its own)")
    asked = parser.parse_args()
    if asked.part is None:
        for part in PARTS:
            command = [sys.executable, "-m", "tests.benchmarks.scheduler", "--part", part, "--mix", asked.mix]
            sizes = ["--nodes", str(asked.nodes), "--pods", str(asked.pods), "--templates", str(asked.templates)]
            subprocess.run([*command, *sizes], check=True)
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    match asked.part:
        case "algorithm":
            algorithm(asked.nodes, asked.pods, asked.mix, asked.templates)
        case "reference":
            reference(asked.mix)
        case _:
            with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
                asyncio.run(end_to_end(asked.nodes, asked.pods, asked.mix, asked.templates, Path(directory)))


if __name__ == "__main__":
    main()
