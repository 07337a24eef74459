"""What this node knows of the network of all nodes: pure, from the messages in whatever order they come.

What arrives counts at once. What was known before and has not been told again in this connection stays, until all
that has been told adds up to what the digest says: then that is everything, and the rest is gone.
"""

from collections.abc import Mapping

import msgspec
from msgspec import field

from schemas.messages import decode
from schemas.network import (
    INGRESSES,
    NODES,
    POLICIES,
    SERVICES,
    NetworkBody,
    NetworkDigest,
    NetworkIngress,
    NetworkNode,
    NetworkPolicyBody,
    NetworkService,
    body_hash,
    combined,
)

_TYPES: Mapping[str, type[NetworkBody]] = {
    NODES: NetworkNode,
    SERVICES: NetworkService,
    POLICIES: NetworkPolicyBody,
    INGRESSES: NetworkIngress,
}


class NetworkState(msgspec.Struct, frozen=True):
    """The bodies by their key (`services/<namespace>/<name>` and so on)."""

    nodes: Mapping[str, NetworkNode] = field(default_factory=dict)
    services: Mapping[str, NetworkService] = field(default_factory=dict)
    policies: Mapping[str, NetworkPolicyBody] = field(default_factory=dict)
    ingresses: Mapping[str, NetworkIngress] = field(default_factory=dict)


class Known:
    """Collects what is told. `state` is what holds now; it is another object whenever something has changed."""

    def __init__(self, held: NetworkState) -> None:
        self._bodies: dict[str, NetworkBody] = {
            **held.nodes,
            **held.services,
            **held.policies,
            **held.ingresses,
        }
        self._told: dict[str, int] = {}
        self._digest: NetworkDigest | None = None
        self._state: NetworkState | None = held

    @property
    def state(self) -> NetworkState:
        if self._state is None:
            self._state = NetworkState(
                {key: body for key, body in self._bodies.items() if isinstance(body, NetworkNode)},
                {key: body for key, body in self._bodies.items() if isinstance(body, NetworkService)},
                {key: body for key, body in self._bodies.items() if isinstance(body, NetworkPolicyBody)},
                {key: body for key, body in self._bodies.items() if isinstance(body, NetworkIngress)},
            )
        return self._state

    @property
    def whole(self) -> bool:
        """Whether all that has been told is all that there is. Not known before a digest has come."""
        return self._digest is not None and self._adds_up(self._digest)

    @property
    def lacks(self) -> bool:
        """Whether there is a digest, and what has been told does not add up to it: ask the broker again."""
        return self._digest is not None and not self._adds_up(self._digest)

    def begin(self) -> None:
        """A connection begins: everything will be told again."""
        self._told.clear()
        self._digest = None

    def say(self, key: str, payload: bytes) -> None:
        """A message under `network/` (empty key: the digest). Raises `BadMessage`; what held before then holds on."""
        if not key:
            self._digest = decode(payload, NetworkDigest) if payload else None
        elif payload:
            self._told[key] = body_hash(key, payload)
        else:
            self._told.pop(key, None)
            self._drop(key)
        if self.whole:
            for gone in self._bodies.keys() - self._told.keys():
                self._drop(gone)
        if key and payload:
            self._put(key, payload)

    def _put(self, key: str, payload: bytes) -> None:
        """A part that is not known here is a newer reconciler's, and passed over."""
        type_ = next((type_ for part, type_ in _TYPES.items() if key.startswith(part)), None)
        if type_ is None:
            return
        body = decode(payload, type_)
        if self._bodies.get(key) != body:
            self._bodies[key] = body
            self._state = None

    def _drop(self, key: str) -> None:
        if self._bodies.pop(key, None) is not None:
            self._state = None

    def _adds_up(self, digest: NetworkDigest) -> bool:
        return len(self._told) == digest.count and combined(self._told.values()) == digest.hash
