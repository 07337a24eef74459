"""Only commits and tags that a listed key has signed are taken. Real ssh and GPG signatures."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.manifests.git.settings import key_scheme
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.git.builders import Remote, following, settings


def ssh_key(directory: Path, name: str) -> Path:
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


def allowed(directory: Path, **keys: Path) -> Path:
    lines = [f"{name}@example.com {path.with_suffix('.pub').read_text()}" for name, path in keys.items()]
    (directory / "allowed_signers").write_text("# who may change the fleet\n" + "".join(lines))
    return directory / "allowed_signers"


def sign_with(remote: Remote, key: Path) -> None:
    remote.git("config", "gpg.format", "ssh")
    remote.git("config", "user.signingKey", str(key))


async def test_only_commits_that_a_listed_ssh_key_signed_are_taken(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    ann, eve = ssh_key(tmp_path, "ann"), ssh_key(tmp_path, "eve")
    sign_with(remote, ann)
    first = remote.commit({"a.yaml": "a: 1\n"}, "--gpg-sign")
    keys = allowed(tmp_path, ann=ann)
    async with following(cluster, tmp_path / "git", settings(remote, keys_file=keys)) as source:
        await source.shows(first)
        await source.until(lambda: source.sync.status.signature.startswith("good: ann@example.com (SHA256:"))
        remote.commit({"a.yaml": "a: 2\n"})
        await source.says("is not taken: it is not signed")
        sign_with(remote, eve)
        remote.commit({"a.yaml": "a: 3\n"}, "--gpg-sign")
        await source.says("which is not listed")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        assert source.sync.status.signature.startswith("good: ann")
        await source.until(lambda: len(source.events("CommitRefused")) == 2)
        await source.rounds()
        before = source.on_disk()
        await source.rounds()
        assert source.on_disk() == before  # what was refused is not fetched again
        allowed(tmp_path, ann=ann, eve=eve)
        await source.shows(remote.head)
        await source.until(lambda: not source.error)


async def test_turned_on_later_it_says_that_what_is_in_force_is_not_signed(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
    keys = allowed(tmp_path, ann=ssh_key(tmp_path, "ann"))
    async with following(cluster, tmp_path / "git", settings(remote, keys_file=keys)) as source:
        await source.until(lambda: source.sync.status.signature == "not verified: it is not signed")
        assert source.commit == first
        keys.unlink()
        await source.says("verify.keysFile: ")


async def test_of_an_annotated_tag_it_is_the_tag_that_has_to_be_signed(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    ann = ssh_key(tmp_path, "ann")
    sign_with(remote, ann)
    commit = remote.commit({"a.yaml": "a: 1\n"}, "--gpg-sign")
    remote.git("tag", "--annotate", "--no-sign", "-m", "x", "v1")
    chosen = settings(remote, ref="refs/tags/v1", keys_file=allowed(tmp_path, ann=ann))
    async with following(cluster, tmp_path / "git", chosen) as source:
        await source.says("it is not signed")
        assert not source.commit
        remote.git("tag", "--force", "--sign", "-m", "x", "v1")
        await source.shows(commit)
        await source.until(lambda: source.sync.status.signature.startswith("good: ann"))


class Gpg:
    """A key ring of its own, with keys without passphrases."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def run(self, *arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--passphrase", "", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def make(self, name: str) -> None:
        self.run("--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "never")


@pytest.fixture
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    ring = Gpg(tmp_path_factory.mktemp("g") / "h")
    for name in ("ann", "eve"):
        ring.make(name)
    yield ring
    subprocess.run(["gpgconf", "--homedir", str(ring.home), "--kill", "all"], check=True)


@pytest.mark.parametrize("armour", [pytest.param("--armor", id="armoured"), pytest.param("--no-armor", id="binary")])
async def test_the_same_with_gpg_keys(cluster: Cluster, remote: Remote, tmp_path: Path, gpg: Gpg, armour: str) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes(gpg.run(armour, "--export", "ann@example.com"))
    program = tmp_path / "gpg-of-the-author"
    program.write_text(f'#!/bin/sh\nexec gpg --homedir {gpg.home} --batch --passphrase "" "$@"\n')
    program.chmod(0o755)
    remote.git("config", "gpg.program", str(program))
    remote.git("config", "user.signingKey", "ann@example.com")
    first = remote.commit({"a.yaml": "a: 1\n"}, "--gpg-sign")
    async with following(cluster, tmp_path / "git", settings(remote, keys_file=keys)) as source:
        await source.shows(first)
        await source.until(lambda: source.sync.status.signature.startswith("good: ann <ann@example.com> ("))
        remote.git("config", "user.signingKey", "eve@example.com")
        remote.commit({"a.yaml": "a: 2\n"}, "--gpg-sign")
        await source.says("which is not listed")
        sign_with(remote, ssh_key(tmp_path, "ssh"))
        remote.commit({"a.yaml": "a: 3\n"}, "--gpg-sign")
        await source.says("is not taken")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")


@pytest.mark.parametrize(
    ("content", "scheme"),
    [
        pytest.param(b"ann@example.com ssh-ed25519 AAAA\n", "ssh", id="allowed signers"),
        pytest.param(b'\n# who\n* namespaces="git" ssh-rsa AAAA comment\n', "ssh", id="with options"),
        pytest.param(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nm\n", "openpgp", id="armoured"),
        pytest.param(b"\x98\x33\x04", "openpgp", id="binary"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"ssh-ed25519 AAAA\n", None, id="no signer"),
        pytest.param(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n", None, id="private key"),
    ],
)
def test_what_kind_of_keys_a_file_holds(content: bytes, scheme: str | None) -> None:
    if scheme is None:
        with pytest.raises(ValueError, match="allowed_signers"):
            key_scheme(content)
    else:
        assert key_scheme(content) == scheme
