"""What a restart need not find out again: what each file held, and which objects were as declared.

One file beside the store, written a moment after something changed. It is only a memory: without it, or with one of
another version of the program, everything is read, parsed and compared again.
"""

import hashlib
import logging
import os
from functools import cache
from pathlib import Path

import msgspec

import schemas
from reconciler.manifests.documents import FileState
from reconciler.manifests.ledger import Declared
from schemas.meta import Ref

log = logging.getLogger(__name__)


class Memory(msgspec.Struct, frozen=True):
    """`files` by path: the hash of the content, and what it said. `synced`: fingerprints of settled objects.

    `kept` are last good declarations that no file bears out any more.
    """

    program: str = ""
    files: dict[str, tuple[bytes, FileState]] = {}
    kept: tuple[Declared, ...] = ()
    synced: tuple[tuple[Ref, bytes], ...] = ()


def recall(path: Path) -> Memory:
    """The memory of this program, or an empty one."""
    try:
        memory = msgspec.msgpack.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return Memory()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning(
            "memory of the manifests is not usable, all files are read again file=%s error=%r", path, str(error)
        )
        return Memory()
    return memory if memory.program == program() else Memory()


def remember(path: Path, memory: Memory) -> None:
    """Writes the memory as a whole. Losing it costs time alone, so that nothing is forced to disk."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(memory, program=program())))
    os.replace(temporary, path)


@cache
def program() -> str:
    """Names the rules that files were judged by: another version of the program may judge them otherwise."""
    folders = (Path(__file__).parent, *map(Path, schemas.__path__))
    rules = sorted(source for folder in folders for source in folder.rglob("*.py"))
    stamps = [(str(source), found.st_size, found.st_mtime_ns) for source in rules for found in (source.stat(),)]
    return hashlib.blake2b(repr(stamps).encode(), digest_size=16).hexdigest()
