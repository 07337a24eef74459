"""What was accepted, on the node's disk: after a reboot without a link the agent goes on from here.

One file for each body, named by its content and never changed, and an index that names them. The index is
replaced last and at once, so that at any moment the disk holds either the state before or the state after.
All of it is readable by the owner alone: Secrets are among it.
"""

import hashlib
import logging
import os
from collections.abc import Container, Mapping
from pathlib import Path
from time import time
from typing import TypeVar

import msgspec
from msgspec import field

from nodeagent.accepted import NOTHING_ACCEPTED, Accepted
from nodeagent.tallies import TALLIES
from schemas.messages import Assignment, Config, Digest, encode

log = logging.getLogger(__name__)

INDEX = "accepted.json"
EPOCH = "epoch"
BODY = ".body"
DAMAGED = ".damaged"
TEMPORARY = ".new"

Body = TypeVar("Body", Assignment, Config)


class Index(msgspec.Struct, frozen=True):
    """`pods` by uid and `configs` by key, each to the name of its file."""

    digest: Digest
    pods: dict[str, str] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    complete: bool = True
    superseded: tuple[str, ...] = ()


class Disk:
    """The file operations, each durable when it returns (a removal: with the next `rename`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)

    def write(self, name: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(self.directory / name, flags, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        TALLIES.written["checkpoint"] += len(content)

    def rename(self, old: str, new: str) -> None:
        """Replaces `new`. What was written before is in the directory first."""
        self._sync()
        os.replace(self.directory / old, self.directory / new)
        self._sync()

    def remove(self, name: str) -> None:
        (self.directory / name).unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    def names(self) -> list[str]:
        return [entry.name for entry in os.scandir(self.directory)]

    def _sync(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Checkpoint:
    """The directory belongs to one agent alone. Calls must not overlap."""

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self._disk = disk or Disk(directory)
        self._index: Index | None = None

    def load(self) -> Accepted:
        """What was saved last. Never raises: what is damaged is set aside, said, and left out."""
        index = self._load_index()
        self._index = None
        if index is None:
            return NOTHING_ACCEPTED
        self._remove_all_but({*index.pods.values(), *index.configs.values()})
        pods = self._load_bodies(index.pods, Assignment)
        configs = self._load_bodies(index.configs, Config)
        whole = len(pods) == len(index.pods) and len(configs) == len(index.configs)
        self._index = msgspec.structs.replace(
            index,
            pods={uid: name for uid, name in index.pods.items() if uid in pods},
            configs={key: name for key, name in index.configs.items() if key in configs},
        )
        return Accepted(index.digest, pods, configs, index.complete and whole, index.superseded)

    def save(self, new: Accepted, old: Accepted) -> None:
        """Brings the disk from `old` (what was loaded or saved last) to `new`, writing only what differs.

        Raises `OSError`; the disk then still holds `old`.
        """
        if new == old:
            return
        before = self._index or Index(old.digest)
        present = {*before.pods.values(), *before.configs.values()}
        bodies: dict[str, bytes] = {}
        pods = {uid: _name(before.pods.get(uid), old.pods.get(uid), body, bodies) for uid, body in new.pods.items()}
        configs = {
            key: _name(before.configs.get(key), old.configs.get(key), body, bodies) for key, body in new.configs.items()
        }
        for name in bodies.keys() - present:
            self._disk.write(name, bodies[name])
        index = Index(new.digest, pods, configs, new.complete, new.superseded)
        self._replace(INDEX, encode(index))
        self._index = index
        for name in present - {*pods.values(), *configs.values()}:
            self._disk.remove(name)

    def next_epoch(self, now: float | None = None) -> int:
        """Larger than any before. Seconds since 1970 where those are larger: the disk may have been lost."""
        try:
            last = int(self._disk.read(EPOCH))
        except FileNotFoundError:
            last = 0
        except (OSError, ValueError) as error:
            log.error("epoch file is damaged, counting from the clock file=%s error=%s", EPOCH, error)
            last = 0
        epoch = max(last + 1, int(time() if now is None else now))
        try:
            self._replace(EPOCH, str(epoch).encode())
        except OSError as error:  # a disk that is full must not end the care for what runs; the clock goes on counting
            log.error("the epoch of this start cannot be kept file=%s error=%s", self._disk.directory / EPOCH, error)
        return epoch

    def _replace(self, name: str, content: bytes) -> None:
        self._disk.write(name + TEMPORARY, content)
        self._disk.rename(name + TEMPORARY, name)

    def _load_index(self) -> Index | None:
        try:
            return msgspec.json.decode(self._disk.read(INDEX), type=Index)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._set_aside(INDEX, error)
            return None

    def _load_bodies(self, names: Mapping[str, str], type_: type[Body]) -> dict[str, Body]:
        found: dict[str, Body] = {}
        for key, name in names.items():
            try:
                content = self._disk.read(name)
                if _name_of(content) != name:
                    raise ValueError("the content is not what was written")
                found[key] = msgspec.json.decode(content, type=type_)
            except (OSError, ValueError) as error:
                self._set_aside(name, error)
        return found

    def _set_aside(self, name: str, error: Exception) -> None:
        log.error(
            "checkpoint is damaged, going on without it; the broker will send it again file=%s kept_as=%s error=%s",
            self._disk.directory / name,
            name + DAMAGED,
            error,
        )
        try:
            self._disk.rename(name, name + DAMAGED)
        except OSError as reason:
            log.error("damaged file cannot be set aside file=%s error=%s", name, reason)

    def _remove_all_but(self, kept: Container[str]) -> None:
        """Bodies that no index names: a save was cut short."""
        for name in self._disk.names():
            if name.endswith((BODY, TEMPORARY)) and name not in kept:
                self._disk.remove(name)


def _name(
    before: str | None, old: Assignment | Config | None, new: Assignment | Config, written: dict[str, bytes]
) -> str:
    """The file of this body: the one it has already, or a new one, noted in `written`."""
    if before is not None and old == new:
        return before
    content = encode(new)
    name = _name_of(content)
    written[name] = content
    return name


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32] + BODY
