"""Who a request for a certificate is about, read as `cryptography` reads it."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from schemas import certificaterequest

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = st.text(st.characters(categories=("L", "N", "P", "S", "Z")), min_size=1, max_size=20)


def request(user: str, groups: list[str]) -> bytes:
    oid = x509.NameOID
    names = [x509.NameAttribute(oid.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*names, x509.NameAttribute(oid.COMMON_NAME, user)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


@given(NAMES, st.lists(NAMES, max_size=8))
def test_the_subject_is_who_the_request_names(user: str, groups: list[str]) -> None:
    assert certificaterequest.subject(request(user, groups)) == (user, tuple(groups))


@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_what_is_no_request_is_refused_and_breaks_nothing(rest: bytes, at: int) -> None:
    der = base64.b64decode(b"".join(request("bob", ["ops"]).splitlines()[1:-1]))
    at %= len(der)
    for content in (rest, der[:at], der[:at] + rest):
        text = base64.b64encode(content)
        pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + text + b"\n-----END CERTIFICATE REQUEST-----\n"
        try:
            found = certificaterequest.subject(pem)
        except ValueError:
            continue
        assert len(found.common_name) <= 64  # its end was damaged, behind the subject


@pytest.mark.parametrize("text", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_another_kind_of_text_is_no_request(text: bytes) -> None:
    with pytest.raises(ValueError, match="PEM block type"):
        certificaterequest.subject(text)
