"""Gathers reasons for a pass into one: a moment of quiet starts it, and at last a second after the first reason."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

QUIET_SECONDS = 0.010
LONGEST_SECONDS = 1.0


class Gathering:
    """Belongs to one event loop. Costs nothing while nothing is noted."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._noted = asyncio.Event()
        self._first = self._last = 0.0
        self._quiet = QUIET_SECONDS

    @property
    def is_noted(self) -> bool:
        """Whether there is a reason that nobody has taken up."""
        return bool(self._first)

    def note(self, quiet: float = QUIET_SECONDS) -> None:
        """There is a reason for a pass."""
        self._last = self._time()
        self._first = self._first or self._last
        self._quiet = max(self._quiet, quiet)
        self._noted.set()

    async def at_rest(self, is_held: Callable[[], bool], at_latest: float | None = None) -> bool:
        """Waits for reasons to come to rest. False: there were none within `at_latest` seconds.

        While `is_held`, quiet does not suffice; whoever ends that notes it.
        """
        while not self._first:
            if not await self._wait(at_latest):
                return False
        while (left := self._due(is_held()) - self._time()) > 0:
            await self._wait(left)
        self._first, self._quiet = 0.0, QUIET_SECONDS
        self._noted.clear()
        return True

    def _due(self, held: bool) -> float:
        longest = self._first + max(LONGEST_SECONDS, self._quiet)
        return longest if held else min(self._last + self._quiet, longest)

    async def _wait(self, seconds: float | None) -> bool:
        self._noted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._noted.wait()
        return False
