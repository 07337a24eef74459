"""10,000 objects in 2,500 files: one file changed, and nothing changed.

`resync_changed_ms`: from the rename of the changed file to the commit in the store. `resync_unchanged_ms`: a pass over
the whole folder, as after lost events or at the periodic rescan, with nothing to do; `resync_touched_ms`: the same
after a file was written again as it was. Beside them, in the same run, what the plainest program would do: walk the
folder and take the state of each file, and load the one file with PyYAML's C loader.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from reconciler.store.view import Event
from reconciler.upkeep import settle_memory
from tests.benchmarks.output import median, say
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_map, syncing

FILES, EACH = 2_500, 4
ROUNDS = 21
FOLDERS = 50
SETTLED_SECONDS = 2.5
"""After it what was read is remembered on disk, and no file is so young any more that it is read again: the moments
at which that is so show nowhere, so that it has to be a time."""


def place(file: int) -> str:
    return f"team-{file % FOLDERS}/{file}.yaml"


def manifest(file: int, value: str = "1") -> str:
    return "---\n".join(config_map(f"c-{file}-{number}", value) for number in range(EACH))


def store_bytes(data: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file below."""
    found = ((path, path.stat()) for path in data.rglob("*") if path.is_file())
    return {str(path): (state.st_size, state.st_mtime_ns) for path, state in found}


def written(data: Path, before: dict[str, tuple[int, int]]) -> int:
    """Bytes of the files that changed, as a whole."""
    return sum(state[0] for path, state in store_bytes(data).items() if before.get(path) != state)


def walked(folder: Path) -> float:
    """Milliseconds for the state of every file."""
    began = time.perf_counter()
    for root, _, files in os.walk(folder):
        for file in files:
            os.stat(os.path.join(root, file))
    return (time.perf_counter() - began) * 1000


def loaded(path: Path) -> float:
    began = time.perf_counter()
    list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    return (time.perf_counter() - began) * 1000


async def changed(lab: Lab, file: int, value: str) -> float:
    """Milliseconds from the rename to the commit."""
    committed = asyncio.get_running_loop().create_future()

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            if event.object.metadata.name == f"c-{file}-0" and not committed.done():
                committed.set_result(time.perf_counter())

    end = lab.cluster.cache.subscribe(listen)
    path = lab.folder / place(file)
    temporary = path.with_name(".next")
    temporary.write_text(manifest(file, value))
    began = time.perf_counter()
    temporary.rename(path)
    done = float(await asyncio.wait_for(committed, 30))
    end()
    return (done - began) * 1000


async def passed(lab: Lab, reason: Callable[[], object]) -> float:
    """Milliseconds of the pass for which there is a reason, without the 10 for which reasons are gathered.

    As the sync itself measures it: to look whether it is over, again and again, would keep its threads waiting.
    """
    before = lab.sync.status.counts.passes
    reason()
    while lab.sync.status.counts.passes == before:
        await asyncio.sleep(0.2)
    return lab.sync.status.last_pass_seconds * 1000


async def measure(directory: Path) -> None:
    folder, data = directory / "manifests", directory / "data"
    for file in range(FILES):
        path = folder / place(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest(file))
    async with cluster_in(data) as cluster, syncing(cluster, folder, memory=data / "manifests.json") as lab:
        await lab.until(lambda: len(cluster.cache) >= FILES * EACH and lab.sync.idle, 120)
        settle_memory()
        some = range(0, FILES, FILES // ROUNDS)
        edits = [await changed(lab, file, "2") for file in some]
        again = await changed(lab, 0, "3")
        assert again
        say("resync_changed_ms", median(edits), "ms", peer="yaml_of_the_file", peer_value=loaded(folder / place(0)))
        await asyncio.sleep(SETTLED_SECONDS)
        await passed(lab, lab.sync.look_at_all)
        before, revision = store_bytes(data), cluster.store.revision
        whole = [await passed(lab, lab.sync.look_at_all) for _ in range(ROUNDS)]
        peer = median([walked(folder) for _ in range(ROUNDS)])
        say("resync_unchanged_ms", median(whole), "ms", peer="os_walk_and_stat", peer_value=peer)
        touched = [await passed(lab, (folder / place(file)).touch) for file in some]
        say("resync_touched_ms", median(touched), "ms", peer="os_walk_and_stat", peer_value=peer)
        await asyncio.sleep(SETTLED_SECONDS)  # what there was to write would have been written
        assert cluster.store.revision == revision
        say("resync_unchanged_written_bytes", written(data, before), "bytes")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
        asyncio.run(measure(Path(directory)))


if __name__ == "__main__":
    main()
