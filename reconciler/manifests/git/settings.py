"""What a git source is told by the configuration. Pure."""

from pathlib import Path
from typing import Literal

import msgspec

from reconciler.manifests.git.address import Address

TRUNK = "HEAD"


class Login(msgspec.Struct, frozen=True):
    """For https. The file is read by git's credential helper each time, so that a new password counts at once."""

    username: str
    password_file: Path


class DeployKey(msgspec.Struct, frozen=True):
    """For ssh. Only host keys that are known are talked to."""

    key_file: Path
    known_hosts_file: Path


class GitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`ref` is a full reference name, or HEAD. `path` lies below the root, empty for all of it."""

    address: Address
    ref: str = TRUNK
    path: str = ""
    interval_seconds: float = 60.0
    submodules: bool = False
    login: Login | None = None
    deploy_key: DeployKey | None = None
    ca_file: Path | None = None
    keys_file: Path | None = None
    """Whose signatures count; None: nothing need be signed."""
    webhook_secret_file: Path | None = None

    @property
    def is_tag(self) -> bool:
        return self.ref.startswith("refs/tags/")

    @property
    def ref_name(self) -> str:
        """For people: `branch main`, `tag v1`, or `HEAD`."""
        if self.ref == TRUNK:
            return TRUNK
        return f"{'tag' if self.is_tag else 'branch'} {self.ref.split('/', 2)[2]}"


KeyScheme = Literal["ssh", "openpgp"]


def key_scheme(content: bytes) -> KeyScheme:
    """What kind of keys a file holds. Raises `ValueError`."""
    text = content.lstrip()
    if text.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") or (content and content[0] & 0x80):
        return "openpgp"
    lines = [line.strip() for line in text.splitlines()]
    entries = [line for line in lines if line and not line.startswith(b"#")]
    if entries and all(len(line.split()) >= 3 for line in entries):
        return "ssh"
    raise ValueError("expected lines of ssh's allowed_signers (`me@example.com ssh-ed25519 AAAA…`) or GPG public keys")
