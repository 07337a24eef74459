"""Bodies that have arrived and are not accepted yet: they come before the digest that names them, or after."""

from collections.abc import Mapping
from typing import TypeVar

from nodeagent.accepted import Accepted, ConfigVersion, PodVersion
from schemas.messages import Assignment, Config, Digest

MAX_BODIES = 1000
"""Of pods, and of configs. More than a node can hold: the oldest are dropped, and will be sent again."""


Version = TypeVar("Version")
Body = TypeVar("Body")


class Arrivals:
    """Versions are kept side by side, for nothing says in which order they come."""

    def __init__(self) -> None:
        self.digest: Digest | None = None
        self._pods: dict[PodVersion, Assignment] = {}
        self._configs: dict[ConfigVersion, Config] = {}

    @property
    def pods(self) -> Mapping[PodVersion, Assignment]:
        return self._pods

    @property
    def configs(self) -> Mapping[ConfigVersion, Config]:
        return self._configs

    def add_digest(self, digest: Digest) -> None:
        """The newest is kept; of two stores the one that spoke last."""
        held = self.digest
        if held is None or held.store != digest.store or held.revision <= digest.revision:
            self.digest = digest

    def add_pod(self, uid: str, assignment: Assignment) -> None:
        _add(self._pods, (uid, assignment.pod.metadata.generation), assignment)

    def add_config(self, key: str, config: Config) -> None:
        _add(self._configs, (key, config.content_hash()), config)

    def drop_pod(self, uid: str) -> None:
        self._pods = {version: body for version, body in self._pods.items() if version[0] != uid}

    def drop_config(self, key: str) -> None:
        self._configs = {version: body for version, body in self._configs.items() if version[0] != key}

    def taken(self, accepted: Accepted) -> None:
        """What is accepted is held there, and what is older than that is of no more use.

        What came in while it was being saved stays, though the digest names it: it has not been looked at yet.
        """
        named, pods, configs = accepted.digest.pods, accepted.pods, accepted.configs
        self._pods = {
            (uid, generation): body
            for (uid, generation), body in self._pods.items()
            if generation >= named.get(uid, generation) and body != pods.get(uid)
        }
        self._configs = {version: body for version, body in self._configs.items() if body != configs.get(version[0])}


def _add(bodies: dict[Version, Body], version: Version, body: Body) -> None:
    bodies.pop(version, None)
    bodies[version] = body
    if len(bodies) > MAX_BODIES:
        del bodies[next(iter(bodies))]
