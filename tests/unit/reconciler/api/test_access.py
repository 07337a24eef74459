import base64
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from reconciler.api import auth, certificate, kubeconfig, secretfile
from reconciler.api.certificate import CannotCertify, Certificate
from reconciler.api.kubeconfig import Access, BadKubeconfig
from tests.unit.reconciler.api.builders import NOW

ADDRESSES = ("127.0.0.1", "localhost")


def test_a_secret_file_is_its_owners_alone_and_written_only_on_change(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    assert secretfile.replace(path, b"a")
    written = path.stat()
    assert written.st_mode & 0o777 == 0o600
    assert not secretfile.replace(path, b"a")
    assert path.stat().st_mtime_ns == written.st_mtime_ns
    assert secretfile.replace(path, b"b")
    assert path.read_bytes() == b"b"


def test_a_draft_that_a_crash_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "secret.new").write_bytes(b"half")
    assert secretfile.replace(tmp_path / "secret", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_server_certificate_is_for_its_addresses_and_signed_by_the_authority(tmp_path: Path) -> None:
    fresh = certificate.ensure(tmp_path, ADDRESSES, NOW)
    server = x509.load_pem_x509_certificate(fresh.path.read_bytes())
    authority = x509.load_pem_x509_certificate(fresh.authority)
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert b"PRIVATE" not in fresh.authority
    assert isinstance(fresh.context(), ssl.SSLContext)


def made(directory: Path, addresses: tuple[str, ...] = ADDRESSES, later: timedelta = timedelta(0)) -> Certificate:
    """As `ensure`, in this process."""
    certificate.make(directory, addresses, NOW + later)
    return certificate.load(directory)


def test_a_certificate_that_is_good_is_kept(tmp_path: Path) -> None:
    first = made(tmp_path)
    content = first.path.read_bytes()
    assert certificate.ensure(tmp_path, tuple(reversed(ADDRESSES)), NOW + timedelta(days=100)) == first
    assert first.path.read_bytes() == content


@pytest.mark.parametrize(
    ("addresses", "later", "same_authority"),
    [
        pytest.param((*ADDRESSES, "10.0.0.1"), timedelta(0), True, id="another address"),
        pytest.param(ADDRESSES, timedelta(days=700), True, id="nearly over"),
        pytest.param(ADDRESSES, timedelta(days=3600), False, id="authority nearly over"),
    ],
)
def test_a_certificate_is_renewed_in_time(
    tmp_path: Path, addresses: tuple[str, ...], later: timedelta, same_authority: bool
) -> None:
    first = made(tmp_path)
    content = first.path.read_bytes()
    second = made(tmp_path, addresses, later)
    assert second.path.read_bytes() != content
    assert (second.authority == first.authority) is same_authority
    assert second.renew_at > NOW + later
    x509.load_pem_x509_certificate(second.path.read_bytes()).verify_directly_issued_by(
        x509.load_pem_x509_certificate(second.authority)
    )


def test_a_certificate_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem.new").mkdir()
    with pytest.raises(CannotCertify, match=r"no certificate could be made in .*: IsADirectoryError"):
        certificate.ensure(tmp_path, ADDRESSES, NOW)
    (tmp_path / "server.pem").write_bytes(b"garbage")
    with pytest.raises(CannotCertify, match="delete it"):
        certificate.load(tmp_path)


def test_a_token_is_made_once(tmp_path: Path) -> None:
    token = auth.load_token(tmp_path / "token")
    assert len(token) > 40
    assert auth.load_token(tmp_path / "token") == token


def test_a_kubeconfig_says_what_was_written(tmp_path: Path) -> None:
    path, access = tmp_path / "kubeconfig", Access("https://127.0.0.1:6443", b"PEM", "secret")
    assert kubeconfig.write(path, access)
    assert not kubeconfig.write(path, access)
    assert kubeconfig.read(path) == access
    cluster = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"PEM"


@pytest.mark.parametrize("content", [None, "{", "[]", "current-context: a\ncontexts: []"])
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadKubeconfig, match=str(path)):
        kubeconfig.read(path)
