"""Keeps what the broker retains for each node equal to what the cluster wants of it.

It knows what the broker holds (learnt when the link came up, and by what was published since), so that nothing
is published that did not change. Only nodes that an event concerns are computed again. A node that is there and
does not acknowledge its digest gets everything again, at growing intervals.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import structs

from reconciler.controllers.volumes import localpath
from reconciler.link import ingresses, retained
from reconciler.link.assignments import Desired, desired, discards, no_token
from reconciler.link.readying import Prepull, changes_prepulls, concerned, prepulls
from reconciler.link.retained import Retained
from reconciler.link.tokens import PodTokens
from reconciler.store.view import Event, View
from schemas.core.config import ConfigMap, Secret, ServiceAccount
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.messages import BadMessage, Digest, decode
from schemas.meta import Object, Ref, ref_of

log = logging.getLogger(__name__)

RESEND_SECONDS = 5.0
MAX_RESEND_SECONDS = 60.0
AHEAD_SECONDS = 0.02
"""What new pods are told before their tokens is on its way by then, and signing keeps nothing of it waiting."""

Publish = Callable[[str, str, bytes], None]
"""Node, topic below the node's own, payload: retained, in the order of the calls."""


class _Told:
    """What one node has been told."""

    def __init__(self) -> None:
        self.digest: Digest | None = None
        self.bodies: dict[str, bytes] = {}
        self.named: frozenset[Ref] = frozenset()
        self.acknowledged: tuple[str, int] | None = None
        self.resend_after = RESEND_SECONDS
        self.resend: asyncio.TimerHandle | None = None


