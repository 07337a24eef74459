"""Signs many tokens at once, in a process of its own: `python -m reconciler.api.signing DIR`.

One signature costs the reconciler 12 ms, which it has; for hundreds that come together, as when a fleet is rolled out,
a process with a library that is faster by far is worth its start. What is to be signed comes in, a line each; the
signatures go out in the same order.
"""

import base64
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reconciler.api import signingkey
from reconciler.api.certificate import CannotCertify

_PATIENCE = 60.0


def sign_all(directory: Path, parts: Sequence[bytes]) -> list[bytes]:
    """The signature of each part with the key that lies in the directory. Raises `CannotCertify`."""
    command = (sys.executable, "-m", __spec__.name, str(directory))
    try:
        done = subprocess.run(command, input=b"\n".join(parts), capture_output=True, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCertify(f"tokens cannot be signed: {type(error).__name__}") from None
    lines = done.stdout.split()
    if done.returncode or len(lines) != len(parts):
        why = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it did not say why"]
        raise CannotCertify(f"tokens cannot be signed: {why[0]}")
    return [base64.b64decode(line) for line in lines]


def main(directory: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    key = signingkey.load(directory)
    if key is None:
        raise SystemExit("there is no key")
    public = rsa.RSAPublicNumbers(key.public.e, key.public.n)
    of_p, of_q, inverse = key.d % (key.p - 1), key.d % (key.q - 1), pow(key.q, -1, key.p)
    signer = rsa.RSAPrivateNumbers(key.p, key.q, key.d, of_p, of_q, inverse, public).private_key()
    for part in sys.stdin.buffer.read().split(b"\n"):
        sys.stdout.buffer.write(base64.b64encode(signer.sign(part, padding.PKCS1v15(), SHA256())) + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
