"""A real cluster over a real store, with loops that run on it, for as long as a test lasts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.admission import AdmissionSettings, admission
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore


@asynccontextmanager
async def open_cluster(folder: Path) -> AsyncIterator[Cluster]:
    store = await SqliteStore.open(folder / "store.db")
    cluster = await Cluster.open(store, clock=lambda: datetime.now(UTC), admit=admission(AdmissionSettings()))
    try:
        yield cluster
    finally:
        await cluster.close()


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], cluster: Cluster, seconds: float = 60) -> None:
    """Waits until the condition holds, looking again at each commit."""
    changed = asyncio.Event()
    end = cluster.cache.subscribe(lambda _: changed.set())
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                changed.clear()
                await changed.wait()
    finally:
        end()