class Outbound:
    """`begin` when the broker's retained messages are known, `end` when the link is lost."""

    def __init__(
        self,
        view: View,
        store: Callable[[], tuple[str, int]],
        online: Callable[[str], bool | None],
        tokens: Callable[[Callable[[str], None]], PodTokens] | None = None,
    ) -> None:
        """`tokens` makes the tokens of pods, given what to call with a node that has to be told anew."""
        self._view, self._store, self._online = view, store, online
        self._tokens = tokens(self.touch) if tokens is not None else None
        self._publish: Publish | None = None
        self._room: Callable[[], Awaitable[None]] = _at_once
        self._nodes: dict[str, _Told] = {}
        self._users: dict[Ref, set[str]] = {}
        self._dirty: dict[str, None] = {}
        self._discards: dict[str, dict[str, str]] | None = None
        """None where a volume that is being deleted has changed since they were looked for."""
        self._prepulls: tuple[Prepull, ...] | None = None
        """None where what asks for images on all nodes has changed since it was looked for."""
        self._wake = asyncio.Event()
        self.settled: Callable[[str], None] = lambda node: None
        """Called when a node has been told all that there is for it."""
        self.resends = 0

    def begin(self, publish: Publish, room: Callable[[], Awaitable[None]]) -> None:
        """`room` returns when more may be published."""
        self._publish, self._room, self._discards, self._prepulls = publish, room, None, None
        for node in self.nodes() | {node.metadata.name for node in self._view.list(Node)}:
            self.touch(node)

    def nodes(self) -> set[str]:
        """Those that the broker retains something for, or that were told something."""
        return set(self._nodes)

    def end(self) -> None:
        """What the broker holds is not known any more, but acknowledgements still hold."""
        self._publish = None
        for told in self._nodes.values():
            told.digest, told.bodies = None, {}
            _cancel(told)

    def told(self, node: str) -> Digest | None:
        """The digest that the node has been told, None while there is news for it."""
        found = self._nodes.get(node)
        return found.digest if found is not None and node not in self._dirty and self._publish is not None else None

    def learn(self, node: str, rest: str, payload: bytes) -> None:
        """A message that the broker retains, as it says when it is asked."""
        told = self._of(node)
        if rest == retained.DIGEST:
            try:
                told.digest = decode(payload, Digest)
            except BadMessage as error:
                log.warning("retained digest is not one, replacing it node=%s error=%s", node, error)
                told.digest = None
        elif payload:
            told.bodies[rest] = retained.hash_of(payload)
            if self._tokens is not None and rest.startswith(retained.TOKENS):
                self._tokens.learn(payload)
        if self._publish is not None:
            self.touch(node)

    def acknowledged(self, node: str, store: str, revision: int) -> None:
        """The node has everything of this digest on its disk."""
        told = self._of(node)
        told.acknowledged = (store, revision)
        self._watch_acknowledgement(node, told)

    def presence_changed(self, node: str) -> None:
        told = self._nodes.get(node)
        if told is not None:
            told.resend_after = RESEND_SECONDS
            _cancel(told)
            self._watch_acknowledgement(node, told)
        self.touch(node)

    def events(self, events: Sequence[Event]) -> None:
        """A listener of the cache."""
        if self._tokens is not None:
            self._tokens.events(events)
        for event in events:
            if changes_assignments(event):
                for node in self._concerned(event):
                    self.touch(node)
            for node in (*concerned(event, self._view), *ingresses.concerned(event, self._view)):
                self.touch(node)
            if changes_prepulls(event):
                self._prepulls = None
                for stored in self._view.list(Node):
                    self.touch(stored.metadata.name)

    def touch(self, node: str) -> None:
        self._dirty[node] = None
        self._wake.set()

    async def run(self) -> None:
        """Publishes, one node in a slice of the loop, for as long as it is not cancelled."""
        while True:
            await self._wake.wait()
            while self._dirty and self._publish is not None:
                await self._pass(tuple(self._dirty))
            self._wake.clear()

    async def _pass(self, nodes: tuple[str, ...]) -> None:
        if await self._go_ahead(nodes):
            await asyncio.sleep(AHEAD_SECONDS)
        await self._provide(nodes)
        for node in nodes:
            await self._provide((node,))  # for pods that came meanwhile
            if self._publish is None:
                return
            self._dirty.pop(node, None)
            self._bring_up_to_date(node, self._publish)
            self.settled(node)
            await self._room()
            await asyncio.sleep(0)

    async def _go_ahead(self, nodes: tuple[str, ...]) -> bool:
        """Tells of new pods before their tokens are signed: what a pod needs else is made meanwhile.

        Only of pods that the node has not been told of. One that it runs must not lose the token that it has.
        """
        is_ahead = False
        for node in nodes:
            known, lacking = self._nodes.get(node), self._tokens.lacking(node) if self._tokens is not None else ()
            if self._publish is None or not lacking or known is None or known.digest is None:
                continue
            if known.digest.pods.keys().isdisjoint(lacking):
                self._bring_up_to_date(node, self._publish)
                is_ahead = True
                await self._room()
                await asyncio.sleep(0)
        return is_ahead

    async def _provide(self, nodes: tuple[str, ...]) -> None:
        if self._tokens is not None:
            await self._tokens.provide(nodes)

    def _desired(self, node: str) -> Desired:
        if self._discards is None:
            self._discards = discards(self._view)
        if self._prepulls is None:
            self._prepulls = prepulls(self._view)
        token = self._tokens.config if self._tokens is not None else no_token
        return desired(node, self._view, token, self._discards.get(node, {}), self._prepulls)

    def unacknowledged(self) -> int:
        return sum(1 for told in self._nodes.values() if _pending(told))

    def _bring_up_to_date(self, node: str, publish: Publish) -> None:
        told = self._of(node)
        wanted = self._desired(node)
        self._index(node, told, wanted)
        if self._view.get(Node, "", node) is None and not wanted.pods:
            if self._online(node) is False:  # else it will register, or it is not known yet whether it will
                self._clear(node, told, publish)
            return
        digest = retained.next_digest(told.digest, wanted, *self._store())
        bodies = retained.bodies_of(wanted)
        for message in retained.publications(Retained(told.digest, told.bodies), digest, bodies):
            publish(node, message.rest, message.payload)
        if digest != told.digest:
            told.resend_after = RESEND_SECONDS
            _cancel(told)
        told.digest = digest
        told.bodies = {rest: retained.hash_of(payload) for rest, payload in bodies.items()}
        self._watch_acknowledgement(node, told)

    def _clear(self, node: str, told: _Told, publish: Publish) -> None:
        """Of a node that nobody knows, and that is not there to say otherwise."""
        for rest in (retained.DIGEST, *told.bodies):
            publish(node, rest, b"")
        _cancel(told)
        del self._nodes[node]

    def _watch_acknowledgement(self, node: str, told: _Told) -> None:
        if not _pending(told) or self._publish is None or not self._online(node):
            told.resend_after = RESEND_SECONDS
            _cancel(told)
        elif told.resend is None:
            told.resend = asyncio.get_running_loop().call_later(told.resend_after, self._send_again, node)

    def _send_again(self, node: str) -> None:
        told = self._nodes.get(node)
        if told is None or told.digest is None or self._publish is None:
            return
        told.resend = None
        told.resend_after = min(2 * told.resend_after, MAX_RESEND_SECONDS)
        self.resends += 1
        log.info("node has not acknowledged, sending again node=%s revision=%d", node, told.digest.revision)
        bodies = retained.bodies_of(self._desired(node))
        for message in retained.publications(Retained(), told.digest, bodies):
            self._publish(node, message.rest, message.payload)
        self._watch_acknowledgement(node, told)

    def _of(self, node: str) -> _Told:
        return self._nodes.setdefault(node, _Told())

    def _concerned(self, event: Event) -> set[str]:
        found: set[str] = set()
        for object_ in (event.old, event.new):
            if isinstance(object_, Pod) and object_.spec.node_name:
                found.add(object_.spec.node_name)
            elif isinstance(object_, Node):
                found.add(object_.metadata.name)
            elif isinstance(object_, ConfigMap | Secret | ServiceAccount | PersistentVolumeClaim):
                found |= self._users.get(ref_of(object_), set())
            elif isinstance(object_, PersistentVolume):
                found |= self._of_volume(object_)
        return found

    def _of_volume(self, volume: PersistentVolume) -> set[str]:
        """The nodes whose pods use it, and the one that may have to remove it."""
        if volume.metadata.deletion_timestamp is not None:
            self._discards = None
        kept = volume.spec.claim_ref
        users = self._users.get(Ref("PersistentVolumeClaim", kept.namespace, kept.name), set()) if kept else set()
        return users | ({localpath.node_of(volume)} - {""})

    def _index(self, node: str, told: _Told, wanted: Desired) -> None:
        for ref in told.named - wanted.named:
            users = self._users[ref]
            users.discard(node)
            if not users:
                del self._users[ref]
        for ref in wanted.named - told.named:
            self._users.setdefault(ref, set()).add(node)
        told.named = wanted.named


