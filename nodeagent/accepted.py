"""What the agent has taken on: the digest, and the bodies that it names. This is all that the pods see of the link.

`accept` decides; it reads no clock and no file, so any order of arrival can be replayed.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import field

from schemas.messages import Assignment, Config, Digest

MAX_SUPERSEDED = 32
"""How many earlier stores are remembered, so that a late digest of theirs is known for what it is."""


class Accepted(msgspec.Struct, frozen=True):
    """`pods` by uid, `configs` by the key of `config_key`. Every pod here is to be run, and no other.

    `complete`: every body that the digest names is here at the version it names; until then the versions
    before it are kept, and the revision is not acknowledged. `superseded` names the stores that another one
    has taken the place of: nothing of theirs is accepted again.
    """

    digest: Digest
    pods: Mapping[str, Assignment] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)
    complete: bool = True
    superseded: tuple[str, ...] = ()


NOTHING_ACCEPTED = Accepted(Digest(store="", revision=0))

PodVersion = tuple[str, int]
"""uid and generation."""
ConfigVersion = tuple[str, str]
"""Key and hash of the content."""


def accept(
    accepted: Accepted,
    digest: Digest | None,
    bodies: Mapping[PodVersion, Assignment],
    configs: Mapping[ConfigVersion, Config],
) -> Accepted:
    """What holds after this digest (the newest that arrived, if any did) and the bodies that have arrived.

    A digest that is not newer than the accepted one changes nothing, but bodies may still complete that one.
    A body counts only at the version that the digest names; a body that arrives again replaces its equal, for
    labels and annotations change without a new generation.
    """
    current, superseded = accepted.digest, accepted.superseded
    if digest is not None and _is_newer(digest, accepted):
        if current.store and current.store != digest.store:
            superseded = (*superseded, current.store)[-MAX_SUPERSEDED:]
        current = digest
    pods, all_pods = _chosen(current.pods, bodies, accepted.pods, lambda body: body.pod.metadata.generation)
    chosen, all_configs = _chosen(current.configs, configs, accepted.configs, Config.content_hash)
    return Accepted(current, pods, chosen, all_pods and all_configs, superseded)


def _is_newer(digest: Digest, accepted: Accepted) -> bool:
    if digest.store == accepted.digest.store:
        return digest.revision > accepted.digest.revision
    return digest.store not in accepted.superseded


Body = TypeVar("Body", Assignment, Config)
Version = TypeVar("Version", int, str)


def _chosen(
    named: Mapping[str, Version],
    arrived: Mapping[tuple[str, Version], Body],
    held: Mapping[str, Body],
    version_of: Callable[[Body], Version],
) -> tuple[dict[str, Body], bool]:
    """The body for each name: what arrived at the version named, else what is held; and whether none lags."""
    chosen: dict[str, Body] = {}
    complete = True
    for name, version in named.items():
        body = arrived.get((name, version))
        if body is None:
            body = held.get(name)
            complete = complete and body is not None and version_of(body) == version
        if body is not None:
            chosen[name] = body
    return chosen, complete
