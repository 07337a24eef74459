"""CertificateSigningRequest: who wants a certificate, for what, and what became of it.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
"""

from datetime import datetime
from typing import Annotated

from msgspec import field

from schemas.meta import Object, Record, merged_by

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
"""Signs certificates for clients of the API; the one signer that is built in here."""
APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"


class CertificateSigningRequestSpec(Record, frozen=True):
    """`request` is PKCS#10 in PEM. Who asks is filled in by the server."""

    request: bytes
    signer_name: str
    expiration_seconds: int | None = None
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    uid: str = ""
    usages: tuple[str, ...] = ()
    username: str = ""


class CertificateSigningRequestCondition(Record, frozen=True):
    status: str
    type: str
    last_transition_time: datetime | None = None
    last_update_time: datetime | None = None
    message: str = ""
    reason: str = ""


class CertificateSigningRequestStatus(Record, frozen=True):
    certificate: bytes = b""
    conditions: Annotated[tuple[CertificateSigningRequestCondition, ...], merged_by("type", patch=None)] = ()


class CertificateSigningRequest(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "certificates.k8s.io/v1")
    kind: str = field(default_factory=lambda: "CertificateSigningRequest")
    spec: CertificateSigningRequestSpec
    status: CertificateSigningRequestStatus = field(default_factory=CertificateSigningRequestStatus)


def is_(found: CertificateSigningRequest, type_: str) -> bool:
    """Whether it was approved, was denied, or failed."""
    return any(condition.type == type_ for condition in found.status.conditions)
