"""Long work in slices: the event loop is given back before anyone misses it."""

import asyncio
from time import perf_counter

_SLICE_SECONDS = 0.005


class Pause:
    """Measures how long the event loop has been held since the last pause."""

    def __init__(self) -> None:
        self._until = perf_counter() + _SLICE_SECONDS

    async def when_due(self) -> None:
        """Lets everyone else run, if they have waited long enough."""
        if perf_counter() >= self._until:
            await asyncio.sleep(0)
            self._until = perf_counter() + _SLICE_SECONDS
