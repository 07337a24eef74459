"""Manifests as text, and a sync over the real store, cache and inotify."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.manifests.prune import Limits
from reconciler.manifests.sync import ManifestSync
from reconciler.store.cluster import Cluster
from reconciler.store.sqlite import SqliteStore
from schemas.defaults import defaulted
from schemas.meta import Ref
from tests.waiting import PATIENCE

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def config_map(name: str, value: str = "1", namespace: str = "") -> str:
    place = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{place}}}\ndata: {{value: '{value}'}}\n"


def namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


def deployment(name: str, image: str = "web:1", replicas: int | None = 2, extra: str = "") -> str:
    counted = "" if replicas is None else f"  replicas: {replicas}\n"
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n{counted}"
        f"  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n      containers:\n        - name: main\n          image: {image}\n{extra}"
    )


def config_ref(name: str, namespace: str = "default") -> Ref:
    return Ref("ConfigMap", namespace, name)


class Lab:
    """A folder, a cluster, and the sync between them."""

    def __init__(self, cluster: Cluster, folder: Path, sync: ManifestSync) -> None:
        self.cluster, self.folder, self.sync = cluster, folder, sync

    def write(self, file: str, text: str) -> None:
        """As editors and git do: a new file, moved over the old one."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text)
        temporary.rename(path)

    def value(self, name: str, namespace: str = "default") -> str | None:
        live: Any = self.cluster.cache.find(config_ref(name, namespace))
        return live.data["value"] if live else None

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Waits for events of the cluster and of the folder to make it so; `seconds` are those of a quiet machine."""
        async with asyncio.timeout(seconds * PATIENCE):
            while not condition():
                await asyncio.sleep(0.002)

    async def pass_after(self, action: Callable[[], object]) -> None:
        """Does something, and waits for the pass that sees it."""
        before = self.sync.status.counts.passes
        action()
        await self.until(lambda: self.sync.status.counts.passes > before)


@asynccontextmanager
async def cluster_in(directory: Path) -> AsyncIterator[Cluster]:
    directory.mkdir(exist_ok=True)
    store = await SqliteStore.open(directory / "store.db")
    cluster = await Cluster.open(store, clock=now, admit=lambda object_, _: defaulted(object_))
    try:
        yield cluster
    finally:
        await cluster.close()


@asynccontextmanager
async def syncing(
    cluster: Cluster, folder: Path, *, memory: Path | None = None, limits: Limits | None = None
) -> AsyncIterator[Lab]:
    sync = ManifestSync(cluster, folder, clock=now, memory=memory, limits=limits)
    task = asyncio.create_task(sync.run(), name="manifests")
    lab = Lab(cluster, folder, sync)
    try:
        await lab.until(lambda: sync.status.counts.passes or task.done(), 30)
        yield lab
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def now() -> datetime:
    return datetime.now(UTC)
