"""The key that signs the tokens of service accounts: made once, when the first token is asked for, and kept.

It lies beside the authority of the certificates. A process of its own makes it (`python -m
reconciler.api.signingkey`), as it makes those: see `certificate`. Who deletes the file makes all tokens void.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec

from reconciler.api import secretfile
from reconciler.api.certificate import CannotCertify
from reconciler.api.rs256 import PrivateKey, PublicKey

NAME = "service-accounts.json"
_BITS = 2048
_PATIENCE = 60.0


class _Stored(msgspec.Struct, frozen=True):
    """Numbers in hexadecimal: JSON has none so large."""

    n: str
    e: str
    d: str
    p: str
    q: str


def load(directory: Path) -> PrivateKey | None:
    """The key, or None where none was made yet. Raises `CannotCertify` for a file that is damaged."""
    path = directory / NAME
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
        n, e, d, p, q = (int(getattr(stored, field), 16) for field in _Stored.__struct_fields__)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ValueError):
        raise CannotCertify(f"{path} is not what was written there: delete it, and all tokens become void") from None
    kid = hashlib.sha256(n.to_bytes((n.bit_length() + 7) // 8, "big")).hexdigest()[:32]
    return PrivateKey(PublicKey(kid, n, e), d, p, q)


def ensure(directory: Path) -> PrivateKey:
    """The key; a new one where there is none. It takes a moment. Raises `CannotCertify`."""
    found = load(directory)
    if found is not None:
        return found
    command = (sys.executable, "-m", __spec__.name, str(directory))
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    found = load(directory)
    if found is None:
        why = made.stderr.strip().splitlines()[-1:] or ["it did not say why"]
        raise CannotCertify(f"no key could be made in {directory}: {why[0]}")
    return found


def make(directory: Path) -> None:
    """Makes the key where there is none."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    if (directory / NAME).exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS).private_numbers()
    public = key.public_numbers
    stored = _Stored(*(f"{number:x}" for number in (public.n, public.e, key.d, key.p, key.q)))
    secretfile.replace(directory / NAME, msgspec.json.encode(stored))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
