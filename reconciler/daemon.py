"""The reconciler as a process: opens the store, joins the rooms, and ends in good order."""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from reconciler import box as boxes
from reconciler.admission import AdmissionSettings, admission
from reconciler.api import kubeconfig
from reconciler.api.auth import load_token
from reconciler.api.server import ApiServer
from reconciler.box import Box
from reconciler.config import Config, load_config, split_address
from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.link.broker import embedded_broker
from reconciler.link.link import Link, Settings
from reconciler.manifests.prune import Limits
from reconciler.manifests.sync import ManifestSync
from reconciler.metrics import registry
from reconciler.overview import overview
from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.changes import AlreadyExists, Create
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.sqlite import SqliteStore
from reconciler.store.view import View
from schemas.configuration import BadConfiguration, BrokerAddress
from schemas.core.config import Namespace
from schemas.daemon import AlreadyRunning, ended, lock, log_to, stop_process, stop_signal
from schemas.meta import Object, ObjectMeta

log = logging.getLogger(__name__)

VERSION = version("wherry")
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
FLUSH_SECONDS = 60.0
"""Status that agents hold anyway reaches the disk this late."""
AGENT_RETRY_SECONDS = (1.0, 30.0)


def main() -> None:
    """Entry point of `reconciler`."""
    parser = argparse.ArgumentParser(
        prog="reconciler",
        description="The brain of a Wherry cluster.",
        epilog="example:\n  reconciler --config /etc/wherry/reconciler.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    log_to(None, as_json=arguments.log_format == "json")
    try:
        config = load_config(arguments.config)
        asyncio.run(serve(config, config.data / "kubeconfig"))
    except (BadConfiguration, AlreadyRunning, StoreError, OSError) as error:
        print(f"reconciler: {error}", file=sys.stderr)
        sys.exit(1)


def run_box(box: Box) -> None:
    """The reconciler of `wherry up`, with the node agent beside it as a process of its own."""
    asyncio.run(serve(load_config(box.reconciler_config), box.kubeconfig, box))


async def serve(config: Config, kubeconfig_path: Path, box: Box | None = None) -> None:
    """Runs until SIGTERM or SIGINT. Raises what `lock`, the store or a listening address raise."""
    stop = stop_signal()
    with contextlib.closing(lock(config.data)):
        async with opened(config) as cluster, broker(config) as address:
            sync = ManifestSync(
                cluster,
                config.manifests,
                clock=now,
                admit=_admit(config),
                memory=config.data / "manifests.json",
                limits=Limits(share=config.prune.share, count=config.prune.number),
            )
            scheduler = SchedulerLoop(cluster, now)
            settings = ControllerSettings(cluster_cidr=config.cluster_cidr)
            loop = ControllerLoop(cluster, controllers(settings), now)
            link = Link(
                cluster,
                Settings(broker=address, cluster=config.cluster, node_grace_seconds=config.node_grace_seconds),
                clock=now,
            )
            metrics = registry(
                {
                    "store": cluster.store.statistics,
                    "controllers": loop.statistics,
                    "scheduler": scheduler.statistics,
                    "link": link.statistics,
                },
                lambda: link.usage,
            )
            rooms = {
                "controllers": loop.run(),
                "scheduler": scheduler.run(),
                "manifests": sync.run(),
                "link": link.run(),
                "flush": _flush(cluster),
            }
            if box is not None:
                rooms["agent"] = _keep_agent(box)
            async with _serving(_api(config, cluster, sync, metrics), kubeconfig_path):
                await _until(stop, rooms)


async def _until(stop: asyncio.Event, rooms: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Runs all rooms until the event; the failure of one is the failure of the daemon."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(room, name=name) for name, room in rooms.items()]
        await stop.wait()
        log.info("stopping")
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def _serving(api: ApiServer, kubeconfig_path: Path) -> AsyncIterator[None]:
    await api.start()
    try:
        kubeconfig.write(kubeconfig_path, api.access)
        yield
    finally:
        await api.stop()


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Cluster]:
    """The cluster over its store, with the namespaces that are always there."""
    store = await SqliteStore.open(config.data / "store.db")
    cluster = await Cluster.open(store, clock=now, admit=_admit(config))
    try:
        for name in NAMESPACES:
            with contextlib.suppress(AlreadyExists):
                await cluster.apply([Create(Namespace(metadata=ObjectMeta(name=name)))])
        yield cluster
    finally:
        await cluster.close()


@contextlib.asynccontextmanager
async def broker(config: Config) -> AsyncIterator[BrokerAddress]:
    """The broker that the configuration names; the embedded one runs while the context lasts."""
    if config.broker is not None:
        yield config.broker
        return
    embedded = config.embedded_broker
    assert embedded is not None
    host, port = split_address(embedded.listen, "embeddedBroker.listen")
    async with embedded_broker(host, port, embedded.username, embedded.password_file.read_text().strip()) as at:
        reach = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        yield BrokerAddress(
            url=f"mqtt://{reach}:{at}", username=embedded.username, password_file=embedded.password_file
        )


def _admit(config: Config) -> Callable[[Object, View], Object]:
    return admission(AdmissionSettings(default_toleration_seconds=config.toleration_seconds))


async def _flush(cluster: Cluster) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await cluster.store.flush()


async def _keep_agent(box: Box) -> None:
    """Has one node agent running: the one of an earlier life, or a new one. Ends it with this process."""
    least, most = AGENT_RETRY_SECONDS
    delay = least
    process = None
    try:
        while True:
            pid = box.agent_pid
            if pid is None:
                process = boxes.start_agent(box)
                pid = process.pid
            began = asyncio.get_running_loop().time()
            await ended(pid)
            if process is not None:
                process.poll()
            delay = least if asyncio.get_running_loop().time() - began > most else min(delay * 2, most)
            log.warning("the node agent ended process=%d restart_in=%.0fs", pid, delay)
            await asyncio.sleep(delay)
    finally:
        if (pid := box.agent_pid) is not None:
            await asyncio.shield(asyncio.to_thread(stop_process, pid, boxes.PATIENCE))


def _api(config: Config, cluster: Cluster, sync: ManifestSync, metrics: Any) -> ApiServer:  # noqa: ANN401
    host, port = split_address(config.api.listen, "api.listen")

    async def approve(_: dict[str, Any]) -> object:
        return {"approved": [str(ref) for ref in await sync.approve()]}

    return ApiServer(
        cluster,
        directory=config.data / "pki",
        token=load_token(config.data / "token"),
        host=host,
        port=port,
        names=config.api.names,
        status=lambda: {
            "version": VERSION,
            "revision": cluster.cache.revision,
            "folder": str(config.manifests),
            "manifests": msgspec.to_builtins(sync.status),
            "cluster": msgspec.to_builtins(overview(cluster.cache)),
        },
        approve=approve,
        metrics=metrics,
    )


def now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
