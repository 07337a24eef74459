import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from reconciler.api import certificate, kubeconfig
from reconciler.api.kubeconfig import Access
from reconciler.cli import parser
from schemas.configuration import BadConfiguration


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """As `wherry up` leaves it behind."""
    pki = tmp_path / "reconciler" / "pki"
    certificate.make(pki, ("127.0.0.1",), datetime.now(UTC))
    kubeconfig.write(
        tmp_path / "kubeconfig", Access("https://127.0.0.1:6443", certificate.load(pki).authority, "token")
    )
    return tmp_path


def run(data: Path, *arguments: str) -> int:
    given = parser().parse_args(["kubeconfig", "--data", str(data), *arguments])
    code: int = given.run(given)
    return code


def test_a_person_gets_a_certificate_and_no_token(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "alice.kubeconfig"
    groups = ("--group", "dev", "--group", "ops")
    assert run(data, "--user", "alice", *groups, "--days", "30", "--output", str(path)) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    document = yaml.safe_load(path.read_text())
    user = document["users"][0]["user"]
    assert set(user) == {"client-certificate-data", "client-key-data"}
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    made = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    made.verify_directly_issued_by(
        x509.load_pem_x509_certificate((data / "reconciler" / "pki" / "ca.pem").read_bytes())
    )
    assert made.subject.rfc4514_string() == "CN=alice,O=ops,O=dev"
    assert 29 <= (made.not_valid_after_utc - datetime.now(UTC)).days <= 30
    assert base64.b64decode(user["client-key-data"]).startswith(b"-----BEGIN PRIVATE KEY")
    assert capsys.readouterr() == ("", "")


def test_it_is_printed_for_where_that_person_is(data: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(data, "--user", "root", "--group", "system:masters", "--server", "https://10.0.0.5:6443") == 0
    said = capfdbinary.readouterr()
    assert yaml.safe_load(said.out)["clusters"][0]["cluster"]["server"] == "https://10.0.0.5:6443"
    assert b"may do everything" in said.err


def test_without_a_cluster_it_is_said_what_to_do(tmp_path: Path, data: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"ca.pem: there is no authority yet; start Wherry"):
        run(tmp_path / "nosuch", "--user", "alice")
    (data / "kubeconfig").unlink()
    with pytest.raises(BadConfiguration, match="is Wherry running"):
        run(data, "--user", "alice")


@pytest.mark.parametrize(
    "arguments", [("--user", ""), ("--user", "x" * 65), ("--user", "a\nb"), ("--user", "a", "--days", "0"), ()]
)
def test_names_and_days_have_bounds(data: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        run(data, *arguments)
