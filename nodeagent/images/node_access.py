"""The node's own way to registries: its credentials, and the files that tell containerd of mirrors and authorities.

Both are looked at before each pull, so that what is rotated counts from the next pull on; in between nothing is read.
"""

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from nodeagent.images import registries as rendered
from nodeagent.images.keyring import BadCredentials, Key, keys_of_config
from nodeagent.images.settings import Registries

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


class NodeAccess:
    """`folder`: where the containerd that is used looks for `hosts.toml`; None where nothing is to be written."""

    def __init__(self, registries: Registries, folder: Path | None) -> None:
        self.registries = registries
        self._folder = folder
        self._keys: tuple[Key, ...] = ()
        self._read: tuple[int, int, int] | None = None
        self._written: dict[str, str] | None = None

    def refresh(self) -> Sequence[Key]:
        """The node's credentials as they are now; the files are brought to them."""
        self._read_credentials()
        try:
            self._write()
        except OSError as error:
            log.error("cannot tell containerd of registries folder=%s error=%s", self._folder, error)
        return self._keys

    def _read_credentials(self) -> None:
        """Rotated files are replaced, or written again: either way they are another file or of another time."""
        path = self.registries.credentials
        if path is None:
            return
        try:
            status = path.stat()
            version = (status.st_ino, status.st_size, status.st_mtime_ns)
            if version == self._read:
                return
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
            self._keys = tuple(keys_of_config(content))
            self._read = version
            log.info("read the node's credentials for registries file=%s registries=%d", path, len(self._keys))
        except (OSError, BadCredentials) as error:
            log.error("cannot read credentials for registries, keeping those before file=%s error=%s", path, error)

    def _write(self) -> None:
        """What is already there is left alone, and so is, in a folder of the system's, what others wrote."""
        wanted = rendered.files(self.registries, self._keys)
        if self._folder is None or wanted == self._written or not (wanted or self._folder.is_dir()):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in {entry.name for entry in os.scandir(self._folder) if entry.is_dir()} - wanted.keys():
            path = rendered.path_of(self._folder, name)
            if path.is_file() and rendered.is_ours(path.read_text()):
                path.unlink()
                with contextlib.suppress(OSError):  # others' files lie beside it
                    path.parent.rmdir()
        for name, text in wanted.items():
            _replace(rendered.path_of(self._folder, name), text)
        self._written = wanted


def _replace(path: Path, text: str) -> None:
    """Only its owner may read it: it may hold a mirror's password."""
    if path.is_file():
        before = path.read_text()
        if before == text:
            return
        if not rendered.is_ours(before):
            log.warning("left alone what another has written; remove it to have it written here file=%s", path)
            return
    path.parent.mkdir(mode=0o755, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