def changes_assignments(event: Event) -> bool:
    """Whether a node may have to be told: not for what only reports, its own included, have changed."""
    return event.old is None or event.new is None or _told_of(event.old) != _told_of(event.new)


def _told_of(object_: Object) -> tuple[object, ...]:
    if isinstance(object_, Pod):
        return structs.replace(object_.metadata, managed_fields=(), resource_version=""), object_.spec
    if isinstance(object_, Node):
        return object_.spec.pod_cidr, object_.spec.taints, object_.metadata.labels
    if isinstance(object_, ConfigMap | Secret):
        return (msgspec.json.encode(object_),)
    if isinstance(object_, ServiceAccount):
        return object_.metadata.uid, object_.image_pull_secrets
    if isinstance(object_, PersistentVolumeClaim):
        return object_.spec.volume_name, object_.status.phase
    if isinstance(object_, PersistentVolume):
        return object_.spec, object_.metadata.deletion_timestamp, object_.metadata.finalizers, object_.status.phase
    return ()


async def _at_once() -> None:
    return


def _pending(told: _Told) -> bool:
    return told.digest is not None and told.acknowledged != (told.digest.store, told.digest.revision)


def _cancel(told: _Told) -> None:
    if told.resend is not None:
        told.resend.cancel()
        told.resend = None
