"""The reconciler as a process: opens the store, takes in the folder, joins the rooms, and ends in good order.

A start loads what the folder needs first, and the rest of the program once an unchanged folder would have been taken
in: what was edited meanwhile is committed half a second earlier than if all were loaded at once.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler import accessdefaults
from reconciler.admission import AdmissionSettings, admission, amendment, completion
from reconciler.admission.priority import SYSTEM_CLASSES
from reconciler.api.certificate import CannotCertify
from reconciler.config import Config, cannot_listen, load_config, split_address
from reconciler.controllers.volumes import localpath
from reconciler.loading import without_certificates
from reconciler.manifests.prune import Limits
from reconciler.manifests.sync import ManifestSync
from reconciler.source import check_files, git_settings
from reconciler.store.changes import AlreadyExists, Create
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.sqlite import SqliteStore
from schemas.configuration import BadConfiguration, BrokerAddress, content
from schemas.core.config import Namespace
from schemas.daemon import AlreadyRunning, ended, lock, run_until, stop_process, stop_signal
from schemas.meta import ObjectMeta
from schemas.storage import StorageClass

if TYPE_CHECKING:
    from reconciler.box import Box
    from reconciler.manifests.git.sync import GitSync

log = logging.getLogger(__name__)

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
HEAD_START_SECONDS = 0.5
"""How long the folder has the process for itself: an unchanged one needs less."""
AGENT_RETRY_SECONDS = (1.0, 30.0)
FAILURES = (BadConfiguration, AlreadyRunning, CannotCertify, StoreError, OSError)
"""What `serve` raises for a person to mend: the text says it all."""


def run(config: Path) -> None:
    """The reconciler of the configuration file `config`, until it is told to end. Raises one of `FAILURES`."""
    loaded = load_config(config)
    asyncio.run(serve(loaded, loaded.data / "kubeconfig"))


def run_box(box: "Box") -> None:
    """The reconciler of `wherry up`, with the node agent beside it as a process of its own."""
    try:
        asyncio.run(serve(load_config(box.reconciler_config), box.kubeconfig, box))
    except (CannotCertify, StoreError) as error:
        raise BadConfiguration(str(error)) from error


async def serve(config: Config, kubeconfig_path: Path, box: "Box | None" = None) -> None:
    """Runs until SIGTERM or SIGINT. Raises one of `FAILURES`."""
    stop = stop_signal()
    if config.broker is not None:
        config.broker.check()
    with contextlib.closing(lock(config.data)):
        async with opened(config) as cluster:
            git = _git(config, cluster)
            sync = ManifestSync(
                cluster,
                _folder(config, git),
                clock=now,
                admit=completion(_admission(config)),
                memory=config.data / "manifests.json",
                limits=Limits(share=config.prune.share, count=config.prune.number),
                validation=config.origin.field_validation,
            )
            source = (
                {"manifests": sync.run()}
                if git is None
                else {"manifests": _after(git.ready, sync.run), "git": git.run()}
            )
            async with _begun(source) as begun:
                await _head_start(sync)
                with without_certificates():
                    from reconciler import rooms  # the larger half of the program

                async with (
                    broker(config) as address,
                    rooms.joined(config, cluster, sync, git, address, kubeconfig_path) as joined,
                ):
                    agent = {"agent": _keep_agent(box)} if box is not None else {}
                    under_way = {name: _of(task) for name, task in begun.items()}
                    await run_until(stop, {**under_way, **joined, **agent})


@contextlib.asynccontextmanager
async def _begun(rooms: Mapping[str, Coroutine[Any, Any, None]]) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """Has these run already. However the context ends, they end."""
    tasks = {name: asyncio.create_task(room, name=name) for name, room in rooms.items()}
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _of(task: "asyncio.Task[None]") -> None:
    await task


async def _head_start(sync: ManifestSync) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEAD_START_SECONDS):
            await sync.seen.wait()


def _git(config: Config, cluster: Cluster) -> "GitSync | None":
    """What follows the repository, where the source is one. Raises `BadConfiguration`."""
    settings = git_settings(config.origin)
    if settings is None:
        return None
    check_files(settings)
    from reconciler.manifests.git.sync import GitSync  # most sources are folders

    return GitSync(settings, config.git_data, cluster, clock=now)


def _folder(config: Config, git: "GitSync | None") -> Path:
    folder = config.origin.folder if git is None else git.folder
    assert folder is not None
    return folder


async def _after(ready: asyncio.Event, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Until a repository has been fetched for the first time there is no folder, which is no fault."""
    await ready.wait()
    await run()


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Cluster]:
    """The cluster over its store, with the namespaces and roles that are always there, and a class of storage."""
    store = await SqliteStore.open(config.data / "store.db")
    settings = _admission(config)
    cluster = await Cluster.open(store, clock=now, admit=admission(settings), amend=amendment(settings))
    try:
        for always in (*(Namespace(metadata=ObjectMeta(name=name)) for name in NAMESPACES), *SYSTEM_CLASSES):
            with contextlib.suppress(AlreadyExists):
                await cluster.apply([Create(always)])
        if access := accessdefaults.changes(cluster.cache):
            await cluster.apply(access)
        if not cluster.cache.list(StorageClass):
            await cluster.apply([Create(localpath.BUILT_IN)])
        yield cluster
    finally:
        await cluster.close()


@contextlib.asynccontextmanager
async def broker(config: Config) -> AsyncIterator[BrokerAddress]:
    """The broker that the configuration names; the embedded one runs while the context lasts."""
    if config.broker is not None:
        yield config.broker
        return
    from reconciler.link.broker import embedded_broker  # 50 ms and 8 MiB where there is one of its own

    embedded = config.embedded_broker
    assert embedded is not None
    host, port = split_address(embedded.listen, "embeddedBroker.listen")
    password = content("embeddedBroker.passwordFile", embedded.password_file).strip()
    async with contextlib.AsyncExitStack() as running:
        try:
            at = await running.enter_async_context(embedded_broker(host, port, embedded.username, password))
        except OSError as error:
            raise cannot_listen("embeddedBroker.listen", error) from None
        reach = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        yield BrokerAddress(
            url=f"mqtt://{reach}:{at}", username=embedded.username, password_file=embedded.password_file
        )


def _admission(config: Config) -> AdmissionSettings:
    return AdmissionSettings(
        default_toleration_seconds=config.toleration_seconds,
        default_lease_seconds=config.lease_seconds,
        service_cidr=config.service_cidr,
        node_ports=config.service_node_ports,
    )


async def _keep_agent(box: "Box") -> None:
    """Has one node agent running: the one of an earlier life, or a new one. Ends it with this process."""
    from reconciler import box as boxes  # only `wherry up` has an agent beside it

    least, most = AGENT_RETRY_SECONDS
    delay = 0.0
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
            steady = asyncio.get_running_loop().time() - began > most
            delay = least if steady else min(max(least, delay * 2), most)
            log.warning("the node agent ended process=%d restart_in=%.0fs", pid, delay)
            await asyncio.sleep(delay)
    finally:
        if (pid := box.agent_pid) is not None:
            await asyncio.shield(asyncio.to_thread(stop_process, pid, boxes.PATIENCE))


def now() -> datetime:
    return datetime.now(UTC)
