"""What the SQLite store adds to the conformance: few writes, small files, and faults of the disk."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from reconciler.store import sqlite as sqlite_store
from reconciler.store import sqlitefile
from reconciler.store.history import Bounds
from reconciler.store.interface import Compacted, Corrupt, Put, Remove, StoreError
from reconciler.store.sqlite import REVISION_BLOCK, SqliteStore
from reconciler.store.sqlitefile import CHECKPOINT_BYTES, SCHEMA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture
async def sqlite(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    yield store
    await store.close()


def bytes_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


async def test_a_hundred_commits_at_once_share_a_few_transactions(sqlite: SqliteStore) -> None:
    await asyncio.gather(*(sqlite.commit([Put(f"k/{i}", b"x")]) for i in range(100)))
    assert sqlite.statistics().transactions <= 2


async def test_commits_that_arrive_during_a_transaction_share_the_next(sqlite: SqliteStore) -> None:
    async def late(i: int) -> None:
        for _ in range(i % 7):
            await asyncio.sleep(0)
        await sqlite.commit([Put(f"k/{i}", b"x")])

    await asyncio.gather(*(late(i) for i in range(100)))
    assert sqlite.statistics().transactions <= 5


async def test_what_is_not_durable_is_written_by_the_next_flush_alone(sqlite: SqliteStore) -> None:
    await sqlite.commit([Put("a", b"0")])
    before = sqlite.statistics().transactions
    for i in range(20):
        await sqlite.commit([Put("a", b"%d" % i, durable=False), Put("b", b"%d" % i, durable=False)])
    assert (sqlite.statistics().transactions, sqlite.statistics().unwritten) == (before, 2)
    await sqlite.flush()
    assert (sqlite.statistics().transactions, sqlite.statistics().unwritten) == (before + 1, 0)


async def test_with_nothing_pending_nothing_at_all_is_written(sqlite: SqliteStore, path: Path) -> None:
    await sqlite.commit([Put("a", b"0"), Put("b", b"0", durable=False)])
    await sqlite.compact(sqlite.revision)
    await sqlite.flush()
    before = bytes_of(path)
    await sqlite.commit([Put("a", b"0"), Remove("c")])
    await sqlite.flush()
    await sqlite.get("a")
    assert bytes_of(path) == before


async def test_a_durable_commit_brings_an_equal_pending_value_to_disk(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.commit([Put("gone", b"1")])
    seen = await store.commit([Put("a", b"1", durable=False), Remove("gone", durable=False)])
    before = store.statistics().transactions
    assert await store.commit([Put("a", b"1", expect=seen - 1), Remove("gone")]) == seen
    assert store.statistics().transactions == before + 1
    assert store.statistics().unwritten == 0
    assert await store.commit([Put("a", b"1"), Remove("gone")]) == seen
    assert store.statistics().transactions == before + 1
    await store.close()


async def test_a_restart_begins_after_every_revision_handed_out_and_writes_once_a_block(path: Path) -> None:
    store = await SqliteStore.open(path)
    for i in range(50):
        last = await store.commit([Put("a", b"%d" % i, durable=False)])
    assert store.statistics().transactions == 1
    await store.close()
    store = await SqliteStore.open(path)
    assert last < store.revision <= last + REVISION_BLOCK
    await store.close()


async def test_the_reserve_of_revisions_is_renewed_when_it_is_used_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "REVISION_BLOCK", 100)
    store = await SqliteStore.open(path)
    for i in range(100):
        await store.commit([Put("a", b"%d" % i, durable=False)])
    assert store.statistics().transactions == 1
    for i in range(100):
        await store.commit([Put("a", b"%d" % i, durable=False)])
    assert store.statistics().transactions == 2
    await store.commit([Put("a", b"on disk")])  # renews it on the way
    for i in range(100):
        last = await store.commit([Put("a", b"%d" % i, durable=False)])
    assert store.statistics().transactions == 3
    await store.close()
    store = await SqliteStore.open(path)
    assert store.revision >= last
    await store.close()


async def test_history_is_bounded_by_number_and_size(path: Path) -> None:
    store = await SqliteStore.open(path, bounds=Bounds(seconds=300, commits=10, size=1000))
    for i in range(30):
        await store.commit([Put("a", b"%d" % i, durable=False)])
    assert store.statistics().history_commits == 10
    await store.commit([Put("a", b"x" * 2000, durable=False)])
    assert store.statistics().history_commits == 1
    with pytest.raises(Compacted):
        await anext(store.watch(after=store.revision - 2))
    await store.close()


async def test_a_full_disk_fails_the_commit_and_leaves_all_as_it_was(sqlite: SqliteStore) -> None:
    seen = await sqlite.commit([Put("a", b"1")])
    await sqlite.commit([Put("b", b"1", durable=False)])
    entries, revision = await sqlite.list(), sqlite.revision
    await sqlite._file._connection.execute_fetchall("PRAGMA max_page_count = 10")
    outcomes = await asyncio.gather(
        sqlite.commit([Put("big", b"x" * 100_000)]),
        sqlite.commit([Put("a", b"2", expect=seen)]),
        sqlite.commit([Put("a", b"3", expect=0)]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    assert "disk is full" in str(outcomes[0])
    assert (await sqlite.list(), sqlite.revision) == (entries, revision)
    assert await sqlite.commit([Put("a", b"2", expect=seen)]) > revision
    await sqlite._file._connection.execute_fetchall("PRAGMA max_page_count = 1000000")
    await sqlite.commit([Put("big", b"x" * 100_000)])
    assert [entry.key for entry in await sqlite.list()] == ["a", "b", "big"]


async def test_the_log_is_cut_and_the_space_of_what_was_removed_given_back(sqlite: SqliteStore) -> None:
    for i in range(8):
        await sqlite.commit([Put(f"k/{i}", b"%d" % i * (1 << 20))])
        assert sqlite.statistics().log_bytes <= CHECKPOINT_BYTES + (2 << 20)
    await sqlite.commit([Remove(f"k/{i}") for i in range(8)])
    await sqlite.compact(sqlite.revision)
    statistics = sqlite.statistics()
    assert (statistics.entries, statistics.log_bytes) == (0, 0)
    assert statistics.file_bytes < 100_000


async def test_nobody_else_may_read_the_files(sqlite: SqliteStore, path: Path, tmp_path: Path) -> None:
    await sqlite.commit([Put("secret", b"s")])
    await sqlite.snapshot(tmp_path / "copy")
    files = [*path.parent.iterdir(), tmp_path / "copy"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_a_second_opening_is_refused(sqlite: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlitefile, "BUSY_SECONDS", 0.1)
    with pytest.raises(StoreError, match="another process"):
        await SqliteStore.open(path)
    code = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0.1).execute('SELECT * FROM meta')"
    other = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, check=False)
    assert b"locked" in other.stderr
    await sqlite.commit([Put("a", b"1")])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"not a database" * 1000, id="something else"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut short"),
        pytest.param(lambda data: data[:4096] + b"\xff" * 4096 + data[8192:], id="a page overwritten"),
    ],
)
async def test_a_corrupt_store_is_set_aside_and_a_new_one_begun(
    path: Path,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = await SqliteStore.open(path)
    name = store.id
    await store.commit([Put(f"k/{i}", b"x" * 1000) for i in range(100)])
    await store.close()
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with caplog.at_level(logging.ERROR):
        store = await SqliteStore.open(path)
    assert store.id != name
    assert await store.list() == ()
    await store.commit([Put("a", b"1")])
    await store.close()
    (aside,) = path.parent.glob("store.db.corrupt-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in caplog.text


async def test_a_corrupt_store_that_cannot_be_set_aside_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(Corrupt, match="move it away"):
        await SqliteStore.open(path)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param(f"UPDATE meta SET value = {SCHEMA + 1} WHERE name = 'schema'", "newer version", id="newer"),
        pytest.param("DROP TABLE entries", "not a store", id="another program's file"),
    ],
)
async def test_a_sound_file_that_is_no_store_of_ours_is_left_alone(path: Path, statement: str, words: str) -> None:
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreError, match=words):
        await SqliteStore.open(path)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="store cannot be opened"):
        await SqliteStore.open(tmp_path / "file" / "store.db")
