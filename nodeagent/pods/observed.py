"""What runs of a pod, as the runtime told it."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import field

from nodeagent.runtime.interface import Container, Sandbox, State

LIVE = (State.RUNNING, State.UNKNOWN)


class Observed(msgspec.Struct, frozen=True):
    """Sandboxes and, by name, containers of one pod; in both the newest attempt comes first."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)

    @property
    def sandbox(self) -> Sandbox | None:
        return self.sandboxes[0] if self.sandboxes else None

    def latest(self, name: str) -> Container | None:
        """The newest of this name, in whatever sandbox."""
        return next(iter(self.containers.get(name, ())), None)

    def current(self, name: str) -> Container | None:
        """The newest of this name in the newest sandbox."""
        latest = self.latest(name)
        return latest if latest and self.sandbox and latest.sandbox_id == self.sandbox.id else None

    def previous(self, name: str) -> Container | None:
        """The one before the newest."""
        return next(iter(self.containers.get(name, ())[1:]), None)

    def all(self) -> Iterable[Container]:
        for several in self.containers.values():
            yield from several

    def ids(self) -> Iterable[str]:
        """Of sandboxes and containers."""
        yield from (sandbox.id for sandbox in self.sandboxes)
        yield from (container.id for container in self.all())

    def live(self) -> list[Container]:
        return [container for container in self.all() if container.state in LIVE]


def observed(sandboxes: Iterable[Sandbox], containers: Iterable[Container]) -> Observed:
    """Containers whose sandbox is not among `sandboxes` are left out: they go with it."""
    ordered = tuple(sorted(sandboxes, key=lambda one: (one.attempt, one.created_at), reverse=True))
    known = {one.id for one in ordered}
    by_name: dict[str, list[Container]] = {}
    for container in sorted(containers, key=lambda one: (one.attempt, one.created_at), reverse=True):
        if container.sandbox_id in known:
            by_name.setdefault(container.name, []).append(container)
    return Observed(ordered, {name: tuple(several) for name, several in by_name.items()})
