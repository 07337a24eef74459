"""Runs git and what it needs as processes: limited in time and output, and gone when they shall be.

They run in a process group of their own, which ends as a whole. Each inherits the lock on the source's folder, so
that a later reconciler touches nothing while a git of an earlier one, which was killed, still writes.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from reconciler.manifests.git.answers import Trouble
from reconciler.manifests.git.commands import Command, bounded

_MOST_BYTES = 64 * 1024
"""Of output that is kept; the rest is read and forgotten."""


class Failed(Exception):
    """A step failed, with the trouble as a value."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.text)
        self.trouble = trouble


class Done(msgspec.Struct, frozen=True):
    """`code` is 0 where it succeeded."""

    code: int
    output: str
    errors: str


def hold(path: Path) -> IO[bytes]:
    """The lock, for as long as the file is open here or in a child. Raises `Failed`."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Failed(Trouble("a git that an earlier reconciler started is still at work: it is waited for")) from None
    return file


async def run(command: Command, *, environment: Mapping[str, str], directory: Path, held: int) -> Done:
    """Runs it to its end. Out of time, or cancelled, it is killed with all its children."""
    process = await asyncio.create_subprocess_exec(
        *bounded(command.line),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env=environment,
        start_new_session=True,
        pass_fds=(held,),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    is_over = False
    try:
        async with asyncio.timeout(command.seconds):
            output, errors, code = await asyncio.gather(_first(process.stdout), _first(process.stderr), process.wait())
            is_over = True
    except TimeoutError:
        return Done(-1, "", f"fatal: not done within {command.seconds:.0f} s")
    finally:
        if not is_over:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    return Done(code, output, errors)


async def _first(stream: asyncio.StreamReader) -> str:
    kept = bytearray()
    while data := await stream.read(_MOST_BYTES):
        kept += data[: _MOST_BYTES - len(kept)]
    return kept.decode(errors="replace")
