"""Where the agent's parts say what they see; the link carries it when there is one."""

from typing import Protocol

from schemas.core.podstatus import PodStatus
from schemas.messages import NodeEvent


class Reporter(Protocol):
    """Calls return at once and never fail: only the newest report of a pod counts, events are bounded."""

    def pod(self, uid: str, generation: int, namespace: str, name: str, status: PodStatus, removed: bool) -> None:
        """The pod as it is now. `removed`: nothing of it is left, and nothing of it will start again."""

    def forget(self, uid: str) -> None:
        """The digest does not name this pod, and nothing of it is left: its report goes from the broker."""

    def event(self, event: NodeEvent) -> None: ...

    def discarded(self, volumes: tuple[str, ...]) -> None:
        """The uids of those volumes that the digest tells to discard of which nothing is left here."""
