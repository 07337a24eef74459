"""Rules of CertificateSigningRequests (`k8s.io/kubernetes/pkg/apis/certificates/validation`)."""

from schemas import certificaterequest, names
from schemas.certificates import (
    APPROVED,
    DENIED,
    FAILED,
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    is_,
)
from schemas.faults import Fault, Path
from schemas.validation.report import Faults, duplicate, forbidden, invalid, required, unsupported

_SPEC: Path = ("spec",)
_CONDITIONS: Path = ("status", "conditions")
_LEAST_SECONDS = 600
_LEGACY = "kubernetes.io/legacy-unknown"
_LONGEST_SIGNER = 571
_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)


def certificate_signing_request(found: CertificateSigningRequest) -> Faults:
    spec = found.spec
    try:
        certificaterequest.subject(spec.request)
    except ValueError as error:
        yield Fault((*_SPEC, "request"), f"Invalid value: {error}")
    if not spec.usages:
        yield required((*_SPEC, "usages"))
    for index, usage in enumerate(spec.usages):
        if usage not in _USAGES:
            yield unsupported((*_SPEC, "usages", index), usage, _USAGES)
        if usage in spec.usages[:index]:
            yield duplicate((*_SPEC, "usages", index), usage)
    yield from _signer((*_SPEC, "signerName"), spec.signer_name)
    if spec.expiration_seconds is not None and spec.expiration_seconds < _LEAST_SECONDS:
        message = f"may not specify a duration less than {_LEAST_SECONDS} seconds ({_LEAST_SECONDS // 60} minutes)"
        yield invalid((*_SPEC, "expirationSeconds"), spec.expiration_seconds, message)
    yield from _conditions(found)


def _signer(path: Path, name: str) -> Faults:
    if not name:
        yield required(path)
        return
    if name == _LEGACY:
        yield invalid(path, name, "the legacy signerName is not allowed via this API version")
    if len(name) > _LONGEST_SIGNER:
        yield Fault(path, f"Too long: may not be more than {_LONGEST_SIGNER} bytes")
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        yield invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
        return
    if "." not in domain:
        yield invalid(path, domain, "should be a domain with at least two segments separated by dots")
    for complaint in (*names.dns1123_subdomain(domain), *names.dns1123_subdomain(rest)):
        yield invalid(path, name, complaint)


def _conditions(found: CertificateSigningRequest) -> Faults:
    if is_(found, APPROVED) and is_(found, DENIED):
        yield invalid(_CONDITIONS, DENIED, "Approved and Denied conditions are mutually exclusive")
    types = [condition.type for condition in found.status.conditions]
    for index, condition in enumerate(found.status.conditions):
        yield from _condition((*_CONDITIONS, index), condition)
        if condition.type in types[:index]:
            yield duplicate((*_CONDITIONS, index, "type"), condition.type)


def _condition(path: Path, condition: CertificateSigningRequestCondition) -> Faults:
    if not condition.type:
        yield required((*path, "type"))
    elif condition.type in (APPROVED, DENIED, FAILED):
        if condition.status != "True":
            yield unsupported((*path, "status"), condition.status, ("True",))
    elif condition.status not in ("True", "False", "Unknown"):
        yield unsupported((*path, "status"), condition.status, ("True", "False", "Unknown"))


def certificate_signing_request_update(new: CertificateSigningRequest, old: CertificateSigningRequest) -> Faults:
    """What was decided stays so. (What is asked for cannot change: the server keeps it as it was.)"""
    for type_ in (APPROVED, DENIED, FAILED):
        if is_(old, type_) and not is_(new, type_):
            yield forbidden(_CONDITIONS, f"updates may not remove a condition of type {type_!r}".replace("'", '"'))
    if new.status.conditions != old.status.conditions:
        yield from _conditions(new)
    if new.status.certificate != old.status.certificate and not certificaterequest.holds_certificate(
        new.status.certificate
    ):
        yield Fault(("status", "certificate"), "Invalid value: must contain at least one CERTIFICATE PEM block")
    if old.status.certificate and new.status.certificate != old.status.certificate:
        yield forbidden(("status", "certificate"), "updates may not replace the certificate, once it is issued")
