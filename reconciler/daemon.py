"""The reconciler as a process: opens the store, joins the rooms, and ends in good order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler import accessdefaults
from reconciler import box as boxes
from reconciler.addresspools import pools
from reconciler.admission import AdmissionSettings, admission, amendment, completion
from reconciler.admission.priority import SYSTEM_CLASSES
from reconciler.answers import Answers
from reconciler.api import certificate, kubeconfig, measuring
from reconciler.api.audit import AuditLog
from reconciler.api.auth import load_token, load_users
from reconciler.api.certificate import CannotCertify
from reconciler.api.issuing import Issuer
from reconciler.api.podtokens import PodMinter
from reconciler.api.requestsigning import RequestSigner
from reconciler.api.secretfilling import SecretTokens
from reconciler.api.server import ApiServer, addresses, reached_at
from reconciler.api.streams.handlers import Streams
from reconciler.box import Box
from reconciler.config import Config, load_config, split_address
from reconciler.controllers.apiservice import Served, first_address
from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.controllers.volumes import localpath
from reconciler.explaining import Explaining
from reconciler.link.broker import embedded_broker
from reconciler.link.link import Link, Settings
from reconciler.manifests.git.sync import GitSync
from reconciler.manifests.prune import Limits
from reconciler.manifests.sync import ManifestSync
from reconciler.metrics import registry
from reconciler.scheduler.loop import SchedulerLoop
from reconciler.source import check_files, git_settings
from reconciler.store.changes import AlreadyExists, Create
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.sqlite import SqliteStore
from reconciler.upkeep import Upkeep
from schemas.configuration import BadConfiguration, BrokerAddress, content
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.daemon import AlreadyRunning, ended, lock, run_until, stop_process, stop_signal
from schemas.meta import ObjectMeta
from schemas.storage import StorageClass

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

VERSION = version("wherry")
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
FOLDER_SECONDS = 5.0
"""How long a start waits for a folder that cannot be read."""
AGENT_RETRY_SECONDS = (1.0, 30.0)
FAILURES = (BadConfiguration, AlreadyRunning, CannotCertify, StoreError, OSError)
"""What `serve` raises for a person to mend: the text says it all."""


def run(config: Path) -> None:
    """The reconciler of the configuration file `config`, until it is told to end. Raises one of `FAILURES`."""
    loaded = load_config(config)
    asyncio.run(serve(loaded, loaded.data / "kubeconfig"))


def run_box(box: Box) -> None:
    """The reconciler of `wherry up`, with the node agent beside it as a process of its own."""
    try:
        asyncio.run(serve(load_config(box.reconciler_config), box.kubeconfig, box))
    except (CannotCertify, StoreError) as error:
        raise BadConfiguration(str(error)) from error


async def serve(config: Config, kubeconfig_path: Path, box: Box | None = None) -> None:
    """Runs until SIGTERM or SIGINT. Raises one of `FAILURES`."""
    stop = stop_signal()
    with contextlib.closing(lock(config.data)):
        async with opened(config) as cluster, broker(config) as address:
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
            settings = ControllerSettings(
                cluster_cidr=config.cluster_cidr,
                node_eviction_seconds=config.node_eviction_seconds,
                authority=await _authority(config),
                served=await _served(config),
                pools=pools(config.load_balancer_pools),
            )
            loop = ControllerLoop(
                cluster, controllers(settings, lambda: link.usage, lambda node: link.leases.silence(node)), now
            )
            scheduler = SchedulerLoop(cluster, now, loop.has_made, config.scheduler.profile())
            issuer = Issuer(config.data / "pki", cluster.cache)
            link = Link(
                cluster,
                Settings(
                    broker=address,
                    cluster=config.cluster,
                    node_grace_seconds=config.node_grace_seconds,
                    pools=settings.pools,
                ),
                clock=now,
                minter=PodMinter(issuer, cluster.cache, now),
            )
            upkeep = Upkeep(cluster.store)
            metrics = registry(
                {
                    "store": cluster.store.statistics,
                    "controllers": loop.statistics,
                    "scheduler": scheduler.statistics,
                    "link": link.statistics,
                    "rpc": link.rpc.statistics,
                    "loop": upkeep.statistics,
                    **({"git": lambda: git.status} if git is not None else {}),
                },
                lambda: link.usage,
            )
            api = _api(config, cluster, sync, metrics, git, link, issuer)
            api.answers["scheduling"] = Explaining(cluster.cache, scheduler).answer
            async with _serving(api, kubeconfig_path):
                rooms = {
                    "manifests": sync.run() if git is None else _after(git.ready, sync.run),
                    "controllers": _following(sync, loop.run),
                    "scheduler": _following(sync, scheduler.run),
                    "link": _link(link, cluster, sync, loop),
                    "upkeep": _following(sync, upkeep.run),
                    "tokens": _following(sync, SecretTokens(cluster, issuer, settings.authority).run),
                    "certificates": RequestSigner(cluster, config.data / "pki", now).run(),
                }
                if git is not None:
                    rooms["git"] = git.run()
                if box is not None:
                    rooms["agent"] = _keep_agent(box)
                await run_until(stop, rooms)


def _git(config: Config, cluster: Cluster) -> GitSync | None:
    """What follows the repository, where the source is one. Raises `BadConfiguration`."""
    settings = git_settings(config.origin)
    if settings is None:
        return None
    check_files(settings)
    return GitSync(settings, config.git_data, cluster, clock=now)


def _folder(config: Config, git: GitSync | None) -> Path:
    folder = config.origin.folder if git is None else git.folder
    assert folder is not None
    return folder


async def _authority(config: Config) -> str:
    """Whom pods have to trust for the API. Raises `CannotCertify`."""
    host, _ = split_address(config.api.listen, "api.listen")
    reached = addresses(host, config.api.names)
    held = await asyncio.to_thread(certificate.ensure, config.data / "pki", reached, now())
    return held.authority.decode()


async def _served(config: Config) -> Served:
    host, port = split_address(config.api.listen, "api.listen")
    address = "" if config.api.is_local else await asyncio.to_thread(reached_at, host, config.api.names)
    return Served(first_address(config.service_cidr), port, address)


async def _after(ready: asyncio.Event, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Until a repository has been fetched for the first time there is no folder, which is no fault."""
    await ready.wait()
    await run()


