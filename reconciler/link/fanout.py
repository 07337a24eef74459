"""Keeps what the broker retains of the network equal to the cluster: one topic for each node, Service and policy.

It knows what the broker holds (learnt when the link came up, and by what was published since), so that nothing is
published that did not change. Bodies come before the digest that counts them in. Nobody acknowledges: an agent that
holds something else than the digest says asks its broker again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from reconciler.addresspools import Pool
from reconciler.link import network
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.core.service import Service
from schemas.discovery import EndpointSlice
from schemas.messages import BadMessage, decode, encode
from schemas.meta import Ref, ref_of
from schemas.network import INGRESSES, NODES, POLICIES, SERVICES, NetworkDigest, body_hash, combined
from schemas.networking import Ingress, IngressClass, NetworkPolicy

GATHER_SECONDS = 0.01
"""Changes that come together are told with one digest."""

Publish = Callable[[str, bytes], None]
"""Key (empty: the digest) and payload: retained, in the order of the calls."""


class Fanout:
    """`begin` when the broker's retained messages are known, `end` when the link is lost."""

    def __init__(self, view: View, store: Callable[[], tuple[str, int]], pools: Sequence[Pool] = ()) -> None:
        self._view, self._store, self._pools = view, store, pools
        self._publish: Publish | None = None
        self._room: Callable[[], Awaitable[None]] | None = None
        self._hashes: dict[str, int] = {}
        self._digest: NetworkDigest | None = None
        self._slices: dict[str, set[Ref]] = {}
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()

    def learn(self, key: str, payload: bytes) -> None:
        """A message that the broker retains, as it says when it is asked."""
        if key:
            if payload:
                self._hashes[key] = body_hash(key, payload)
            return
        try:
            self._digest = decode(payload, NetworkDigest) if payload else None
        except BadMessage:
            self._digest = None

    def begin(self, publish: Publish, room: Callable[[], Awaitable[None]]) -> None:
        """`room` returns when more may be published."""
        self._publish, self._room = publish, room
        self._slices = {}
        for slice_ in self._view.list(EndpointSlice):
            self._index(None, slice_)
        self._dirty = dict.fromkeys([*self._hashes, *self._keys()])
        self._wake.set()

    def end(self) -> None:
        """What the broker holds is not known any more."""
        self._publish, self._digest = None, None
        self._hashes.clear()
        self._dirty.clear()

    def events(self, events: Sequence[Event]) -> None:
        """A listener of the cache."""
        if self._publish is None:
            return
        for event in events:
            if isinstance(event.object, EndpointSlice):
                self._index(event.old, event.new)
            for key in network.keys_of(event):
                self._dirty[key] = None
            if network.stirs(event):
                self._dirty |= dict.fromkeys(_key(policy) for policy in self._view.list(NetworkPolicy))
            if isinstance(event.object, IngressClass):
                self._dirty |= dict.fromkeys(_key(one) for one in self._view.list(Ingress))
            if self._pools and network.moves(event):
                self._dirty |= dict.fromkeys(_key(one) for one in self._view.list(Service) if one.status.load_balancer)
        if self._dirty:
            self._wake.set()

    async def run(self) -> None:
        """Publishes, one body in a slice of the loop, for as long as it is not cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            while self._dirty and self._publish is not None and self._room is not None:
                key = next(iter(self._dirty))
                del self._dirty[key]
                self._bring_up_to_date(key, self._publish)
                await self._room()
                await asyncio.sleep(0)
            self._wake.clear()
            if self._publish is not None:
                self._tell_digest(self._publish)

    def _bring_up_to_date(self, key: str, publish: Publish) -> None:
        found = network.body(key, self._view, self._slices_of(key), self._pools)
        if found is None:
            if self._hashes.pop(key, None) is not None:
                publish(key, b"")
            return
        payload = encode(found)
        hash_ = body_hash(key, payload)
        if self._hashes.get(key) != hash_:
            self._hashes[key] = hash_
            publish(key, payload)

    def _tell_digest(self, publish: Publish) -> None:
        store, revision = self._store()
        told = self._digest
        wanted = NetworkDigest(store, revision, len(self._hashes), combined(self._hashes.values()))
        if told is None or (told.store, told.count, told.hash) != (store, wanted.count, wanted.hash):
            self._digest = wanted
            publish("", encode(wanted))

    def _keys(self) -> list[str]:
        view = self._view
        kinds = (view.list(Node), view.list(Service), view.list(NetworkPolicy), view.list(Ingress))
        return [_key(one) for kind in kinds for one in kind]

    def _slices_of(self, key: str) -> list[EndpointSlice]:
        found = (self._view.find(ref) for ref in self._slices.get(key, ()))
        return [one for one in found if isinstance(one, EndpointSlice)]

    def _index(self, old: object, new: object) -> None:
        for slice_, present in ((old, False), (new, True)):
            if isinstance(slice_, EndpointSlice) and (service := network.service_of(slice_)) is not None:
                key = f"{SERVICES}{service.namespace}/{service.name}"
                held = self._slices.setdefault(key, set())
                (held.add if present else held.discard)(ref_of(slice_))
                if not held:
                    del self._slices[key]


def _key(object_: Node | Service | NetworkPolicy | Ingress) -> str:
    metadata = object_.metadata
    match object_:
        case Node():
            return NODES + metadata.name
        case Service():
            return f"{SERVICES}{metadata.namespace}/{metadata.name}"
        case Ingress():
            return f"{INGRESSES}{metadata.namespace}/{metadata.name}"
    return f"{POLICIES}{metadata.namespace}/{metadata.name}"
