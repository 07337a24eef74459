"""How much containers have said: bytes that went to the disk for their logs since the agent's start.

By the growth of the files between two looks, for the runtime writes them; what a container says between the last look
and its end is not counted.
"""

from collections.abc import Set
from pathlib import Path

from nodeagent.tallies import Tallies


class LogTally:
    """`tallies.written["logs"]` grows."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        self._sizes: dict[str, int] = {}

    def look(self, container_id: str, path: Path, *, is_new: bool) -> None:
        """`is_new`: the container is younger than the agent. What another one said before does not count."""
        try:
            size = path.stat().st_size
        except OSError:
            return
        before = self._sizes.get(container_id, 0 if is_new else size)
        self._tallies.written["logs"] += max(0, size - before)
        self._sizes[container_id] = size

    def rotated(self, container_id: str) -> None:
        """Its log begins anew."""
        if container_id in self._sizes:
            self._sizes[container_id] = 0

    def keep(self, container_ids: Set[str]) -> None:
        """The others are gone."""
        self._sizes = {id_: size for id_, size in self._sizes.items() if id_ in container_ids}
