"""Signs the requests for client certificates that somebody has approved, with the cluster's own authority.

Keys are handled by a process of its own (`python -m reconciler.api.requestsigning`), as in `certificate`: it reads the
whole request again, checks that the asker holds the key, and copies subject and key alone. What cannot be signed is
marked so; what could not be signed for want of a process or a disk is tried again.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.api import certificaterequests
from reconciler.api.certificate import CannotCertify
from reconciler.api.users import MASTERS
from reconciler.store.changes import ChangeError, UpdateStatus
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from reconciler.store.view import Event
from schemas.certificates import CertificateSigningRequest

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
_PATIENCE = 60.0
_BACKDATE = timedelta(minutes=5)
"""Clocks of a fleet differ."""
_UNSIGNABLE = 3
"""The exit status that says that the request is at fault."""


class Unsignable(Exception):
    """The request will never be signed. The text says why."""


class RequestSigner:
    """`directory` holds the authority."""

    def __init__(self, cluster: Cluster, directory: Path, clock: Callable[[], datetime]) -> None:
        self._cluster, self._directory, self._clock = cluster, directory, clock
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        end = self._cluster.cache.subscribe(self._listen)
        try:
            for found in self._cluster.cache.list(CertificateSigningRequest):
                self._look_at(found)
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._due:
                    name = next(iter(self._due))
                    del self._due[name]
                    await self._settle(name)
        finally:
            end()

    def _listen(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event.new, CertificateSigningRequest):
                self._look_at(event.new)

    def _look_at(self, found: CertificateSigningRequest) -> None:
        if certificaterequests.is_due(found):
            self._again(found.metadata.name)

    def _again(self, name: str) -> None:
        self._due[name] = None
        self._wake.set()

    async def _settle(self, name: str) -> None:
        found = self._cluster.cache.get(CertificateSigningRequest, "", name)
        if found is None or not certificaterequests.is_due(found):
            return
        now = self._clock()
        try:
            await self._cluster.apply([UpdateStatus(await self._decided(found, now))])
        except ChangeError:
            return  # somebody was quicker, whose change is looked at in its turn
        except (CannotCertify, StoreError, OSError, subprocess.TimeoutExpired) as error:
            log.error("cannot sign, trying again later certificatesigningrequest=%s error=%s", name, error)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again, name)

    async def _decided(self, found: CertificateSigningRequest, now: datetime) -> CertificateSigningRequest:
        why = certificaterequests.unsignable(found)
        if not why:
            until = now + certificaterequests.lifetime(found)
            try:
                # In a thread, for it waits for the process that holds the key.
                made = await asyncio.to_thread(sign, self._directory, found.spec.request, found.spec.usages, until, now)
                return certificaterequests.issued(found, made)
            except Unsignable as error:
                why = str(error)
        return certificaterequests.failed(found, why, now.replace(microsecond=0))


def sign(directory: Path, request: bytes, usages: Sequence[str], until: datetime, now: datetime) -> bytes:
    """The certificate, as PEM. Raises `Unsignable` and `CannotCertify`."""
    command = (sys.executable, "-m", __spec__.name, str(directory), now.isoformat(), until.isoformat(), *usages)
    made = subprocess.run(command, input=request, capture_output=True, check=False, timeout=_PATIENCE)
    if made.returncode:
        why = (made.stderr.decode(errors="replace").strip().splitlines() or ["it did not say why"])[-1]
        raise Unsignable(why) if made.returncode == _UNSIGNABLE else CannotCertify(why)
    return made.stdout


def make(authority: bytes, request: bytes, usages: Sequence[str], until: datetime, now: datetime) -> bytes:
    """Signs. Raises `Unsignable`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    issuer = x509.load_pem_x509_certificate(authority)
    signer = load_pem_private_key(authority, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    try:
        asked = x509.load_pem_x509_csr(request)
        holds_key, key = asked.is_signature_valid, asked.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unsignable(f"the request cannot be read: {error}") from None
    if not holds_key:
        raise Unsignable("the request is not signed with the key that it is about")
    if any(each.value == MASTERS for each in asked.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)):
        raise Unsignable(f"the signer makes no members of {MASTERS}")
    purpose = x509.KeyUsage(
        digital_signature="digital signature" in usages,
        key_encipherment="key encipherment" in usages,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(until, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if "digital signature" in usages or "key encipherment" in usages:
        builder = builder.add_extension(purpose, critical=True)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


def _main(directory: Path, now: datetime, until: datetime, usages: Sequence[str]) -> None:
    authority = (directory / "ca.pem").read_bytes()
    try:
        sys.stdout.buffer.write(make(authority, sys.stdin.buffer.read(), usages, until, now))
    except Unsignable as error:
        print(error, file=sys.stderr)
        sys.exit(_UNSIGNABLE)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), sys.argv[4:])
