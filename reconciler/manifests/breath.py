"""Gives the event loop its turn in the midst of a long computation."""

import asyncio

SLICE_SECONDS = 0.005


class Breath:
    """Counts the time since the event loop last had its turn."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._since = self._time()

    async def take(self) -> None:
        """Lets others run, if this has run for a slice."""
        if self._time() - self._since > SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = self._time()
