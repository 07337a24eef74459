"""The audit log: one line of JSON for each request: who, from where, asked what, and what came of it.

Never a body, and of a query only what picks and bounds: what is passed to a command may be a secret. Lines are
gathered for a moment and written in a thread, so the loop waits for no disk. Nothing is written while nothing is asked.
Where the disk does not keep up lines are dropped, and their number is said.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from reconciler.api.attributes import Attributes
from reconciler.api.users import User

log = logging.getLogger(__name__)

_SHOWN = frozenset(
    {
        "allowWatchBookmarks",
        "allNamespaces",
        "container",
        "continue",
        "dryRun",
        "fieldManager",
        "fieldSelector",
        "fieldValidation",
        "follow",
        "force",
        "gracePeriodSeconds",
        "labelSelector",
        "limit",
        "limitBytes",
        "orphanDependents",
        "ports",
        "pretty",
        "previous",
        "propagationPolicy",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "sinceSeconds",
        "sinceTime",
        "stderr",
        "stdin",
        "stdout",
        "tailLines",
        "timeout",
        "timeoutSeconds",
        "timestamps",
        "tty",
        "watch",
    }
)
"""Parameters of a query whose values are told."""
_MAX_TEXT = 1024
_GATHER_SECONDS = 1.0
_MAX_WAITING = 10_000


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One line. The fields are named as in Kubernetes' audit log, at its level `Metadata`."""

    request_received_timestamp: datetime
    audit_id: str = msgspec.field(name="auditID")
    stage: str
    verb: str
    request_uri: str = msgspec.field(name="requestURI")
    source_ips: tuple[str, ...] = msgspec.field(name="sourceIPs")
    user: dict[str, Any] = {}
    impersonated_user: dict[str, Any] = {}
    user_agent: str = ""
    object_ref: dict[str, str] = {}
    code: int = 0
    latency_ms: float = 0.0
    decision: str = ""
    reason: str = ""


def shown_uri(path: str, query: Mapping[str, str]) -> str:
    """The path, with those parameters whose values are no secret; of the others the names."""
    told = [f"{quote(name)}={quote(value) if name in _SHOWN else '…'}" for name, value in query.items()]
    return (path + (f"?{'&'.join(told)}" if told else ""))[:_MAX_TEXT]


def object_ref(asked: Attributes | None) -> dict[str, str]:
    """What the request is about, where that is a resource."""
    if asked is None or not asked.resource:
        return {}
    fields = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "subresource": asked.subresource,
    }
    return {name: value for name, value in fields.items() if value}


def who(user: User | None) -> dict[str, Any]:
    return user.document() if user else {}


class AuditLog:
    """Appends to `file`; beyond `max_bytes` it becomes `file.1`, that `file.2`, and so on for `keep` files."""

    def __init__(self, file: Path, max_bytes: int, keep: int) -> None:
        self._file, self._max_bytes, self._keep = file, max_bytes, keep
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._writer: asyncio.Task[None] | None = None

    def add(self, entry: Entry) -> None:
        """Takes the line; it is on its way to the disk within a second or so."""
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(msgspec.json.encode(entry) + b"\n")
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_soon(), name="audit-log")

    async def close(self) -> None:
        """Writes what waits."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        if self._waiting:
            await self._write()

    async def _write_soon(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                await asyncio.shield(self._write())
        finally:
            self._writer = None

    async def _write(self) -> None:
        lines = list(self._waiting)
        self._waiting.clear()
        if self._dropped:
            log.warning("audit lines dropped count=%d reason=%s", self._dropped, "the disk does not keep up")
            self._dropped = 0
        try:
            await asyncio.to_thread(self._append, lines)
        except OSError as error:
            log.error("audit log not written file=%s lines=%d error=%s", self._file, len(lines), error.strerror)

    def _append(self, lines: list[bytes]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        at = 0
        while at < len(lines):
            at = self._append_some(lines, at)

    def _append_some(self, lines: list[bytes], at: int) -> int:
        """Appends from there on until the file is full. Returns where it stopped."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            size = file.tell()
            first = at
            while at < len(lines) and (size == 0 or size + len(lines[at]) <= self._max_bytes):
                size += len(lines[at])
                at += 1
            file.write(b"".join(lines[first:at]))
        if at < len(lines):
            self._rotate()
        return at

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = self._file.with_name(f"{self._file.name}.{number}")
            if older.exists():
                older.replace(self._file.with_name(f"{self._file.name}.{number + 1}"))
        if self._keep:
            self._file.replace(self._file.with_name(f"{self._file.name}.1"))
        else:
            self._file.unlink()
