"""The server's certificate, signed by an authority of its own, so that TLS needs no set-up; and those of clients.

`ca.pem` and `server.pem` each hold a certificate and its key, in one file so that a crash cannot part them. A
first line says until when and for which addresses `server.pem` is good. New ones are made by a process of its own
(`python -m reconciler.api.certificate`): `cryptography` weighs 12 MiB, for good, and is needed once in two years.
"""

import ipaddress
import ssl
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconciler.api import secretfile

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 730
_RENEW_DAYS = 90
"""Days before its end that a certificate is replaced."""
_PATIENCE = 60.0
_FOR = "client="
"""Tells the process that makes keys that a client wants one, for so many days; no address begins so."""


class CannotCertify(Exception):
    """There is no certificate, and none can be made. The text says where and why."""


class Certificate(msgspec.Struct, frozen=True):
    """`path` holds the server's certificate and key; `authority` is what clients must trust, as PEM."""

    path: Path
    authority: bytes
    renew_at: datetime

    def context(self) -> ssl.SSLContext:
        """For a server that presents this certificate, and takes those of clients that the same authority signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Has the server go on with this certificate; clients of an earlier authority stay known."""
        context.load_cert_chain(self.path)
        context.load_verify_locations(cadata=self.authority.decode())


class _Header(msgspec.Struct, frozen=True):
    renew_at: datetime
    addresses: tuple[str, ...]


def ensure(directory: Path, addresses: Sequence[str], now: datetime) -> Certificate:
    """The certificate for these names and addresses; a new one where there is none, or its time is nearly over.

    Raises `CannotCertify`.
    """
    wanted = tuple(sorted(set(addresses)))
    if not _sound(directory, wanted, now):
        command = (sys.executable, "-m", __spec__.name, str(directory), now.isoformat(), *wanted)
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        if made.returncode:
            why = made.stderr.strip().splitlines()[-1:] or ["it did not say why"]
            raise CannotCertify(f"no certificate could be made in {directory}: {why[0]}")
    return load(directory)


def load(directory: Path) -> Certificate:
    """The certificate as it lies there."""
    server = directory / "server.pem"
    header = _header(server)
    if header is None:
        raise CannotCertify(f"{server} is not what was written there: delete it, and a new one is made")
    return Certificate(server, _certificates((directory / "ca.pem").read_bytes()), header.renew_at)


def issue(directory: Path, user: str, groups: Sequence[str], days: int, now: datetime) -> bytes:
    """A client's certificate and key, as PEM: `user` is its common name, `groups` are its organisations.

    Raises `CannotCertify`.
    """
    command = (sys.executable, "-m", __spec__.name, str(directory), now.isoformat(), f"{_FOR}{days}", user, *groups)
    made = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE)
    if made.returncode:
        why = made.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it did not say why"]
        raise CannotCertify(f"no certificate could be made for {user}: {why[0]}")
    return made.stdout


def make(directory: Path, addresses: Sequence[str], now: datetime) -> None:
    """Makes what is missing, out of date or for other addresses."""
    authority, server = directory / "ca.pem", directory / "server.pem"
    wanted = tuple(sorted(set(addresses)))
    held = _header(authority)
    if held is None or held.renew_at <= now:
        secretfile.replace(authority, _make_authority(now))
    elif _sound(directory, wanted, now):
        return
    secretfile.replace(server, _make_server(authority.read_bytes(), wanted, now))


def _sound(directory: Path, wanted: tuple[str, ...], now: datetime) -> bool:
    """Whether nothing need be made. The server's time is over before that of the authority that signed it."""
    authority, server = _header(directory / "ca.pem"), _header(directory / "server.pem")
    if authority is None or server is None:
        return False
    return server.renew_at > now and authority.renew_at > now and server.addresses == wanted


def _header(path: Path) -> _Header | None:
    """What the file's first line says, or None where there is no such file."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.readline().removeprefix(b"# "), type=_Header)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _certificates(pem: bytes) -> bytes:
    """The file without its key and first line."""
    start, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----\n"
    return start + pem.partition(start)[2].partition(end)[0] + end


def _make_authority(now: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("wherry-ca")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _file(builder, key, key, _Header(now + timedelta(days=_AUTHORITY_DAYS - _SERVER_DAYS), ()))


def _make_server(authority: bytes, addresses: tuple[str, ...], now: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    issuer = x509.load_pem_x509_certificate(authority)
    signer = load_pem_private_key(authority, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        _builder(_name("wherry"), issuer.subject, key, now, _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_alternative(address) for address in addresses]), critical=False)
        .add_extension(usage, critical=False)
    )
    return _file(builder, key, signer, _Header(now + timedelta(days=_SERVER_DAYS - _RENEW_DAYS), addresses))


def _make_client(authority: bytes, user: str, groups: Sequence[str], days: int, now: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    issuer = x509.load_pem_x509_certificate(authority)
    signer = load_pem_private_key(authority, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(_name(user, groups), issuer.subject, key, now, days).add_extension(usage, critical=False)
    return _pem(builder, key, signer)


def _name(common: str, organisations: Sequence[str] = ()) -> "x509.Name":
    from cryptography import x509

    oid = x509.NameOID
    organised = [x509.NameAttribute(oid.ORGANIZATION_NAME, organisation) for organisation in organisations]
    return x509.Name([*organised, x509.NameAttribute(oid.COMMON_NAME, common)])


def _alternative(address: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _builder(
    subject: "x509.Name", issuer: "x509.Name", key: "ec.EllipticCurvePrivateKey", now: datetime, days: int
) -> "x509.CertificateBuilder":
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of a fleet differ
        .not_valid_after(now + timedelta(days=days))
    )


def _file(
    builder: "x509.CertificateBuilder",
    key: "ec.EllipticCurvePrivateKey",
    signer: "ec.EllipticCurvePrivateKey",
    header: _Header,
) -> bytes:
    return b"# %s\n" % msgspec.json.encode(header) + _pem(builder, key, signer)


def _pem(
    builder: "x509.CertificateBuilder", key: "ec.EllipticCurvePrivateKey", signer: "ec.EllipticCurvePrivateKey"
) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    certificate = builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate + private


def _main(directory: Path, now: datetime, wanted: Sequence[str]) -> None:
    """Either `ensure` or `issue` asks."""
    if wanted[0].startswith(_FOR):
        authority = (directory / "ca.pem").read_bytes()
        made = _make_client(authority, wanted[1], wanted[2:], int(wanted[0].removeprefix(_FOR)), now)
        sys.stdout.buffer.write(made)
    else:
        make(directory, wanted, now)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), sys.argv[3:])
