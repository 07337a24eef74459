"""Keeps the node's nftables table equal to what is known of Services, policies and nodes; only changes are sent.

The table stays when the agent ends, so that Services work on. An agent that starts replaces it by its own in one
transaction, and does so again whenever a change is refused: somebody else may have touched it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from nodeagent.network import ruleset
from nodeagent.network.commands import NetworkFailure, run
from nodeagent.network.flows import forgetting, stale
from nodeagent.network.policies import policy_parts
from nodeagent.network.services import Here, service_part
from nodeagent.network.state import NetworkState
from nodeagent.network.table import EMPTY, Element, Part, Table
from schemas.network import NODES, NetworkService

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
RETRY_SECONDS = (1.0, 60.0)
RANGES = "ranges"
"""The key of the part that says where pods are."""


class Forwarding:
    """`enter` is put before commands, to act in another network namespace.

    `joins` is False where somebody else joins the pods to the network: those here are known by their addresses alone,
    and how they leave for the world is not ours.
    """

    def __init__(self, node: str, bridge: str, enter: Sequence[str] = (), *, joins: bool = True) -> None:
        self._node, self._enter, self._joins = node, enter, joins
        self._table = Table(bridge, ruleset.declared(bridge))
        self._ranges: tuple[str, ...] = ()
        self._state = NetworkState()
        self._done: Mapping[str, NetworkService] = {}
        self._policies: frozenset[str] = frozenset()
        self._placed: Mapping[str, tuple[str, ...]] = {}
        self._here = Here(node)
        self._laid = False
        self._changed, self._turn = asyncio.Event(), asyncio.Lock()
        self._forgets = True
        self._contested: dict[Element, tuple[str, ...]] = {}

    def update(self, state: NetworkState) -> None:
        """What is known now."""
        self._state = state
        self._changed.set()

    def placed(self, uid: str, addresses: tuple[str, ...]) -> None:
        """A pod of this node has these addresses; none when it is gone."""
        if self._placed.get(uid, ()) != addresses:
            others = {key: value for key, value in self._placed.items() if key != uid}
            self._placed = others | ({uid: addresses} if addresses else {})
            if self._state.policies:
                self._changed.set()

    async def lay(self, ranges: Sequence[str]) -> None:
        """Has the whole table in the kernel, for a node with these pod CIDRs. Raises `NetworkFailure`."""
        async with self._turn:
            self._ranges = tuple(ranges)
            self._laid = False
            await self._bring_up_to_date()

    async def run(self) -> None:
        """Until cancelled; the table stays."""
        patience = RETRY_SECONDS[0]
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            if not self._ranges:
                continue  # `lay` will do it all
            try:
                async with self._turn:
                    await self._bring_up_to_date()
                patience = RETRY_SECONDS[0]
            except NetworkFailure as error:
                log.error("the rules of Services and policies are behind, retry in %.0f s: %s", patience, error)
                asyncio.get_running_loop().call_later(patience, self._changed.set)
                patience = min(2 * patience, RETRY_SECONDS[1])

    async def _bring_up_to_date(self) -> None:
        state = self._state
        parts = await asyncio.to_thread(self._differing, state)
        script = await asyncio.to_thread(self._table.change, parts)
        done, self._done = self._done, state.services
        if self._laid and script:
            try:
                await self._nft(script)
            except NetworkFailure as error:
                log.warning("the rules are not as they were left, laying all of them again: %s", error)
                self._laid = False
        if not self._laid:
            await self._nft(await asyncio.to_thread(self._table.whole))
            self._laid = True
        await self._forget(done, state.services)
        self._complain()

    def _differing(self, state: NetworkState) -> dict[str, Part]:
        """The parts that may be others than those in the table. A Service that has not changed is the same object."""
        own = state.nodes.get(NODES + self._node)
        here = Here(self._node, own.zone if own else "")
        everything, self._here = here != self._here, here
        parts = {RANGES: ruleset.ranges_part(state.nodes, self._ranges if self._joins else ())}
        parts |= {key: EMPTY for key in self._done.keys() - state.services.keys()}
        for key, service in state.services.items():
            if everything or self._done.get(key) is not service:
                parts[key] = service_part(service, here)
        places = self._ranges if self._joins else [one for addresses in self._placed.values() for one in addresses]
        guarding = policy_parts(state.policies, places, self._placed)
        parts |= dict.fromkeys(self._policies - guarding.keys(), EMPTY) | guarding
        self._policies = frozenset(guarding)
        return parts

    async def _forget(self, old: Mapping[str, NetworkService], new: Mapping[str, NetworkService]) -> None:
        """Has the kernel forget flows of UDP that lead nowhere any more, now that the rules are others."""
        changed = [key for key in old.keys() | new.keys() if old.get(key) is not new.get(key)]
        for flow in [one for key in changed for one in stale(old.get(key), new.get(key))]:
            if not self._forgets:
                return
            try:
                await run((*self._enter, "conntrack", *forgetting(flow)))
            except NetworkFailure as error:
                if "0 flow entries" not in str(error):
                    log.warning("flows of UDP to endpoints that are gone stay until they are silent: %s", error)
                    self._forgets = False

    async def _nft(self, script: str) -> None:
        await run((*self._enter, "nft", "-f", "-"), script)

    def _complain(self) -> None:
        contested = self._table.contested()
        for element, (owner, *others) in contested.items():
            if self._contested.get(element) != (owner, *others):
                log.warning("one address and port of several Services at=%s has=%s lacks=%s", element[1], owner, others)
        self._contested = contested
