"""The stores that have to pass the conformance tests, each as the coroutine that opens it in a folder."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from reconciler.store.interface import Store
from reconciler.store.sqlite import SqliteStore

Opener = Callable[[Path], Awaitable[Store]]


async def _sqlite(folder: Path) -> Store:
    return await SqliteStore.open(folder / "store.db")


OPENERS: dict[str, Opener] = {"sqlite": _sqlite}
