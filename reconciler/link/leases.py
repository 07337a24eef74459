"""Gives the nodes word for their leases, and knows how long each has been without.

A node that is told to be away is given none. So what was decided about its pods meanwhile is in the digest that the
next word goes with, and once a node has been silent for as long as a pod's lease and grace, nothing of that pod runs.
Only the monotonic clock counts. How long a node is silent is known only as far as this reconciler was connected: it
counts from when it said that it is there, up to the last moment of which the broker's acknowledgement tells that it
still was. Before and after that agents take the broker's word for ours (`nodeagent.renewal`).
"""

import time
from collections.abc import Callable, Sequence

from reconciler.controllers.silence import Silence
from reconciler.store.view import Event, View
from schemas.conditions import find
from schemas.core.node import Node
from schemas.messages import LEASE_GRANTED, Digest, LeaseGrant, LeaseRequest, decode, encode

PROOF_SECONDS = 1.0
"""How old a proof that the connection holds may be before another one is asked for."""

Say = Callable[[str, str, bytes], None]
"""Node, topic below the node's own, payload."""


class Leases:
    """`begin` when the broker is told that there is a reconciler, `end` when the link is lost.

    `digest` is what the node has been told, None while there is news for it that it has not been told yet.
    """

    def __init__(
        self, view: View, digest: Callable[[str], Digest | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._view, self._digest, self._clock = view, digest, clock
        self._say: Say | None = None
        self._prove: Callable[[], object] = lambda: None
        self._asked: dict[str, LeaseRequest] = {}
        self._granted: dict[str, float] = {}
        self._begun = self._proved = self._proof_asked = 0.0

    def begin(self, say: Say, prove: Callable[[], object]) -> None:
        """`prove` leads to a call of `proved`, if the connection holds."""
        self._say, self._prove = say, prove
        self._begun = self._proved = self._proof_asked = self._clock()

    def end(self) -> None:
        self._say = None
        self._asked.clear()
        self._granted.clear()

    def asked(self, node: str, payload: bytes) -> None:
        """A request of a node. Raises `BadMessage`."""
        self._asked[node] = decode(payload, LeaseRequest)
        self.settle(node)

    def events(self, events: Sequence[Event]) -> None:
        """A listener of the cache: a node that is there again may be answered."""
        for event in events:
            if isinstance(event.new, Node):
                self.settle(event.new.metadata.name)

    def settle(self, node: str) -> None:
        """Answers the node's request, if there is one and nothing stands against it."""
        request = self._asked.get(node)
        if request is None or self._say is None or not self._is_there(node):
            return
        digest = self._digest(node)
        if digest is None:
            return
        del self._asked[node]
        self._granted[node] = self._clock()
        grant = LeaseGrant(request.epoch, request.number, digest.store, digest.revision)
        self._say(node, LEASE_GRANTED, encode(grant))

    def proved(self, at: float) -> None:
        """The connection held at this time of the clock."""
        self._proved = max(self._proved, at)

    def silence(self, node: str) -> Silence:
        """For how long the node has had no word."""
        if self._say is None:
            return Silence(0.0, 0.0)
        now, since = self._clock(), max(self._begun, self._granted.get(node, 0.0))
        if now - max(self._proved, self._proof_asked) > PROOF_SECONDS:
            self._proof_asked = now
            self._prove()
        return Silence(now - since, max(0.0, self._proved - since))

    def _is_there(self, node: str) -> bool:
        found = self._view.get(Node, "", node)
        ready = find(found.status.conditions, "Ready") if found is not None else None
        return ready is not None and ready.status != "Unknown"
