"""Answers on the node's links for the addresses of Services that this node has been chosen for.

The addresses are on a device of their own, so that the kernel answers for them, also while the agent is away. Whoever
is on the link is told when one comes. A node without a link to its broker cannot know whether another one has been
chosen since: it asks on the link, from time to time, and gives way to who answers, until it is told anew.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_interface

from nodeagent.network.commands import NetworkFailure, batch, ip, run
from nodeagent.network.neighbours import announce, is_elsewhere
from nodeagent.network.routes import Link, links
from nodeagent.network.state import NetworkState
from schemas.network import NetworkService

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
RETRY_SECONDS = (1.0, 60.0)
TIMES, APART_SECONDS = 3, 0.3
"""An announcement can be lost."""
ASK_SECONDS, PATIENCE_SECONDS = 15.0, 1.0
"""How often a node that is cut off asks who else has an address, and how long it waits for who answers."""
SETTLE_SECONDS = 5.0
"""After the link is back, what was given up may be taken again unless something else has been told by then."""


def chosen(services: Mapping[str, NetworkService], node: str) -> frozenset[str]:
    """The addresses that this node is to answer for."""
    return frozenset(ip for one in services.values() if one.announcer == node for ip in one.load_balancer_ips)


def whereabouts(addresses: Iterable[str], links: Sequence[Link]) -> dict[str, list[str]]:
    """The devices on which each address is told: the one whose network it is in, else all of them."""
    everywhere = [link.device for link in links]
    return {
        one: [
            link.device for link in links if any(ip_address(one) in ip_interface(own).network for own in link.addresses)
        ]
        or everywhere
        for one in addresses
    }


class Announcing:
    """`enter` is put before commands, to act in another network namespace; announcements are made where we are."""

    def __init__(self, node: str, bridge: str, enter: Sequence[str] = ()) -> None:
        self._node, self._enter = node, enter
        self._bridge, self._device = bridge, device_name(bridge)
        self._state = NetworkState()
        self._held: frozenset[str] | None = None
        self._given_up: frozenset[str] = frozenset()
        self._linked = False
        self._changed = asyncio.Event()
        self._changed.set()

    def update(self, state: NetworkState) -> None:
        if chosen(state.services, self._node) != chosen(self._state.services, self._node):
            self._given_up &= chosen(state.services, self._node)
            self._changed.set()
        self._state = state

    def linked(self, linked: bool) -> None:
        """Whether the broker can be reached."""
        self._linked = linked
        if linked and self._given_up:
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._take_again)
        if self._held:
            self._changed.set()

    def _take_again(self) -> None:
        if self._linked:
            self._given_up = frozenset()
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled; the addresses stay."""
        patience = RETRY_SECONDS[0]
        while True:
            try:
                async with asyncio.timeout(ASK_SECONDS if self._held and not self._linked else None):
                    await self._changed.wait()
                await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                log.debug("asking who else answers for the addresses of Services")
            self._changed.clear()
            try:
                await self._bring_up_to_date()
                patience = RETRY_SECONDS[0]
            except (NetworkFailure, OSError) as error:
                log.error("addresses of Services are behind, retry in %.0f s: %s", patience, error)
                self._held = None
                asyncio.get_running_loop().call_later(patience, self._changed.set)
                patience = min(2 * patience, RETRY_SECONDS[1])

    async def _bring_up_to_date(self) -> None:
        """At the first time the kernel is asked what an earlier agent has left, and all is announced once more."""
        wanted = chosen(self._state.services, self._node) - self._given_up
        if wanted == self._held and (self._linked or not wanted):
            return
        held = await self._present() if self._held is None else self._held
        places = whereabouts(wanted, await self._links()) if wanted else {}
        if not self._linked:
            wanted -= await self._taken(places)
        await self._remove(held - wanted)
        await self._add(wanted - held, places)
        fresh, self._held = wanted - (self._held or frozenset()), wanted
        if fresh:
            log.info("answering for addresses of Services addresses=%s", ",".join(sorted(fresh)))
            await self._announce(fresh, places)

    async def _taken(self, places: Mapping[str, Sequence[str]]) -> frozenset[str]:
        """Those that somebody else answers for."""
        asked = [(one, device) for one, devices in places.items() if ":" not in one for device in devices]
        answers = await asyncio.gather(*(is_elsewhere(device, one, PATIENCE_SECONDS) for one, device in asked))
        taken = frozenset(one for (one, _), found in zip(asked, answers, strict=True) if found)
        if taken:
            log.warning("another node answers for addresses, giving them up addresses=%s", ",".join(sorted(taken)))
            self._given_up |= taken
        return taken

    async def _announce(self, fresh: Iterable[str], places: Mapping[str, Sequence[str]]) -> None:
        by_device: dict[str, list[str]] = {}
        for one in sorted(fresh):
            for device in places[one]:
                by_device.setdefault(device, []).append(one)
        for time in range(TIMES):
            if time:
                await asyncio.sleep(APART_SECONDS)
            for device, addresses in by_device.items():
                announce(device, addresses)

    async def _add(self, addresses: frozenset[str], places: Mapping[str, Sequence[str]]) -> None:
        """The kernel answers for an address of IPv4 wherever it is, for one of IPv6 only where it is told to."""
        if not addresses:
            return
        made = [] if await self._is_there() else [f"link add {self._device} type bridge"]
        lines = [f"addr add {_whole(one)} dev {self._device} {_option(one)}" for one in sorted(addresses)]
        proxied = [(one, device) for one in sorted(addresses) if ":" in one for device in places[one]]
        for device in sorted({device for _, device in proxied}):
            await run((*self._enter, "sysctl", "-q", "-w", f"net.ipv6.conf.{device}.proxy_ndp=1"))
        lines += [f"neigh replace proxy {one} dev {device}" for one, device in proxied]
        await batch("ip", [*made, f"link set {self._device} up", *lines], self._enter)

    async def _remove(self, addresses: frozenset[str]) -> None:
        lines = [f"addr del {_whole(one)} dev {self._device}" for one in sorted(addresses)]
        if any(":" in one for one in addresses):
            proxied = await ip("-6", "neigh", "show", "proxy", enter=self._enter)
            lines += [f"neigh del proxy {one['dst']} dev {one['dev']}" for one in proxied if one["dst"] in addresses]
        await batch("ip", lines, self._enter)

    async def _is_there(self) -> bool:
        return any(one["ifname"] == self._device for one in await ip("link", "show", enter=self._enter))

    async def _present(self) -> frozenset[str]:
        devices = await ip("addr", "show", enter=self._enter)
        own = [one for each in devices if each["ifname"] == self._device for one in each["addr_info"]]
        return frozenset(one["local"] for one in own if one["scope"] != "link")

    async def _links(self) -> list[Link]:
        return links(await ip("addr", "show", "up", enter=self._enter), {self._bridge, self._device})


def device_name(bridge: str) -> str:
    """Of the device that holds the addresses; at most 15 letters, as a device's name may have."""
    return f"l{bridge}"[:15]


def _whole(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _option(address: str) -> str:
    return "nodad" if ":" in address else "scope host"
