"""Keeps container logs within their size. Only files of running containers are looked at, by one `stat` each.

A log that has grown too large is renamed, and the runtime told to begin a new one. Killed in between, the next look
finds no current log and tells it then.
"""

import logging
import os
from pathlib import Path

import msgspec

from nodeagent.runtime.interface import Runtime, RuntimeFailure

log = logging.getLogger(__name__)


class LogLimits(msgspec.Struct, frozen=True):
    """`max_files` counts the current one."""

    max_bytes: int = 10 * 1024 * 1024
    max_files: int = 3
    interval: float = 10.0


IN_MEMORY = LogLimits(max_bytes=1024 * 1024, max_files=2)
"""Of a pod whose logs are kept in memory."""


async def rotate(runtime: Runtime, container_id: str, path: Path, limits: LogLimits) -> bool:
    """Returns whether a new log was begun."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        if not path.with_name(f"{path.name}.1").exists():
            return False  # the runtime has not begun to write
        size = None
    if size is not None:
        if size < limits.max_bytes:
            return False
        _shift(path, limits.max_files)
    try:
        await runtime.reopen_log(container_id)
    except RuntimeFailure as error:
        log.info("log is not reopened yet container=%s error=%s", container_id, error)
        return False
    return True


def _shift(path: Path, max_files: int) -> None:
    """`0.log` becomes `0.log.1`, that `0.log.2`; the oldest goes."""
    if max_files <= 1:
        path.unlink()
        return
    for number in range(max_files - 2, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            os.replace(older, path.with_name(f"{path.name}.{number + 1}"))
    os.replace(path, path.with_name(f"{path.name}.1"))
