"""Directories of volumes that are deleted: removed because the digest says so, and told to be gone.

Level-triggered: the digest names them until the reconciler has heard that they are gone, so that it does not matter
when the node was away or the agent was killed.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from nodeagent.volumes.preparing import Volumes

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class Discards:
    """`mounted` names the directories that pods of this node use; `report` is told the uids of those that are gone."""

    def __init__(
        self,
        volumes: Volumes,
        mounted: Callable[[], Collection[str]],
        report: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._volumes, self._mounted, self._report = volumes, mounted, report
        self._wanted: Mapping[str, str] = {}
        self._gone: set[str] = set()
        self._changed = asyncio.Event()

    def want(self, wanted: Mapping[str, str]) -> None:
        """Directories by the uids of their volumes."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled. Waits for nothing while there is nothing to remove."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._gone &= self._wanted.keys()
            for uid, directory in list(self._wanted.items()):
                if uid not in self._gone and await self._remove(directory):
                    self._gone.add(uid)
            self._report(tuple(sorted(self._gone & self._wanted.keys())))
            if self._wanted.keys() - self._gone:
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._changed.set)

    async def _remove(self, directory: str) -> bool:
        if directory in self._mounted():
            return False  # a pod that was removed by force is still about to end
        try:
            await asyncio.to_thread(self._volumes.discard, directory)
        except OSError as error:
            log.error("cannot remove the directory of a deleted volume path=%s error=%s", directory, error)
            return False
        log.info("removed the directory of a deleted volume path=%s", directory)
        return True
