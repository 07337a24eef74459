"""The columns of CertificateSigningRequest."""

from datetime import datetime

from reconciler.api.tables.column import AGE, NAME, NONE, Cell, Column, Layout, age, human_duration
from schemas.certificates import APPROVED, DENIED, FAILED, CertificateSigningRequest, is_


def _request(found: CertificateSigningRequest, now: datetime) -> tuple[Cell, ...]:
    spec = found.spec
    asked = NONE if spec.expiration_seconds is None else human_duration(spec.expiration_seconds)
    return found.metadata.name, age(found, now), spec.signer_name, spec.username, asked, _condition(found)


def _condition(found: CertificateSigningRequest) -> str:
    """What became of it; a refusal outweighs all else."""
    told = [DENIED] if is_(found, DENIED) else [APPROVED] if is_(found, APPROVED) else ["Pending"]
    if is_(found, FAILED):
        told.append(FAILED)
    if found.status.certificate:
        told.append("Issued")
    return ",".join(told)


CERTIFICATE_SIGNING_REQUEST = Layout(
    (
        NAME,
        AGE,
        Column("SignerName", description="Who is to sign it"),
        Column("Requestor", description="Who asked for it"),
        Column("RequestedDuration", description="For how long it is to hold"),
        Column("Condition", description="What became of it"),
    ),
    _request,
)
