"""Who asks for a certificate, who may approve and sign it, and what of a request may change.

Pure (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/). The server notes who asks;
what is asked for never changes; approval is a path of its own, and needs the verb `approve` on the signer besides.
"""

from datetime import datetime, timedelta

from msgspec import structs

from reconciler.api.attributes import Attributes
from reconciler.api.authorization import Authorizer
from reconciler.api.status import forbidden
from reconciler.api.users import MASTERS, User
from schemas import certificaterequest
from schemas.certificates import (
    APPROVED,
    CLIENT_SIGNER,
    DENIED,
    FAILED,
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestStatus,
    is_,
)
from schemas.kinds import BY_NAME
from schemas.meta import Object

APPROVAL = "approval"
"""The subresource that takes the decision: `PUT …/certificatesigningrequests/NAME/approval`."""
_GROUP = "certificates.k8s.io"
_DECISIONS = (APPROVED, DENIED)
_LONGEST = timedelta(days=365)
_NEEDED, _ALLOWED = "client auth", frozenset(("client auth", "digital signature", "key encipherment"))

Conditions = tuple[CertificateSigningRequestCondition, ...]


def stamped(new: Object, user: User) -> Object:
    """A new request with who asks. Any other kind stays as it is."""
    if not isinstance(new, CertificateSigningRequest):
        return new
    spec = structs.replace(new.spec, username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
    return structs.replace(new, spec=spec)


def kept(new: Object, present: Object, part: str, now: datetime) -> Object:
    """The new version with what this path does not change as it is. Any other kind stays as it is."""
    if not isinstance(new, CertificateSigningRequest) or not isinstance(present, CertificateSigningRequest):
        return new
    conditions, certificate = new.status.conditions, new.status.certificate
    if part == APPROVAL:
        conditions = (*_without(conditions, (FAILED,)), *_only(present.status.conditions, (FAILED,)))
        certificate = present.status.certificate
    elif part == "status":
        conditions = (*_only(present.status.conditions, _DECISIONS), *_without(conditions, _DECISIONS))
    status = CertificateSigningRequestStatus(certificate, _dated(conditions, present.status.conditions, now))
    return structs.replace(new, spec=present.spec, status=status)


def _without(conditions: Conditions, types: tuple[str, ...]) -> Conditions:
    return tuple(condition for condition in conditions if condition.type not in types)


def _only(conditions: Conditions, types: tuple[str, ...]) -> Conditions:
    return tuple(condition for condition in conditions if condition.type in types)


def _dated(conditions: Conditions, before: Conditions, now: datetime) -> Conditions:
    """With the times that the writer left out."""
    statuses = {condition.type: condition for condition in before}
    found = []
    for condition in conditions:
        old = statuses.get(condition.type)
        turned = condition.last_transition_time
        if turned is None:
            turned = old.last_transition_time if old is not None and old.status == condition.status else now
        found.append(
            structs.replace(
                condition, last_update_time=condition.last_update_time or now, last_transition_time=turned or now
            )
        )
    return tuple(found)


def check(authorizer: Authorizer, user: User, new: Object, present: Object | None) -> None:
    """Raises the 403 where the user may not ask for, approve, deny or sign this. Any other kind passes."""
    if not isinstance(new, CertificateSigningRequest):
        return
    if not isinstance(present, CertificateSigningRequest):
        if new.spec.signer_name == CLIENT_SIGNER and MASTERS in _organisations(new):
            raise _refusal(new, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")
        return
    told, before = new.status, present.status
    if _only(told.conditions, _DECISIONS) != _only(before.conditions, _DECISIONS):
        _check_signer(authorizer, user, new, "approve")
    failed = _only(told.conditions, (FAILED,)) != _only(before.conditions, (FAILED,))
    if told.certificate != before.certificate or failed:
        _check_signer(authorizer, user, new, "sign")


def _organisations(found: CertificateSigningRequest) -> tuple[str, ...]:
    try:
        return certificaterequest.subject(found.spec.request).organisations
    except ValueError:
        return ()  # no request at all: validation says so


def _check_signer(authorizer: Authorizer, user: User, found: CertificateSigningRequest, verb: str) -> None:
    """Of the signer by its name, or of all of its domain."""
    signer = found.spec.signer_name
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        if authorizer.authorize(user, Attributes(verb, _GROUP, "*", "signers", name=name)).allowed:
            return
    raise _refusal(found, f'user not permitted to {verb} requests with signerName "{signer}"')


def _refusal(found: CertificateSigningRequest, why: str) -> Exception:
    return forbidden(BY_NAME[found.kind], found.metadata.name, why)


def is_due(found: CertificateSigningRequest) -> bool:
    """Whether the built-in signer has to look at it."""
    if found.spec.signer_name != CLIENT_SIGNER or found.status.certificate or found.metadata.deletion_timestamp:
        return False
    return is_(found, APPROVED) and not is_(found, DENIED) and not is_(found, FAILED)


def unsignable(found: CertificateSigningRequest) -> str:
    """Why the built-in signer will never sign this; empty where it may."""
    usages = set(found.spec.usages)
    if _NEEDED not in usages or not usages <= _ALLOWED:
        others = ", ".join(sorted(usages - _ALLOWED))
        surplus = f", found {others}" if others else ""
        return (
            f"usages must contain {_NEEDED!r}, and besides at most 'digital signature' and 'key encipherment'{surplus}"
        )
    if MASTERS in _organisations(found):
        return f"the signer makes no members of {MASTERS}"
    return ""


def lifetime(found: CertificateSigningRequest) -> timedelta:
    """For how long the certificate holds: what is asked for, a year at most."""
    asked = found.spec.expiration_seconds
    return _LONGEST if asked is None else min(timedelta(seconds=asked), _LONGEST)


def issued(found: CertificateSigningRequest, certificate: bytes) -> CertificateSigningRequest:
    return structs.replace(found, status=structs.replace(found.status, certificate=certificate))


def failed(found: CertificateSigningRequest, why: str, now: datetime) -> CertificateSigningRequest:
    """Marked as one that will never be signed."""
    condition = CertificateSigningRequestCondition("True", FAILED, now, now, why, "SignerValidationFailure")
    conditions = (*found.status.conditions, condition)
    return structs.replace(found, status=structs.replace(found.status, conditions=conditions))
