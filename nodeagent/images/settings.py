"""What the agent's configuration says of images."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from schemas.configuration import BadConfiguration, Section


class RegistryHost(Section, frozen=True, kw_only=True):
    """One registry, by host and port as images name it, or by that of a mirror; `*` stands for all without their own.

    `mirrors` are asked before the registry itself, in this order.
    """

    mirrors: tuple[str, ...] = ()
    ca_file: Path | None = None
    """Of the authority that signed its certificate."""
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    plain_http: bool = False
    skip_verify: bool = False


class Registries(Section, frozen=True, kw_only=True):
    """`registries` of the agent's configuration."""

    credentials: Path | None = None
    """A Docker `config.json`; read again when it is replaced."""
    hosts: dict[str, RegistryHost] = msgspec.field(default_factory=dict)
    directory: Path | None = None
    """The `config_path` of the system's containerd, to be written by this agent; an own one has its own."""

    def check(self) -> None:
        """Raises `BadConfiguration`."""
        for name, host in self.hosts.items():
            for mirror in host.mirrors:
                url = urlsplit(mirror)
                if url.scheme not in ("http", "https") or not url.hostname:
                    raise BadConfiguration(
                        f"registries.hosts[{name}].mirrors: expected https://HOST:PORT, found {mirror!r}"
                    )
            if name != "*" and ("/" in name or not name):
                raise BadConfiguration(f"registries.hosts: {name!r} is no registry: expected HOST or HOST:PORT")


class ImageCollection(Section, frozen=True, kw_only=True):
    """`imageCollection`: when unused images go; shares of the disk that they lie on, times in seconds."""

    high_percent: int = 85
    low_percent: int = 80
    minimum_age_seconds: float = 120
    maximum_age_seconds: float = 0
    """Unused images go after this time whatever the disk; 0: never."""
    pinned: tuple[str, ...] = ()
    """Images that never go."""

    def check(self) -> None:
        """Raises `BadConfiguration`."""
        if not 0 <= self.low_percent < self.high_percent <= 100:
            raise BadConfiguration(
                "imageCollection: expected 0 <= lowPercent < highPercent <= 100, "
                f"found {self.low_percent} and {self.high_percent}"
            )
