"""What the agent remembers of images beyond its own life: rights, and which were used last. Written only on change."""

import logging
import os
from pathlib import Path

import msgspec

from nodeagent.images.rights import Rights

log = logging.getLogger(__name__)


class Remembered(msgspec.Struct, frozen=True, omit_defaults=True):
    """`released`: ids of images that containers have used and use no more, the longest ago first."""

    rights: Rights = Rights()
    released: tuple[str, ...] = ()


class Record:
    """One small file, readable by its owner alone. Without a path nothing outlives the agent (a simulation)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.content = self._load()

    def put(self, content: Remembered) -> None:
        """Whole on disk, or not at all. A disk that cannot be written is said, and what was meant holds in memory."""
        if content == self.content:
            return
        self.content = content
        if self._path is None:
            return
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(content))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            log.error("cannot keep what is known of images file=%s error=%s", self._path, error)

    def _load(self) -> Remembered:
        if self._path is None:
            return Remembered()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Remembered)
        except FileNotFoundError:
            return Remembered()
        except (OSError, ValueError) as error:
            log.error("what was known of images is lost, beginning anew file=%s error=%s", self._path, error)
            return Remembered()
