"""A store whose process is killed at any moment keeps all that it has acknowledged."""

import asyncio
import itertools
import multiprocessing
import os
import random
import select
import signal
import time
from pathlib import Path

from reconciler.store.interface import Put, Remove
from reconciler.store.sqlite import SqliteStore

ROUNDS = 15


def commit_for_ever(path: Path, pipe: int) -> None:
    """Several writers at once; each acknowledged commit is a line: revision, key, value, durable."""

    async def write(store: SqliteStore, writer: int) -> None:
        for i in itertools.count():
            key, durable = f"w/{writer}/{i % 5}", i % 3 > 0
            value = f"{os.getpid()}-{i}" if i % 7 else ""
            operation = Put(key, value.encode() * 50, durable=durable) if value else Remove(key, durable=durable)
            revision = await store.commit([operation, Put(f"{key}/twin", value.encode(), durable=durable)])
            os.write(pipe, f"{revision} {key} {value or '-'} {int(durable)}\n".encode())
            if i % 50 == 49:
                await store.flush()

    async def main() -> None:
        store = await SqliteStore.open(path)
        await asyncio.gather(*(write(store, writer) for writer in range(4)))

    asyncio.run(main())


def lines_until_killed(path: Path, seconds: float) -> list[str]:
    reader, writer = os.pipe()
    child = multiprocessing.get_context("fork").Process(target=commit_for_ever, args=(path, writer))
    child.start()
    os.close(writer)
    received, kill_at = b"", None
    while True:
        now = time.monotonic()
        if kill_at and now >= kill_at and child.is_alive() and child.pid:
            os.kill(child.pid, signal.SIGKILL)
        ready, _, _ = select.select([reader], [], [], max(0.0, kill_at - now) if kill_at and now < kill_at else 10)
        assert ready or kill_at, "the child has committed nothing"
        if ready:
            data = os.read(reader, 1 << 16)
            if not data:
                break
            received += data
            if kill_at is None and b" 1\n" in received:
                kill_at = time.monotonic() + seconds
    os.close(reader)
    child.join(10)
    child.close()
    return received.decode().splitlines()


async def test_every_acknowledged_durable_commit_outlives_kill_nine(tmp_path: Path) -> None:
    path, chance = tmp_path / "store.db", random.Random(7)
    newest = 0
    for _ in range(ROUNDS):
        acknowledged: dict[str, tuple[int, str]] = {}
        before = newest
        for line in await asyncio.to_thread(lines_until_killed, path, chance.uniform(0, 0.06)):
            revision, key, value, durable = line.split()
            assert int(revision) > before
            newest = max(newest, int(revision))
            if durable == "1":
                acknowledged[key] = (int(revision), value)
        assert acknowledged
        store = await SqliteStore.open(path)
        for key, (written_at, value) in acknowledged.items():
            # A later commit of this key may have been written too: acknowledged or not, durable or flushed.
            entry, twin = await store.get(key), await store.get(f"{key}/twin")
            assert twin is not None
            assert twin.modified >= written_at
            if twin.modified == written_at:
                assert twin.value.decode() == ("" if value == "-" else value)
            assert (entry.value if entry else b"") == twin.value * 50
        assert await store.commit([Put("next", str(newest).encode())]) > newest
        newest = store.revision
        await store.close()
