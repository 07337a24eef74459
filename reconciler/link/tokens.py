"""The tokens of the pods on all nodes: made when a pod is told to its node, and anew before their time is over.

Nothing of it is on the reconciler's disk. After a restart the tokens are those that the broker retains, where they
still hold; what it has lost is made again. An idle fleet causes nothing: the token that every pod gets lasts a year.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from reconciler.store.view import Event, View
from schemas import podtokens
from schemas.core.config import ServiceAccount
from schemas.core.pod import Pod
from schemas.messages import BadMessage, Config, decode
from schemas.podtokens import Asked

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
_LONGEST_SLEEP = 24 * 3600.0
"""Clocks are set, and machines sleep: the time is looked at once a day."""


class Minted(msgspec.Struct, frozen=True):
    """A token. `account` is the uid of its ServiceAccount; after `due` (seconds since 1970) a new one is made."""

    text: bytes
    account: str
    due: float


class CannotMint(Exception):
    """No token can be made now; the text says why."""


class Minter(Protocol):
    """Who signs."""

    async def mint(self, wanted: Sequence[tuple[Pod, Asked]]) -> Sequence[Minted | None]:
        """A token for each, None where there can be none. Raises `CannotMint`."""

    def read(self, uid: str, text: bytes) -> Minted | None:
        """What was minted for the pod of this uid, if it still holds."""


class PodTokens:
    """`touch` is called with each node that has to be told anew."""

    def __init__(self, view: View, minter: Minter, clock: Callable[[], datetime], touch: Callable[[str], None]) -> None:
        self._view, self._minter, self._clock, self._touch = view, minter, clock, touch
        self._held: dict[str, dict[str, Minted]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")

    def learn(self, payload: bytes) -> None:
        """A body that the broker retains."""
        try:
            config = decode(payload, Config)
        except BadMessage as error:
            log.warning("retained tokens are none, making others error=%s", error)
            return
        for key, text in config.data.items():
            minted = self._minter.read(config.name, text)
            if minted is not None:
                self._hold(config.name, key, minted)

    def config(self, pod: Pod) -> Config | None:
        """The body of the tokens that the pod asks for; None where it has none."""
        held = self._held.get(pod.metadata.uid, {})
        data = {asked.key: held[asked.key].text for asked in podtokens.asked(pod) if asked.key in held}
        return Config("Token", pod.metadata.namespace, pod.metadata.uid, data) if data else None

    def events(self, events: Sequence[Event]) -> None:
        """A listener of the cache: with its pod a token goes."""
        for event in events:
            if event.new is None and isinstance(event.old, Pod):
                self._held.pop(event.old.metadata.uid, None)

    def lacking(self, node: str) -> frozenset[str]:
        """The uids of the node's pods for which something has to be made."""
        return frozenset(pod.metadata.uid for pod, _ in self._wanted((node,)))

    async def provide(self, nodes: Iterable[str]) -> None:
        """Makes what the pods of these nodes lack, those that come meanwhile included."""
        tried = set[tuple[str, Asked]]()
        places = tuple(nodes)
        while wanted := [one for one in self._wanted(places) if (one[0].metadata.uid, one[1]) not in tried]:
            tried |= {(pod.metadata.uid, asked) for pod, asked in wanted}
            try:
                minted = await self._minter.mint(wanted)
            except CannotMint as error:
                log.error("cannot make tokens for pods, trying again later error=%s", error)
                for node in places:
                    asyncio.get_running_loop().call_later(RETRY_SECONDS, self._touch, node)
                return
            for (pod, asked), one in zip(wanted, minted, strict=True):
                if one is not None:
                    self._hold(pod.metadata.uid, asked.key, one)

    def _wanted(self, nodes: Iterable[str]) -> Iterator[tuple[Pod, Asked]]:
        now = self._clock().timestamp()
        for node in nodes:
            for pod in self._view.pods_on(node):
                for asked in podtokens.asked(pod) if _runs(pod) else ():
                    if self._lacks(pod, asked, now):
                        yield pod, asked

    def _lacks(self, pod: Pod, asked: Asked, now: float) -> bool:
        """An account that is gone makes no tokens; the pod keeps what it has."""
        metadata = pod.metadata
        account = self._view.get(ServiceAccount, metadata.namespace, pod.spec.service_account_name)
        held = self._held.get(metadata.uid, {}).get(asked.key)
        if account is None:
            return False
        return held is None or held.due <= now or held.account != account.metadata.uid

    def _hold(self, uid: str, key: str, minted: Minted) -> None:
        self._held.setdefault(uid, {})[key] = minted
        if minted.due < self._next:
            self._wake_at(minted.due)

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = due
        wait = min(max(due - self._clock().timestamp(), 1.0), _LONGEST_SLEEP)
        self._timer = asyncio.get_running_loop().call_later(wait, self._look)

    def _look(self) -> None:
        """Touches the nodes of what is due. What is made for them sets the timer again."""
        now, self._timer, self._next = self._clock().timestamp(), None, float("inf")
        later = float("inf")
        for uid, held in self._held.items():
            due = min(one.due for one in held.values())
            pod = self._view.by_uid(uid)
            if due > now:
                later = min(later, due)
            elif isinstance(pod, Pod) and _runs(pod):
                self._touch(pod.spec.node_name)
        if later < self._next:
            self._wake_at(later)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _runs(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")
