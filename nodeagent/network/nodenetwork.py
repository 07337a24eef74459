"""The whole network of a node, joined: the pods' own, the ways to other nodes, Services, and names."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.network import cni
from nodeagent.network.announcing import Announcing
from nodeagent.network.bridge import lay_bridge
from nodeagent.network.dns.server import Server
from nodeagent.network.existing import lay_existing
from nodeagent.network.forwarding import Forwarding
from nodeagent.network.healthports import HealthPorts
from nodeagent.network.routing import Routing
from nodeagent.network.securing import Securing
from nodeagent.network.state import NetworkState
from schemas.messages import Config

if TYPE_CHECKING:
    from nodeagent.ingress.proxy import Proxy


class NodeNetwork:
    """`bridge` names all that is made; `data_directory` is host-local's, `conf_directory` where containerd looks.

    `proxy` serves Ingresses, where the node does. `securing` has WireGuard used. `existing` is where names are answered
    on a node whose CNI configuration is somebody else's. `enter` is put before commands, to act in another network
    namespace.
    """

    def __init__(
        self,
        node: str,
        bridge: str,
        *,
        data_directory: Path,
        conf_directory: Path,
        names: Server,
        proxy: "Proxy | None" = None,
        securing: Securing | None = None,
        existing: str = "",
        enter: Sequence[str] = (),
    ) -> None:
        self._bridge, self._data, self._conf = bridge, data_directory, conf_directory
        self._existing = existing
        self._forwarding = Forwarding(node, bridge, enter, joins=not existing)
        self._routing = None if existing else Routing(node, bridge, enter, securing)
        self._announcing = Announcing(node, bridge, enter)
        self._health_ports = HealthPorts(node)
        self._names, self._proxy, self._enter = names, proxy, enter
        self._names_at = ""
        self._laid = asyncio.Event()

    async def lay(self, pod_cidr: str) -> None:
        """Has all there that pods of this range need to start. Raises `NetworkFailure`, `ValueError`, `OSError`."""
        if self._existing:
            await lay_existing(self._bridge, self._existing, self._conf, self._enter)
        else:
            cni.lay(cni.PodNetwork(bridge=self._bridge, pod_cidr=pod_cidr, data_directory=self._data), self._conf)
            await lay_bridge(self._bridge, pod_cidr, self._enter)
        await self._forwarding.lay([str(one) for one in cni.ranges(pod_cidr)])
        self._names_at = self._existing or cni.gateway(pod_cidr)
        self._laid.set()

    def update(self, state: NetworkState) -> None:
        """What is known of the network of all nodes now."""
        self._forwarding.update(state)
        if self._routing is not None:
            self._routing.update(state)
        self._announcing.update(state)
        self._health_ports.update(state)
        if self._proxy is not None:
            self._proxy.update(state)
        self._names.update(state)

    def configs(self, configs: Mapping[str, Config]) -> None:
        """ConfigMaps and Secrets that the node was given."""
        if self._proxy is not None:
            self._proxy.configs(configs)

    def linked(self, linked: bool) -> None:
        """Whether the broker can be reached."""
        self._announcing.linked(linked)

    def moved(self) -> None:
        """An address of the node has come or gone."""
        if self._routing is not None:
            self._routing.moved()

    def placed(self, uid: str, addresses: tuple[str, ...]) -> None:
        """A pod of this node has these addresses; none when it is gone."""
        self._forwarding.placed(uid, addresses)

    async def run(self) -> None:
        """Until cancelled; everything stays as it is then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forwarding.run(), name="forwarding")
            if self._routing is not None:
                tasks.create_task(self._routing.run(), name="routing")
            tasks.create_task(self._announcing.run(), name="announcing")
            tasks.create_task(self._health_ports.run(), name="health-ports")
            tasks.create_task(self._answer_names(tasks), name="names")
            if self._proxy is not None:
                tasks.create_task(self._proxy.run(), name="ingress")

    async def _answer_names(self, tasks: asyncio.TaskGroup) -> None:
        """At the pods' gateway, which is another one when the node gets another range; or where we are told."""
        answering: asyncio.Task[None] | None = None
        while True:
            await self._laid.wait()
            self._laid.clear()
            if answering is not None:
                answering.cancel()
            answering = tasks.create_task(self._names.run(self._names_at), name="names-server")
