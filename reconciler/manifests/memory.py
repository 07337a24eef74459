"""What a restart need not find out again: what each file held, and which objects were as declared.

One file beside the store, written a moment after something changed. It is only a memory: without it, or with one of
another version of the program, everything is read, parsed and compared again.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import msgspec

import schemas
from reconciler.manifests.documents import FileState
from reconciler.manifests.ledger import Declared
from reconciler.manifests.source import Known
from schemas.meta import Ref

log = logging.getLogger(__name__)

_LENGTH_BYTES = 4


class Memory(NamedTuple):
    """`known` and `states` by path: the hash of the content, and what it said.

    `synced` are fingerprints of settled objects, `kept` last good declarations that no file bears out any more.
    """

    known: Mapping[str, Known] = MappingProxyType({})
    states: Mapping[str, FileState] = MappingProxyType({})
    kept: tuple[Declared, ...] = ()
    synced: Mapping[Ref, bytes] = MappingProxyType({})


class _Objects(msgspec.Struct, frozen=True, array_like=True):
    kept: tuple[Declared, ...]
    synced: tuple[tuple[Ref, bytes], ...]


class _File(msgspec.Struct, frozen=True, array_like=True):
    path: str
    digest: bytes
    state: FileState
    inputs: dict[str, bytes] = {}


def recall(path: Path) -> Memory:
    """The memory of this program, or an empty one."""
    try:
        with open(path, "rb") as file:
            records = _records(file)
            if next(records, b"") != program().encode():
                return Memory()
            objects = msgspec.msgpack.decode(next(records, b""), type=_Objects)
            files = [msgspec.msgpack.decode(record, type=_File) for record in records]
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError) as error:
        log.warning(
            "memory of the manifests is not usable, all files are read again file=%s error=%r", path, str(error)
        )
        return Memory()
    known = {file.path: Known(file.digest, None, file.inputs) for file in files}
    return Memory(known, {file.path: file.state for file in files}, objects.kept, dict(objects.synced))


def remember(path: Path, memory: Memory) -> None:
    """Writes the memory as a whole. Losing it costs time alone, so that nothing is forced to disk.

    Record by record: one call for all of it would keep every other thread waiting.
    """
    temporary = path.with_name(f"{path.name}.new")
    with open(temporary, "wb") as file:
        _add(file, program().encode())
        _add(file, msgspec.msgpack.encode(_Objects(memory.kept, tuple(memory.synced.items()))))
        for name, known in memory.known.items():
            _add(file, msgspec.msgpack.encode(_File(name, known.digest, memory.states[name], known.inputs)))
    os.replace(temporary, path)


def _add(file: BinaryIO, record: bytes) -> None:
    file.write(len(record).to_bytes(_LENGTH_BYTES))
    file.write(record)


def _records(file: BinaryIO) -> Iterator[bytes]:
    while length := file.read(_LENGTH_BYTES):
        record = file.read(int.from_bytes(length))
        if len(record) < int.from_bytes(length):
            raise ValueError("it ends in the midst of a record")
        yield record


@cache
def program() -> str:
    """Names the rules that files were judged by: another version of the program may judge them otherwise."""
    folders = (Path(__file__).parent, *map(Path, schemas.__path__))
    rules = sorted(source for folder in folders for source in folder.rglob("*.py"))
    stamps = [(str(source), found.st_size, found.st_mtime_ns) for source in rules for found in (source.stat(),)]
    return hashlib.blake2b(repr(stamps).encode(), digest_size=16).hexdigest()
