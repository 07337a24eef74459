"""The store's files are kept small and current, and left alone while nothing is committed."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler import upkeep
from reconciler.store.interface import Put, Remove, StoreError
from reconciler.store.sqlite import SqliteStore
from reconciler.upkeep import Upkeep, settle_memory
from tests.unit.reconciler.running import running


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "FLUSH_SECONDS", 0.01)


class Counted(SqliteStore):
    """Says what was asked of it."""

    flushes = 0
    compacted: tuple[int, ...] = ()

    async def flush(self) -> None:
        self.flushes += 1
        await super().flush()

    async def compact(self, before: int) -> None:
        self.compacted += (before,)
        await super().compact(before)


async def opened(folder: Path) -> Counted:
    store = await Counted.open(folder / "store.db")
    assert isinstance(store, Counted)
    return store


async def test_late_writes_reach_the_disk(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([Put("a", b"1", durable=False)])
    assert store.statistics().unwritten == 1
    async with running(Upkeep(store).run()):
        await until(lambda: store.statistics().unwritten == 0)
    await store.close()


async def test_the_space_of_what_was_removed_is_given_back_at_the_start(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([Put(f"k{number}", b"x" * 10_000) for number in range(100)])
    await store.commit([Remove(f"k{number}") for number in range(100)])
    async with running(Upkeep(store).run()):
        await until(lambda: store.statistics().log_bytes == 0 and store.statistics().file_bytes < 100_000)
    await store.close()


async def test_compaction_comes_again_only_when_it_is_due_and_something_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "COMPACT_SECONDS", 0.02)
    store = await opened(tmp_path)
    first = await store.commit([Put("a", b"1")])
    async with running(Upkeep(store).run()):
        await until(lambda: store.flushes > 10)
        assert len(store.compacted) == 1
        await store.commit([Put("a", b"2")])
        await until(lambda: len(store.compacted) == 2)
        assert list(store.compacted) == [0, first]
    await store.close()


async def test_a_store_at_rest_is_not_written_to(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([Put("a", b"1")])
    async with running(Upkeep(store).run()):
        await until(lambda: store.flushes > 1)
    await store.close()
    before = {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    store = await opened(tmp_path)
    async with running(Upkeep(store).run()):
        await until(lambda: store.flushes > 5)
        assert store.compacted == (0,)
        assert store.statistics().transactions == 0
    await store.close()
    assert {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


async def test_a_disk_that_is_full_for_a_while_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = await opened(tmp_path)
    full = True

    async def flush() -> None:
        if full:
            raise StoreError("the disk is full; make room")
        await SqliteStore.flush(store)

    monkeypatch.setattr(store, "flush", flush)
    await store.commit([Put("a", b"1", durable=False)])
    async with running(Upkeep(store).run()):
        await until(lambda: "the disk is full; make room" in caplog.text)
        full = False
        await until(lambda: store.statistics().unwritten == 0)
    await store.close()


async def test_how_late_the_loop_was_is_told_with_its_worst(tmp_path: Path) -> None:
    import time

    store = await opened(tmp_path)
    kept = Upkeep(store)
    async with running(kept.run()):
        await until(lambda: store.flushes > 1)
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is held on purpose
        await until(lambda: kept.statistics().longest_lag_seconds > 0.02)
        await until(lambda: kept.statistics().lag_seconds < 0.02)
        assert kept.statistics().longest_lag_seconds > 0.02
    await store.close()


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_not_looked_through_again() -> None:
    settle_memory()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 1_000
    assert gc.isenabled()
