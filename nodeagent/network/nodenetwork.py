"""The whole network of a node, joined: the pods' own, the ways to other nodes, and Services."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from nodeagent.network import cni
from nodeagent.network.forwarding import Forwarding
from nodeagent.network.routing import Routing
from nodeagent.network.state import NetworkState


class NodeNetwork:
    """`bridge` names all that is made; `data_directory` is host-local's, `conf_directory` where containerd looks.

    `enter` is put before commands, to act in another network namespace.
    """

    def __init__(
        self, node: str, bridge: str, *, data_directory: Path, conf_directory: Path, enter: Sequence[str] = ()
    ) -> None:
        self._bridge, self._data, self._conf = bridge, data_directory, conf_directory
        self._forwarding = Forwarding(node, bridge, enter)
        self._routing = Routing(node, bridge, enter)

    async def lay(self, pod_cidr: str) -> None:
        """Has all there that pods of this range need to start. Raises `NetworkFailure`, `ValueError`, `OSError`."""
        cni.lay(cni.PodNetwork(bridge=self._bridge, pod_cidr=pod_cidr, data_directory=self._data), self._conf)
        await self._forwarding.lay([pod_cidr])

    def update(self, state: NetworkState) -> None:
        """What is known of the network of all nodes now."""
        self._forwarding.update(state)
        self._routing.update(state)

    async def run(self) -> None:
        """Until cancelled; everything stays as it is then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forwarding.run(), name="forwarding")
            tasks.create_task(self._routing.run(), name="routing")
