"""The node agent as a process: finds or starts containerd, joins the rooms, and ends leaving containers running."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from nodeagent import footprint
from nodeagent.agent import AWAY_SECONDS, Agent
from nodeagent.archives import ArchiveFolder
from nodeagent.config import Config, load_config
from nodeagent.local.facts import Facts
from nodeagent.local.server import LocalServer
from nodeagent.machine import amounts
from nodeagent.machine.reading import machine
from nodeagent.network import addresses, cni, removal
from nodeagent.network.commands import NetworkFailure
from nodeagent.network.dns.server import Server
from nodeagent.network.nodenetwork import NodeNetwork
from nodeagent.network.securing import Securing, secured_name
from nodeagent.pods.node import parse_resolver
from nodeagent.pods.sandboxconfig import CLUSTER_DOMAIN
from nodeagent.runtime import podcgroups
from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import Unavailable
from nodeagent.volumes import mounts
from schemas.configuration import BadConfiguration
from schemas.daemon import lock, run_until, stop_signal
from schemas.version import VERSION

if TYPE_CHECKING:
    from nodeagent.ingress.proxy import Proxy

log = logging.getLogger(__name__)

OWN = "own"
RESOLVER = Path("/etc/resolv.conf")
INGRESS = "ingress"
"""The proxy's folder in the run directory."""
SYSTEM_CNI = Path("/etc/cni/net.d")
SYSTEM_IMAGES = Path("/var/lib/containerd")


async def serve(path: Path) -> None:
    """Runs until SIGTERM or SIGINT. Raises `BadConfiguration`, `AlreadyRunning` or `OSError`."""
    config = load_config(path)
    config.broker.check()
    stop = stop_signal()
    with contextlib.closing(lock(config.data)):
        own = _own(config)
        address = own.address if own else Path(config.containerd)
        runtime = CriRuntime(address, config.node, own.cgroup_root if own else "wherry")
        archives = None
        if config.images is not None:
            archives = ArchiveFolder(
                config.images, runtime, lambda loaded: agent.images_came(loaded), lambda why: agent.archive_failed(why)
            )
        if config.reserved.pid:
            _leave_pids(config.reserved.pid, own.cgroup_root if own else "wherry")
        securing, unsecured = await _securing(config, own.bridge if own else config.bridge)
        network = _network(config, own, securing, lambda why: agent.ingress_failed(why))
        agent = Agent(
            config,
            runtime,
            machine=lambda: machine(config),
            amounts=lambda: amounts.read(config.data, config.data if own else SYSTEM_IMAGES),
            network=network,
            prepare=lambda: _first_images(runtime, archives, config.pause_image),
            registries=own.layout.registries if own else config.registries.directory,
            archived=lambda: archives.references if archives else (),
        )
        if securing is not None:
            agent.link.public_key(securing.public_key)
        elif unsecured:
            agent.not_secured(unsecured)
        agent.workers.begin()
        rooms: dict[str, Coroutine[Any, Any, None]] = {"agent": agent.run(), "network": network.run()}
        rooms["addresses"] = addresses.watch(agent.moved, network.moved)
        rooms |= _views(config, agent, address)
        if own is not None:
            rooms["containerd"] = own.supervise()
        if archives is not None:
            rooms["archives"] = archives.run()
        if own is None and config.registries.hosts and config.registries.directory is None:
            log.warning(
                "registries.hosts has no effect on the system's containerd until registries.directory names the "
                "folder that config_path has in the [….registry] of its CRI plugin, such as /etc/containerd/certs.d"
            )
        footprint.give_back()
        log.info("node agent starts node=%s epoch=%d", config.node, agent.link.epoch)
        try:
            await run_until(stop, rooms)
            log.info("stopped; containers run on")
        finally:
            runtime.close()


def _leave_pids(reserved: int, root: str) -> None:
    most = amounts.read(Path("/"), Path("/")).pids - reserved
    try:
        podcgroups.limit_pids(root, max(1, most))
    except OSError as error:
        log.warning("reserved.pid cannot be kept from pods cgroup=%s error=%s", root, error)


