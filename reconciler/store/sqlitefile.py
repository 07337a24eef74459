"""The file of a store: one SQLite database that holds the present state and nothing of the past.

It decides nothing but whether a file can be trusted. It is held under SQLite's exclusive lock, so that a second
process cannot open it; every method may be called by one caller at a time.
"""

import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import aiosqlite

from reconciler.store.interface import Corrupt, StoreError

log = logging.getLogger(__name__)

SCHEMA = 1
BUSY_SECONDS = 2.0
CHECKPOINT_BYTES = 4 << 20
"""From this size on the write-ahead log is written back and cut to nothing."""
_CACHE_KIB = 1024
_UNSOUND = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

Row = tuple[str, bytes, int, int]
"""key, value, created, modified"""

_UPSERT = "INSERT OR REPLACE INTO entries (key, value, created, modified) VALUES (?, ?, ?, ?)"
_RANGE = "SELECT key, value, created, modified FROM entries WHERE key >= ? AND key < ? ORDER BY key"
_AFTER_ALL = "\U0010ffff"  # no key holds it: keys are printable


class Head(NamedTuple):
    """What the file says of itself."""

    id: str
    ceiling: int


class SqliteFile:
    """One open database."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, head: Head) -> None:
        self.path, self.head = path, head
        self.transactions = 0
        self._connection = connection

    @classmethod
    async def open(cls, path: Path) -> "SqliteFile":
        """Opens or makes the file; one that is corrupt is set aside first. Raises `StoreError`, `Corrupt`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        except OSError as error:
            raise StoreError(f"{path}: the store cannot be opened: {error.strerror}") from error
        try:
            return await cls._open(path)
        except Corrupt as error:
            aside = _set_aside(path, error)
            log.error(
                "store is corrupt, set aside; beginning a new one path=%s aside=%s error=%r", path, aside, str(error)
            )
            return await cls._open(path)

    @classmethod
    async def _open(cls, path: Path) -> "SqliteFile":
        connection = await aiosqlite.connect(
            path, timeout=BUSY_SECONDS, isolation_level="IMMEDIATE", iter_chunk_size=512
        )
        try:
            return cls(path, connection, await _prepare(path, connection))
        except sqlite3.DatabaseError as error:
            await connection.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNSOUND:
                raise Corrupt(f"{path}: {error}") from error
            raise StoreError(f"{path}: the store cannot be opened: {_explain(error)}") from error
        except BaseException:
            await connection.close()
            raise

    async def stream(self) -> AsyncIterator[Row]:
        """All entries, a few at a time."""
        try:
            async with self._connection.execute("SELECT key, value, created, modified FROM entries") as cursor:
                async for key, value, created, modified in cursor:
                    yield key, value, created, modified
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {_explain(error)}") from error

    async def rows(self, prefix: str) -> Sequence[Row]:
        """All entries under a prefix, by key."""
        return await self._fetch(_RANGE, (prefix, prefix + _AFTER_ALL))

    async def value(self, key: str) -> bytes | None:
        rows = await self._fetch("SELECT key, value, created, modified FROM entries WHERE key = ?", (key,))
        return rows[0][1] if rows else None

    async def write(self, puts: Sequence[Row], removed: Sequence[str], ceiling: int | None = None) -> None:
        """One transaction, on disk when this returns; where it raises `StoreError`, nothing was written."""
        connection = self._connection
        try:
            if puts:
                await connection.executemany(_UPSERT, puts)
            if removed:
                await connection.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in removed])
            if ceiling is not None:
                await connection.execute("UPDATE meta SET value = ? WHERE name = 'ceiling'", (str(ceiling),))
            await connection.commit()
        except BaseException as error:
            await connection.rollback()
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"{self.path}: the commit was not written: {_explain(error)}") from error
            raise
        self.transactions += 1

    async def checkpoint(self) -> None:
        """Writes the log back into the database and cuts it to nothing."""
        await self._fetch("PRAGMA wal_checkpoint(TRUNCATE)", ())

    async def give_back(self) -> None:
        """Returns the space of what was removed to the file system."""
        try:
            # As a script: it takes a step for each page, and `execute` would take only the first.
            await self._connection.executescript("PRAGMA incremental_vacuum")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: space was not given back: {_explain(error)}") from error
        if self.log_bytes:
            await self.checkpoint()

    async def copy_to(self, path: Path) -> None:
        """Writes a copy that is whole or not there. Raises `StoreError`."""
        if path.exists():
            raise StoreError(f"{path}: exists already; name a file that does not")
        partial = path.with_name(path.name + ".partial")
        try:
            partial.unlink(missing_ok=True)
            _make(partial)
            async with aiosqlite.connect(partial) as target:
                await self._connection.backup(target)
            partial.rename(path)
        except (sqlite3.Error, OSError) as error:
            partial.unlink(missing_ok=True)
            raise StoreError(f"{path}: the snapshot was not written: {error}") from error

    @property
    def file_bytes(self) -> int:
        return _size(self.path)

    @property
    def log_bytes(self) -> int:
        return _size(_beside(self.path, "-wal"))

    async def close(self) -> None:
        await self._connection.close()

    async def _fetch(self, statement: str, parameters: Sequence[object]) -> Sequence[Row]:
        try:
            return list(await self._connection.execute_fetchall(statement, parameters))  # type: ignore[arg-type]
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be read: {_explain(error)}") from error


