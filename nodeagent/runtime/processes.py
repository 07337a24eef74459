"""Processes found by what they were started with, watched and ended without polling."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def find(matches: Callable[[Sequence[str]], bool]) -> list[int]:
    """Process ids by arguments. Not by a pid file: that may name a stranger, or be missing after a crash."""
    return [pid for pid, arguments in _all() if matches(arguments)]


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has ended meanwhile
            if line:
                yield int(entry.name), line.rstrip(b"\0").decode(errors="replace").split("\0")


@contextmanager
def _watch(pid: int) -> Iterator[asyncio.Event | None]:
    """An event that is set when the process ends; None where it has ended already."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        yield ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def ended(pid: int) -> None:
    """Returns when the process has ended, and leaves no zombie if it is a child of ours."""
    with _watch(pid) as event:
        if event is not None:
            await event.wait()
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - does not wait


async def terminate(pid: int, grace_seconds: float) -> None:
    """SIGTERM, and SIGKILL after the grace."""
    send(pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(grace_seconds):
            await ended(pid)
    except TimeoutError:
        await kill([pid])


async def kill(pids: Sequence[int], patience_seconds: float = 10.0) -> None:
    """Returns when all have ended, or the patience has: one that waits for a disk does not end before it answers."""
    for pid in pids:
        send(pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            for pid in pids:
                await ended(pid)


def send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def spawn(program: Path, arguments: Sequence[str], output: Path, environment: dict[str, str]) -> int:
    """Starts a process in a session of its own, that outlives us; its output is appended to a file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        program,
        [str(program), *arguments],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
