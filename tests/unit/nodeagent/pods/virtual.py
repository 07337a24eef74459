"""An event loop whose time jumps to the next timer when nothing else is to be done: hours pass in moments."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Never waits for a timer, unless a thread is at work: then time stands still."""

    elapsed = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or self.threads:
            return super().select(timeout if timeout == 0 else None)
        ready = super().select(0)
        if not ready:
            self.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.elapsed

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> "asyncio.Future[T]":
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: self._thread_ended())
        return future

    def _thread_ended(self) -> None:
        self._jumping.threads -= 1


class VirtualClock:
    """Follows the running loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def until(condition: Callable[[], bool], limit: float = 120.0, step: float = 0.01) -> None:
    """Waits for it, in virtual seconds."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(step)