async def _prepare(path: Path, connection: aiosqlite.Connection) -> Head:
    """Takes the lock, makes what is missing, and checks what is there."""
    await _set(connection, "locking_mode = EXCLUSIVE", f"cache_size = -{_CACHE_KIB}")
    found = [row[0] for row in await connection.execute_fetchall("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise Corrupt(f"{path}: {'; '.join(found)}")
    tables = {row[0] for row in await connection.execute_fetchall("SELECT name FROM sqlite_master")}
    if not tables:
        await _set(connection, "auto_vacuum = INCREMENTAL")  # only now, and it would be a write at each start
    # A checkpoint is due when a commit has been acknowledged, not while it waits.
    await _set(connection, "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0")
    if not tables:
        await _create(connection)
    elif not {"entries", "meta"} <= tables:
        raise StoreError(f"{path}: is an SQLite file but not a store; name another file")
    meta = {name: value for name, value in await connection.execute_fetchall("SELECT name, value FROM meta")}
    try:
        schema, head = int(meta["schema"]), Head(meta["id"], int(meta["ceiling"]))
    except (KeyError, ValueError) as error:
        raise Corrupt(f"{path}: the table meta is not whole: {error!r}") from error
    if schema != SCHEMA:
        raise StoreError(f"{path}: was written with schema {schema}, this version reads {SCHEMA}; run a newer version")
    return head


async def _set(connection: aiosqlite.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        await connection.execute_fetchall(f"PRAGMA {pragma}")


async def _create(connection: aiosqlite.Connection) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    await connection.execute(
        "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL, "
        "modified INTEGER NOT NULL) WITHOUT ROWID"
    )
    await connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    meta = (("id", str(uuid4())), ("schema", str(SCHEMA)), ("ceiling", "0"))
    await connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", meta)
    await connection.commit()


def _make(path: Path) -> None:
    """Makes an empty file that only its owner may read: Secrets will lie in it.

    One that is there is not opened: closing it again would let go of the lock that this process may have on it.
    """
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_aside(path: Path, cause: Corrupt) -> Path:
    """Renames the file and its log, and returns the new name. Raises `Corrupt` where that is not possible."""
    aside = _beside(path, f".corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        path.rename(aside)
        log_file = _beside(path, "-wal")
        if log_file.exists():
            log_file.rename(_beside(aside, "-wal"))
        _beside(path, "-shm").unlink(missing_ok=True)
        _make(path)
    except OSError as error:
        raise Corrupt(
            f"{cause}; it could not be set aside as {aside}: {error.strerror}; move it away and start again"
        ) from error
    return aside


def _explain(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return "another process has it open; only one may"
    if code == sqlite3.SQLITE_FULL:
        return "the disk is full; make room"
    return str(error)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
