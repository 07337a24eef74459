"""Keeps the routes to the pods of other nodes: brings into the kernel what `routes.plan` says, only when it changes.

All routes are marked with a protocol number of their own; no other is touched.
"""

import asyncio
import logging
from collections.abc import Sequence
from zlib import crc32

from nodeagent.network.commands import NetworkFailure, batch, ip
from nodeagent.network.routes import Link, Own, Plan, links, plan
from nodeagent.network.securing import Secured, Securing, remove, secured_name
from nodeagent.network.state import NetworkState

log = logging.getLogger(__name__)

VXLAN_ID, VXLAN_PORT = 87, 4789
GATHER_SECONDS = 0.01
RETRY_SECONDS = (1.0, 60.0)


class Routing:
    """`bridge` is the pods' own, which is no link to other nodes. `enter` is put before commands.

    `securing` has WireGuard used, where both nodes can.
    """

    def __init__(self, node: str, bridge: str, enter: Sequence[str] = (), securing: Securing | None = None) -> None:
        self._node, self._bridge, self._enter = node, bridge, enter
        self._tunnel, self._protocol = tunnel_name(bridge), protocol(bridge)
        self._securing = securing
        self._guard = Own(securing.device, securing.public_key) if securing else Own()
        self._state = NetworkState()
        self._done: Plan | None = None
        self._changed = asyncio.Event()

    def update(self, state: NetworkState) -> None:
        if state.nodes != self._state.nodes:
            self._changed.set()
        self._state = state

    def moved(self) -> None:
        """An address of ours has come or gone."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled; the routes stay."""
        patience = RETRY_SECONDS[0]
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            try:
                await self._bring_up_to_date()
                patience = RETRY_SECONDS[0]
            except NetworkFailure as error:
                log.error("no routes to the pods of other nodes, retry in %.0f s: %s", patience, error)
                self._done = None
                asyncio.get_running_loop().call_later(patience, self._changed.set)
                patience = min(2 * patience, RETRY_SECONDS[1])

    async def _bring_up_to_date(self) -> None:
        wanted = plan(self._node, self._state.nodes, await self._links(), self._tunnel, self._guard)
        if wanted == self._done:
            return
        if wanted.peers:
            await self._lay_tunnels(wanted)
        elif self._done is None or self._done.peers:
            await self._remove_tunnels()
        await self._secure(wanted)
        stale = await self._present() - {route.destination for route in wanted.routes}
        lines = [f"route del {destination} proto {self._protocol}" for destination in sorted(stale)]
        lines += [
            f"route replace {one.destination}{f' via {one.via}' if one.via else ''} dev {one.device}"
            f" proto {self._protocol}{' onlink' if one.onlink else ''}"
            for one in wanted.routes
        ]
        await batch("ip", lines, self._enter)
        if self._done != wanted:
            counts = len(wanted.routes), len(wanted.peers), len(wanted.secured)
            log.info("routes to other nodes routes=%d tunnels=%d secured=%d", *counts)
        self._done = wanted

    async def _links(self) -> list[Link]:
        """Those that lead to other machines: up, and none of ours."""
        return links(
            await ip("addr", "show", "up", enter=self._enter), {self._bridge, self._tunnel, secured_name(self._bridge)}
        )

    async def _present(self) -> set[str]:
        routes = await ip("route", "show", "proto", str(self._protocol), enter=self._enter)
        routes += await ip("-6", "route", "show", "proto", str(self._protocol), enter=self._enter)
        return {one["dst"] for one in routes}

    async def _secure(self, wanted: Plan) -> None:
        if self._securing is not None and wanted.secured:
            await self._securing.lay(Secured(wanted.secured, wanted.own, wanted.mtu))
        elif self._done is None or self._done.secured:
            await remove(secured_name(self._bridge), self._enter)

    async def _lay_tunnels(self, wanted: Plan) -> None:
        name = self._tunnel
        before = self._done
        if before is None or _ends(before) != _ends(wanted):
            await self._remove_tunnels()
            options = f"id {VXLAN_ID} dstport {VXLAN_PORT} local {wanted.source} nolearning"
            await batch(
                "ip",
                [
                    f"link add {name} address {wanted.hardware} type vxlan {options}",
                    *(f"addr add {one} dev {name}" for one in wanted.own),
                    f"link set {name} up",
                ],
                self._enter,
            )
            before = None
        gone = set(before.peers if before else ()) - set(wanted.peers)
        fresh = set(wanted.peers) - set(before.peers if before else ())
        await batch("bridge", [f"fdb del {one.hardware} dev {name} dst {one.address}" for one in gone], self._enter)
        await batch(
            "bridge", [f"fdb replace {one.hardware} dev {name} dst {one.address} self" for one in fresh], self._enter
        )
        neighbours = [f"neigh del {at} dev {name}" for one in gone for at in one.gateways]
        neighbours += [
            f"neigh replace {at} lladdr {one.hardware} dev {name} nud permanent" for one in fresh for at in one.gateways
        ]
        await batch("ip", neighbours, self._enter)

    async def _remove_tunnels(self) -> None:
        if any(each["ifname"] == self._tunnel for each in await ip("link", "show", enter=self._enter)):
            await batch("ip", [f"link del {self._tunnel}"], self._enter)


def _ends(plan: Plan) -> tuple[object, ...]:
    """What this node is at its own end of the tunnels."""
    return plan.source, plan.hardware, plan.own


def tunnel_name(bridge: str) -> str:
    """Of the device that all tunnels of the node leave by; at most 15 letters, as a device's name may have."""
    return f"x{bridge}"[:15]


def protocol(bridge: str) -> int:
    """The number that marks our routes in the kernel's table: none that a routing daemon has, and ours alone.

    `ip route show proto NUMBER` lists them.
    """
    return 100 + crc32(bridge.encode()) % 80
