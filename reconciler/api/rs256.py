"""RS256 (RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017): signatures that others can check, without a library that weighs.

Pure arithmetic over Python's integers. `cryptography` would cost the reconciler 8 MiB for good, and a process for
each token more than the signature itself. A signature is compared with what it must be, never parsed. The secret
exponent is used on a blinded number, so that the time it takes tells nothing of it, and the result is checked before
it is given away, so that a fault of the machine cannot betray the key.
"""

import hashlib
import hmac
from math import gcd

import msgspec

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
"""What PKCS #1 writes in front of a SHA-256."""


class PublicKey(msgspec.Struct, frozen=True):
    """`n` and `e` of RFC 8017, and the name that tokens call the key by."""

    kid: str
    n: int
    e: int

    @property
    def size(self) -> int:
        """Bytes of a signature."""
        return (self.n.bit_length() + 7) // 8


class PrivateKey(msgspec.Struct, frozen=True):
    """The public part, its secret exponent and the primes. Not for logs."""

    public: PublicKey
    d: int
    p: int
    q: int


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the message."""
    value = int.from_bytes(signature, "big")
    if len(signature) != key.size or value >= key.n:
        return False
    return hmac.compare_digest(pow(value, key.e, key.n).to_bytes(key.size, "big"), _encoded(key, message))


def sign(key: PrivateKey, message: bytes, blind: int) -> bytes:
    """The signature. `blind` is a random number that nobody may know. Raises `ValueError` for one that is unfit."""
    public = key.public
    blind %= public.n
    if blind < 2 or gcd(blind, public.n) != 1:
        raise ValueError("unfit to blind with")
    encoded = int.from_bytes(_encoded(public, message), "big")
    blinded = encoded * pow(blind, public.e, public.n) % public.n
    of_p, of_q = pow(blinded, key.d % (key.p - 1), key.p), pow(blinded, key.d % (key.q - 1), key.q)
    both = of_q + (of_p - of_q) * pow(key.q, -1, key.p) % key.p * key.q
    value = both * pow(blind, -1, public.n) % public.n
    if pow(value, public.e, public.n) != encoded:
        raise ArithmeticError("the signature is not sound; nothing was given away")
    return value.to_bytes(public.size, "big")


def _encoded(key: PublicKey, message: bytes) -> bytes:
    ending = _SHA256 + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (key.size - len(ending) - 3) + b"\x00" + ending
