"""What both daemons do as processes: hold their data alone, log one line per fact, end on a signal."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import select
import signal
import time
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from schemas.configuration import BadConfiguration

log = logging.getLogger(__name__)

LOG_BYTES = 1024 * 1024


class AlreadyRunning(Exception):
    """Another process holds this data directory. The text names its process id and what to do."""


PID_WIDTH = 10


def lock(directory: Path) -> IO[str]:
    """Holds the directory for this process, until the file is closed or the process ends however it ends.

    Raises `AlreadyRunning`, `BadConfiguration` where nothing can be written there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.fdopen(os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
    except OSError as error:
        raise _unusable(directory, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read().strip()
        file.close()
        raise AlreadyRunning(f"{directory} is in use by process {pid}: stop that one first") from None
    try:
        # Over what stood there, and as long: that needs no room, so that a disk which is full stops no daemon.
        file.seek(0)
        file.write(f"{os.getpid():<{PID_WIDTH}}")
        file.flush()
    except OSError as error:
        file.close()
        raise _unusable(directory, error) from None
    return file


def _unusable(directory: Path, error: OSError) -> BadConfiguration:
    return BadConfiguration(
        f"{directory}: the data directory cannot be written: {error.strerror}; "
        "make room there, name another one, or run as a user who may write to it"
    )


def holder(directory: Path) -> int | None:
    """The process that holds the directory by `lock`, if one lives."""
    try:
        with (directory / "lock").open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        return None
    return None


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to(file: Path | None, *, as_json: bool = False) -> None:
    """Logs to the file (two of at most 1 MiB), or to standard error."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        from logging.handlers import RotatingFileHandler  # an agent under systemd needs none, and half a megabyte less

        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter = _Json() if as_json else text
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def stop_signal() -> asyncio.Event:
    """Set when the process is asked to end (SIGTERM or SIGINT). Call it from the running loop."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event


async def run_until(stop: asyncio.Event, rooms: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Runs all rooms until the event. The failure of one ends them all, and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(room, name=name) for name, room in rooms.items()]
            await stop.wait()
            log.info("stopping")
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        failure, *others = _leaves(failures)
        for other in others:
            log.error("and failed at the same time error=%r", other)
        raise failure from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def stop_process(pid: int, patience_seconds: float) -> None:
    """Ends another process: SIGTERM, and SIGKILL when the patience is over. Returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not _ended(descriptor, patience_seconds):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _ended(descriptor, 10)
        finally:
            os.close(descriptor)


def _ended(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


async def ended(pid: int) -> None:
    """Waits, without polling, until a process that need not be a child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def heed_cancellation() -> None:
    """Raises `CancelledError` where the task that asks has been asked to end, and that was lost.

    A TaskGroup of Python before 3.13 forgets it when one of its own tasks fails in the same moment, and does not count
    right how often its task was cancelled: the group has to be in a task of its own, which the one that asks awaits.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
