"""Certificates that people ask for, with the real kubectl."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler import accessdefaults
from reconciler.api import kubeconfig
from reconciler.api.requestsigning import RequestSigner
from schemas.certificates import CertificateSigningRequest
from tests.unit.reconciler.api.conftest import Served
from tests.unit.reconciler.running import running

AS_ALICE = ("--as=alice", "--as-group=dev")
KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
ASKING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: asking}
rules:
  - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create, get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: approving}
rules:
  - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [get]}
  - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]}
"""


@pytest.fixture
async def signing(served: Served) -> AsyncIterator[Served]:
    """With the roles that a cluster begins with, and its signer."""
    await served.apply(*accessdefaults.changes(served.cluster.cache))
    signer = RequestSigner(served.cluster, served.directory / "api", lambda: datetime.now(UTC))
    async with running(signer.run()):
        yield served


def pem(user: str = "bob", *groups: str, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    oid = x509.NameOID
    names = [x509.NameAttribute(oid.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*names, x509.NameAttribute(oid.COMMON_NAME, user)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def manifest(name: str = "bob", request: bytes | None = None, **spec: Any) -> str:  # noqa: ANN401
    document = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request or pem()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            **spec,
        },
    }
    return yaml.safe_dump(document)


def found(served: Served, name: str = "bob") -> CertificateSigningRequest:
    held = served.cluster.cache.get(CertificateSigningRequest, "", name)
    assert held is not None
    return held


async def test_an_approved_request_becomes_a_certificate_that_the_api_knows(signing: Served) -> None:
    await signing.kubectl("apply", "-f", "-", stdin=ASKING)
    await signing.kubectl("create", "clusterrolebinding", "asking", "--clusterrole=asking", "--group=dev")
    asked = manifest(request=pem("bob", "ops"), expirationSeconds=3600, username="mallory")
    await signing.kubectl("create", "-f", "-", *AS_ALICE, stdin=asked)
    assert (await signing.kubectl("get", "csr")).rows[1][2:] == [
        "kubernetes.io/kube-apiserver-client",
        "alice",
        "60m",
        "Pending",
    ]
    assert set(found(signing).spec.groups) == {"dev", "system:authenticated"}

    await signing.kubectl("certificate", "approve", "bob")
    await signing.until(lambda: bool(found(signing).status.certificate))
    assert (await signing.kubectl("get", "csr")).rows[1][-1] == "Approved,Issued"
    assert ["Requesting User:", "alice"] in (await signing.kubectl("describe", "csr", "bob")).rows

    made = x509.load_pem_x509_certificate(found(signing).status.certificate)
    assert made.not_valid_after_utc.timestamp() - datetime.now(UTC).timestamp() == pytest.approx(3600, abs=60)
    bob = credentials(signing, found(signing).status.certificate)
    said = await signing.kubectl(f"--kubeconfig={bob}", "auth", "whoami")
    assert "bob" in said.out
    assert "[ops system:authenticated]" in said.out


def credentials(served: Served, certificate: bytes) -> Path:
    path = served.directory / "bob.kubeconfig"
    path.write_bytes(kubeconfig.text(served.server.access, "bob", kubeconfig.client_credentials(certificate + PRIVATE)))
    return path


async def test_a_decision_needs_a_right_on_the_signer_besides(signing: Served) -> None:
    await signing.kubectl("apply", "-f", "-", stdin=ASKING)
    await signing.kubectl("create", "clusterrolebinding", "approving", "--clusterrole=approving", "--group=dev")
    await signing.kubectl("create", "-f", "-", stdin=manifest())
    for verb in ("approve", "deny"):
        said = await signing.try_kubectl("certificate", verb, "bob", *AS_ALICE)
        assert (
            'forbidden: user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"'
            in said.err
        )
    role = "system:certificates.k8s.io:kube-apiserver-client-approver"
    await signing.kubectl("create", "clusterrolebinding", "approvers", f"--clusterrole={role}", "--group=dev")
    await signing.kubectl("certificate", "deny", "bob", *AS_ALICE)
    assert (await signing.kubectl("get", "csr")).rows[1][-1] == "Denied"
    both = [{"type": type_, "status": "True"} for type_ in ("Approved", "Denied")]
    patch = yaml.safe_dump({"status": {"conditions": both}})
    said = await signing.try_kubectl("patch", "csr", "bob", "--type=merge", "--subresource=approval", "-p", patch)
    assert "mutually exclusive" in said.err


async def test_what_is_asked_for_does_not_change_and_approval_is_a_path_of_its_own(signing: Served) -> None:
    await signing.kubectl("create", "-f", "-", stdin=manifest())
    before = found(signing)
    approved = {"status": {"conditions": [{"type": "Approved", "status": "True"}]}, "spec": {"usages": ["any"]}}
    for part in ((), ("--subresource=status",)):
        await signing.kubectl("patch", "csr", "bob", "--type=merge", *part, "-p", yaml.safe_dump(approved))
        assert (found(signing).spec, found(signing).status) == (before.spec, before.status)


async def test_another_signer_hands_in_a_certificate_and_nothing_else(signing: Served) -> None:
    await signing.kubectl("create", "-f", "-", stdin=manifest(signerName="example.com/mine"))
    patch = ("patch", "csr", "bob", "--type=merge", "--subresource=status", "-p")
    for content, why in ((b"x", "must contain at least one CERTIFICATE PEM block"), (pem(), "CERTIFICATE PEM block")):
        text = base64.b64encode(content).decode()
        assert why in (await signing.try_kubectl(*patch, yaml.safe_dump({"status": {"certificate": text}}))).err
    made = (signing.directory / "api" / "ca.pem").read_bytes().partition(b"-----BEGIN PRIVATE")[0]
    status = {"status": {"certificate": base64.b64encode(made).decode()}}
    await signing.kubectl(*patch, yaml.safe_dump(status))
    assert found(signing).status.certificate == made


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(
            manifest(request=pem("bob", "system:masters")),
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
            id="all rights",
        ),
        pytest.param(manifest(request=b"x"), "PEM block type must be CERTIFICATE REQUEST", id="no request"),
        pytest.param(manifest(usages=[]), "spec.usages: Required value", id="no usage"),
        pytest.param(manifest(usages=["flying"]), 'Unsupported value: "flying"', id="no such usage"),
        pytest.param(manifest(signerName="me"), "must be a fully qualified domain and path", id="no signer"),
        pytest.param(manifest(expirationSeconds=60), "less than 600 seconds", id="too short"),
        pytest.param(manifest(expirationSeconds=2**31), "out of range", id="more than 32 bits"),
    ],
)
async def test_a_request_that_nobody_may_sign_is_refused(signing: Served, asked: str, why: str) -> None:
    assert why in (await signing.try_kubectl("create", "-f", "-", stdin=asked)).err


async def test_what_the_signer_will_not_sign_is_marked_as_failed(signing: Served) -> None:
    await signing.kubectl("create", "-f", "-", stdin=manifest(usages=["server auth"]))
    der = bytearray(x509.load_pem_x509_csr(pem("bob")).public_bytes(Encoding.DER))
    der[-1] ^= 1
    forged = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n"
    await signing.kubectl("create", "-f", "-", stdin=manifest("forged", forged))
    await signing.kubectl("create", "-f", "-", stdin=manifest("other", signerName="example.com/mine"))
    await signing.kubectl("certificate", "approve", "other", "bob", "forged")
    await signing.until(lambda: all(len(found(signing, name).status.conditions) > 1 for name in ("bob", "forged")))
    rows = (await signing.kubectl("get", "csr")).rows[1:]
    assert {row[0]: row[-1] for row in rows} == {
        "bob": "Approved,Failed",
        "forged": "Approved,Failed",
        "other": "Approved",
    }
    assert "client auth" in found(signing).status.conditions[1].message
    assert found(signing, "forged").status.conditions[1].reason == "SignerValidationFailure"
