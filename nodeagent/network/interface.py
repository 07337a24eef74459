"""What the agent asks of its node's network."""

from collections.abc import Mapping
from typing import Protocol

from nodeagent.network.state import NetworkState
from schemas.messages import Config


class Network(Protocol):
    """Of a real node, or of a simulated one."""

    async def lay(self, pod_cidr: str) -> None:
        """Has all there that pods of this range need to start; there is one of each family, with a comma between.

        May raise `NetworkFailure`, and is tried again.
        """

    def update(self, state: NetworkState) -> None:
        """What is known of the network of all nodes now."""

    def configs(self, configs: Mapping[str, Config]) -> None:
        """ConfigMaps and Secrets that the node was given; certificates of Ingresses are among them."""

    def linked(self, linked: bool) -> None:
        """Whether the broker, and all who are told by it, can be reached."""

    def placed(self, uid: str, addresses: tuple[str, ...]) -> None:
        """A pod of this node has these addresses; none when it is gone."""