def _views(config: Config, agent: Agent, runtime: Path) -> dict[str, Coroutine[Any, Any, None]]:
    """What shows the node from itself, and what the machine's own shutdown needs of it."""
    facts = Facts(config, VERSION, agent=agent, runtime=runtime)
    rooms = {"local": LocalServer(config.run, agent.service.serve, facts.answer).run()}
    if config.metrics_address:
        from nodeagent.local.scrape import Scraped  # most nodes are not asked

        rooms["metrics"] = Scraped(config.metrics_address, facts.metrics).run()
    if total := config.shutdown().total:
        from nodeagent.machine.inhibitor import Inhibitor  # nor held up

        rooms["shutdown"] = Inhibitor(total, down=agent.go_down, up=agent.stay_up).run()
    return rooms


async def _first_images(runtime: CriRuntime, archives: ArchiveFolder | None, pause_image: str) -> None:
    """On a node that never ran a pod: what lies in the folder of archives comes before the first pod."""
    while archives is not None:
        try:
            if await runtime.image_id(pause_image) is None:
                await archives.look(settle=False)
            return
        except Unavailable:
            await asyncio.sleep(AWAY_SECONDS)


async def cleanup(path: Path) -> None:
    """Removes everything that the agent made on this machine, and says what. Safe to repeat."""
    config = load_config(path)
    if not config.data.exists():
        return
    with contextlib.closing(lock(config.data)):
        own = _own(config)
        if own is not None:
            await own.cleanup()
            print("removed the containers, containerd and the pod network of this node")
        else:
            await _remove_sandboxes(config)
            await removal.remove(config.bridge)
            (SYSTEM_CNI / cni.CONFLIST).unlink(missing_ok=True)
            print("removed the containers and the pod network of this node")
    _proxy(structs.replace(config, ingress=None), lambda why: None)
    for point in mounts.mounted_below(config.run):
        mounts.unmount(point)
    if config.shutdown().total:
        from nodeagent.machine.inhibitor import SETTINGS

        SETTINGS.unlink(missing_ok=True)
    if config.data.is_mount():  # a disk of its own stays where it is
        for entry in config.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    else:
        shutil.rmtree(config.data)
    shutil.rmtree(config.run, ignore_errors=True)


async def _remove_sandboxes(config: Config) -> None:
    runtime = CriRuntime(Path(config.containerd), config.node, "wherry")
    try:
        for sandbox in await runtime.list_sandboxes():
            await runtime.remove_sandbox(sandbox.id)
    finally:
        runtime.close()


def _own(config: Config) -> OwnContainerd | None:
    if config.containerd != OWN:
        return None
    try:
        return OwnContainerd(config.data, pause_image=config.pause_image)
    except ValueError as error:
        raise BadConfiguration(f"data: {error}") from None


def _proxy(config: Config, say: Callable[[str], None]) -> "Proxy | None":
    """None where the node serves no Ingresses; a proxy of a time when it did ends."""
    directory = config.run / INGRESS
    if config.ingress is None and not directory.exists():
        return None
    # Few nodes have one; the others do not pay for it.
    from nodeagent.ingress.haproxy import Ports
    from nodeagent.ingress.proxy import Proxy, stop

    if config.ingress is not None:
        return Proxy(Ports(config.ingress.http, config.ingress.https), directory, say)
    stop(directory)
    return None


async def _securing(config: Config, bridge: str) -> tuple[Securing | None, str]:
    """None, and why, where WireGuard is wanted and cannot be."""
    if config.network.tunnels != "wireguard":
        return None, ""
    securing = Securing(secured_name(bridge), config.data)
    try:
        await securing.prepare()
    except NetworkFailure as failure:
        return None, str(failure)
    return securing, ""


def _network(
    config: Config, own: OwnContainerd | None, securing: Securing | None, say: Callable[[str], None]
) -> NodeNetwork:
    proxy = _proxy(config, say)
    names = Server(CLUSTER_DOMAIN, lambda: parse_resolver(RESOLVER.read_text()).servers, config.stub_domains)
    if own is None:
        data, conf = config.data / "cni", SYSTEM_CNI
        bridge = config.bridge
    else:
        data, conf, bridge = own.layout.cni_data, own.layout.cni_conf, own.bridge
    return NodeNetwork(
        config.node,
        bridge,
        data_directory=data,
        conf_directory=conf,
        names=names,
        proxy=proxy,
        securing=securing,
        existing=config.network.names if config.network.cni == "existing" else "",
    )
