"""The rooms that act on what is in the store, joined: controllers, scheduler, link, upkeep, and the API in front.

They are loaded by `daemon` when it has begun with the folder, and not before: they bring in the larger half of the
program, HTTP and MQTT with all that belongs to them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.addresspools import pools
from reconciler.answers import Answers
from reconciler.api import certificate, derived, kubeconfig, measuring
from reconciler.api.audit import AuditLog
from reconciler.api.auth import load_token, load_users
from reconciler.api.issuing import Issuer
from reconciler.api.podtokens import PodMinter
from reconciler.api.requestsigning import RequestSigner
from reconciler.api.secretfilling import SecretTokens
from reconciler.api.server import ApiServer, addresses, reached_at
from reconciler.api.streams.handlers import Streams
from reconciler.config import Config, cannot_listen, split_address
from reconciler.controllers.apiservice import Served, first_address
from reconciler.controllers.loop import ControllerLoop
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.explaining import Explaining
from reconciler.link.link import Link, Settings
from reconciler.manifests.sync import ManifestSync
from reconciler.scheduler.loop import SchedulerLoop
from reconciler.store.cluster import Cluster
from reconciler.upkeep import Upkeep
from schemas.configuration import BrokerAddress
from schemas.core.node import Node

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from reconciler.manifests.git.sync import GitSync

VERSION = version("wherry")
FOLDER_SECONDS = 5.0
"""How long a start waits for a folder that cannot be read."""


@contextlib.asynccontextmanager
async def joined(
    config: Config,
    cluster: Cluster,
    sync: ManifestSync,
    git: "GitSync | None",
    address: BrokerAddress,
    kubeconfig_path: Path,
) -> AsyncIterator[dict[str, Coroutine[Any, Any, None]]]:
    """Serves the API while the context lasts, and yields what has to run beside it. Raises what `daemon.serve` does."""
    settings = ControllerSettings(
        cluster_cidr=config.cluster_cidr,
        node_eviction_seconds=config.node_eviction_seconds,
        authority=await _authority(config),
        served=await _served(config),
        pools=pools(config.load_balancer_pools),
    )
    loop = ControllerLoop(
        cluster, controllers(settings, lambda: link.usage, lambda node: link.leases.silence(node)), _now
    )
    scheduler = SchedulerLoop(cluster, _now, loop.has_made, config.scheduler.profile())
    issuer = Issuer(config.data / "pki", cluster.cache)
    link = Link(
        cluster,
        Settings(
            broker=address,
            cluster=config.cluster,
            node_grace_seconds=config.node_grace_seconds,
            pools=settings.pools,
        ),
        clock=_now,
        minter=PodMinter(issuer, cluster.cache, _now),
    )
    upkeep = Upkeep(cluster.store)
    statistics = {
        "store": cluster.store.statistics,
        "controllers": loop.statistics,
        "scheduler": scheduler.statistics,
        "link": link.statistics,
        "rpc": link.rpc.statistics,
        "loop": upkeep.statistics,
        **({"git": lambda: git.status} if git is not None else {}),
    }

    @cache
    def metrics() -> "CollectorRegistry":
        from reconciler.metrics import registry  # 20 ms and 2 MiB where nobody ever asks

        return registry(statistics, lambda: link.usage)

    api = _api(config, cluster, sync, metrics, git, link, issuer)
    api.answers["scheduling"] = Explaining(cluster.cache, scheduler).answer
    api.components |= _components(sync, loop, scheduler, link)
    async with _serving(api, kubeconfig_path):
        yield {
            "controllers": _following(sync, loop.run),
            "scheduler": _following(sync, scheduler.run),
            "link": _link(link, cluster, sync, loop),
            "upkeep": _following(sync, upkeep.run),
            "tokens": _following(sync, SecretTokens(cluster, issuer, settings.authority).run),
            "certificates": RequestSigner(cluster, config.data / "pki", _now).run(),
        }


def _components(
    sync: ManifestSync, loop: ControllerLoop, scheduler: SchedulerLoop, link: Link
) -> dict[str, derived.Check]:
    """What `kubectl get componentstatuses` asks."""
    waits = "waits until the folder has been read"
    return {
        "manifests": derived.unless(sync.seen.is_set, "the folder has not been read yet"),
        "controller-manager": derived.unless(lambda: loop.has_begun, waits),
        "scheduler": derived.unless(lambda: scheduler.has_begun, waits),
        "broker": derived.unless(lambda: link.statistics().connected, "not connected; the log says why"),
    }


async def _authority(config: Config) -> str:
    """Whom pods have to trust for the API. Raises `CannotCertify`."""
    host, _ = split_address(config.api.listen, "api.listen")
    reached = addresses(host, config.api.names)
    held = await asyncio.to_thread(certificate.ensure, config.data / "pki", reached, _now())
    return held.authority.decode()


async def _served(config: Config) -> Served:
    host, port = split_address(config.api.listen, "api.listen")
    address = "" if config.api.is_local else await asyncio.to_thread(reached_at, host, config.api.names)
    return Served(first_address(config.service_cidr), port, address)


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
            raise cannot_listen("api.listen", error) from None
        kubeconfig.write(kubeconfig_path, api.access)
        yield
    finally:
        await api.stop()


def _api(
    config: Config,
    cluster: Cluster,
    sync: ManifestSync,
    metrics: "Callable[[], CollectorRegistry]",
    git: "GitSync | None",
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
            "folder": str(config.origin.folder if git is None else git.folder),
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


def _now() -> datetime:
    return datetime.now(UTC)