async def _following(sync: ManifestSync, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The folder is taken in first, so that nobody acts on what it no longer says; but nobody waits for it for long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FOLDER_SECONDS):
            await sync.seen.wait()
    await run()


async def _link(link: Link, cluster: Cluster, sync: ManifestSync, loop: ControllerLoop) -> None:
    """A store that knows no node may be one that was lost: the fleet is told nothing before it is built up again.

    Else every node would be told at once that it shall run nothing.
    """
    if not cluster.cache.list(Node):
        await sync.seen.wait()
        await loop.at_rest()
    await link.run()


@contextlib.asynccontextmanager
async def _serving(api: ApiServer, kubeconfig_path: Path) -> AsyncIterator[None]:
    try:
        try:
            await api.start()
        except OSError as error:
            raise _cannot_listen("api.listen", error) from None
        kubeconfig.write(kubeconfig_path, api.access)
        yield
    finally:
        await api.stop()


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
        config.broker.check()
        yield config.broker
        return
    embedded = config.embedded_broker
    assert embedded is not None
    host, port = split_address(embedded.listen, "embeddedBroker.listen")
    password = content("embeddedBroker.passwordFile", embedded.password_file).strip()
    async with contextlib.AsyncExitStack() as running:
        try:
            at = await running.enter_async_context(embedded_broker(host, port, embedded.username, password))
        except OSError as error:
            raise _cannot_listen("embeddedBroker.listen", error) from None
        reach = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        yield BrokerAddress(
            url=f"mqtt://{reach}:{at}", username=embedded.username, password_file=embedded.password_file
        )


def _cannot_listen(field: str, error: OSError) -> BadConfiguration:
    return BadConfiguration(f"{field}: {error.strerror}; stop what listens there, or choose another address")


def _admission(config: Config) -> AdmissionSettings:
    return AdmissionSettings(
        default_toleration_seconds=config.toleration_seconds,
        default_lease_seconds=config.lease_seconds,
        service_cidr=config.service_cidr,
        node_ports=config.service_node_ports,
    )


async def _keep_agent(box: Box) -> None:
    """Has one node agent running: the one of an earlier life, or a new one. Ends it with this process."""
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


def _api(
    config: Config,
    cluster: Cluster,
    sync: ManifestSync,
    metrics: "CollectorRegistry",
    git: GitSync | None,
    link: Link,
    issuer: Issuer,
) -> ApiServer:
    host, port = split_address(config.api.listen, "api.listen")

    async def approve(_: dict[str, Any]) -> object:
        return {"approved": [str(ref) for ref in await sync.approve()]}

    def facts() -> dict[str, Any]:
        return {
            "version": VERSION,
            "revision": cluster.cache.revision,
            "folder": str(_folder(config, git)),
            "settings": {
                "clusterCidr": config.cluster_cidr,
                "fieldValidation": config.origin.field_validation,
                "pruneNumber": config.prune.number,
                "pruneShare": config.prune.share,
                "tolerationSeconds": config.toleration_seconds,
            },
        }

    answers = Answers(sync, cluster.store, facts, lambda: git.status if git is not None else None)
    return ApiServer(
        cluster,
        directory=config.data / "pki",
        issuer=issuer,
        token=load_token(config.data / "token"),
        host=host,
        port=port,
        names=config.api.names,
        users=load_users(config.api.tokens_file) if config.api.tokens_file else None,
        audit=AuditLog(audit.file, audit.max_bytes, audit.keep) if (audit := config.api.audit_log) else None,
        answers=answers.by_name,
        approve=approve,
        webhook=git.receive if git is not None and config.origin.webhook else None,
        metrics=metrics,
        streams=[*Streams(cluster.cache, link.rpc).routes(), *measuring.routes(cluster.cache, lambda: link.usage)],
    )


def now() -> datetime:
    return datetime.now(UTC)
