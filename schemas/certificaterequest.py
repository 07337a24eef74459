"""A request for a certificate (PKCS#10, RFC 2986) in PEM, as far as it has to be read: who wants to be whom.

Pure, and without `cryptography`, which would weigh on the reconciler for good. Whoever signs reads it again, whole.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_BEGIN, _END = b"-----BEGIN CERTIFICATE REQUEST-----", b"-----END CERTIFICATE REQUEST-----"
_SEQUENCE, _SET, _INTEGER, _OID, _BITS = 0x30, 0x31, 0x02, 0x06, 0x03
_COMMON_NAME, _ORGANISATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_WIDE = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}
"""Kinds of text other than UTF-8 and what is a part of it."""


class Subject(NamedTuple):
    """As whom the bearer of the certificate will be known: the user, and its groups."""

    common_name: str
    organisations: tuple[str, ...]


class _Part(NamedTuple):
    tag: int
    content: bytes


def subject(pem: bytes) -> Subject:
    """Of the request. Raises `ValueError`, which says what is wrong with it."""
    (whole,) = _exactly(_read(_decoded(pem)), _SEQUENCE)
    info, _, _ = _exactly(_read(whole), _SEQUENCE, _SEQUENCE, _BITS)
    parts = list(_read(info))
    _exactly(parts[:3], _INTEGER, _SEQUENCE, _SEQUENCE)
    named = list(_attributes(parts[1].content))
    names = [text for oid, text in named if oid == _COMMON_NAME]
    return Subject(names[-1] if names else "", tuple(text for oid, text in named if oid == _ORGANISATION))


def holds_certificate(pem: bytes) -> bool:
    """Whether there is a certificate in PEM, as far as its form tells."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    return end in pem.partition(begin)[2]


def _decoded(pem: bytes) -> bytes:
    before, begun, rest = pem.partition(_BEGIN)
    content, ended, _ = rest.partition(_END)
    if not begun or not ended or b"-----BEGIN" in before:
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        return b64decode(b"".join(content.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the PEM block is not base64: {error}") from None


def _attributes(name: bytes) -> Iterator[tuple[bytes, str]]:
    """The attributes of a distinguished name."""
    for tag, content in _read(name):
        if tag != _SET:
            raise ValueError("malformed certificate request: its subject is no list of names")
        for each in _read(content):
            if each.tag != _SEQUENCE:
                raise ValueError("malformed certificate request: its subject is no list of names")
            oid, value = _two(each.content)
            if oid.tag == _OID:
                yield oid.content, _text(value)


def _two(content: bytes) -> tuple[_Part, _Part]:
    parts = list(_read(content))
    if len(parts) != 2:
        raise ValueError("malformed certificate request: a name in its subject has no value")
    return parts[0], parts[1]


def _text(part: _Part) -> str:
    try:
        return part.content.decode(_WIDE.get(part.tag, "utf-8"))
    except UnicodeDecodeError:
        raise ValueError("malformed certificate request: a name in its subject is no text") from None


def _exactly(parts: Iterable[_Part], *tags: int) -> tuple[bytes, ...]:
    found = list(parts)
    if [part.tag for part in found] != list(tags):
        raise ValueError("malformed certificate request")
    return tuple(part.content for part in found)


def _read(content: bytes) -> Iterator[_Part]:
    """The parts of DER, one after the other (X.690)."""
    at = 0
    while at < len(content):
        tag, at = content[at], at + 1
        length, at = _length(content, at)
        if at + length > len(content):
            raise ValueError("malformed certificate request: it is cut off")
        yield _Part(tag, content[at : at + length])
        at += length


def _length(content: bytes, at: int) -> tuple[int, int]:
    """A length, and where what it is of begins."""
    if at >= len(content):
        raise ValueError("malformed certificate request: it is cut off")
    first, at = content[at], at + 1
    if first < 0x80:
        return first, at
    more = first & 0x7F
    if not 1 <= more <= 4 or at + more > len(content):
        raise ValueError("malformed certificate request: it is cut off")
    return int.from_bytes(content[at : at + more], "big"), at + more
