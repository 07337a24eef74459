"""What the broker keeps for a node, and what has to be published to make that right: pure.

Bodies come before the digest that names them, and go only after it: at no moment does a digest that is the
newest name a body that the broker does not hold.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import field, structs

from reconciler.link.assignments import Desired
from schemas.messages import Digest, encode

DIGEST = "desired"
PODS = "desired/pods/"
CONFIGS = "desired/config/"
TOKENS = "desired/config/token/"

Bodies = dict[str, bytes]
"""Payloads by topic, below the node's own."""


class Retained(msgspec.Struct, frozen=True):
    """`bodies`: the hash of each payload, by topic below the node's own."""

    digest: Digest | None = None
    bodies: Mapping[str, bytes] = field(default_factory=dict)


class Publication(msgspec.Struct, frozen=True):
    """One retained message; an empty payload clears the topic."""

    rest: str
    payload: bytes


def bodies_of(desired: Desired) -> Bodies:
    """Configs first: a pod that starts finds them there."""
    configs = {CONFIGS + key: encode(config) for key, config in desired.configs.items()}
    return configs | {PODS + uid: encode(assignment) for uid, assignment in desired.pods.items()}


def hash_of(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=12).digest()


def next_digest(retained: Digest | None, desired: Desired, store: str, revision: int) -> Digest:
    """The digest of what is desired: the retained one where it says the same, else one of a larger revision."""
    if retained is None or retained.store != store:
        return desired.digest(store, revision)
    fresh = desired.digest(store, retained.revision)
    if fresh == retained:
        return retained
    return structs.replace(fresh, revision=max(revision, retained.revision + 1))


def publications(retained: Retained, digest: Digest, bodies: Bodies) -> Iterator[Publication]:
    """What brings the broker from what it keeps to this digest and its bodies, in order."""
    for rest, payload in bodies.items():
        if retained.bodies.get(rest) != hash_of(payload):
            yield Publication(rest, payload)
    if digest != retained.digest:
        yield Publication(DIGEST, encode(digest))
    for rest in retained.bodies.keys() - bodies.keys():
        yield Publication(rest, b"")
