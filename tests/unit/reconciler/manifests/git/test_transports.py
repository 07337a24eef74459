"""Remotes that ask who is there: https with a password, ssh with a key; and links that break."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.manifests.git.settings import DeployKey, GitSettings, Login
from reconciler.store.cluster import Cluster
from tests.unit.reconciler.manifests.git.builders import Remote, following, settings
from tests.unit.reconciler.manifests.git.forge import Forge, forge
from tests.waiting import eventually


@pytest.fixture
def https(tmp_path: Path) -> Iterator[Forge]:
    (tmp_path / "forge").mkdir()
    with forge(tmp_path / "forge") as running:
        yield running


@pytest.fixture
def hosted(https: Forge) -> Remote:
    return Remote(https.directory / "fleet")


def over_https(https: Forge, password: Path) -> GitSettings:
    return settings(https.url("fleet/.git"), ca_file=https.authority, login=Login("git", password))


async def test_https_with_a_password_that_a_file_holds(
    cluster: Cluster, https: Forge, hosted: Remote, tmp_path: Path
) -> None:
    first = hosted.commit({"a.yaml": "a: 1\n"})
    (tmp_path / "token").write_text("wrong\n")
    async with following(cluster, tmp_path / "git", over_https(https, tmp_path / "token")) as source:
        await source.says("the server refuses user name or password")
        (tmp_path / "token").write_text("token\n")  # as when it is renewed: no restart
        await source.shows(first)
        second = hosted.commit({"a.yaml": "a: 2\n"})
        await source.shows(second)
        assert "token" not in str(source.sync.status)


async def test_a_password_goes_to_the_server_that_it_is_for_and_to_no_other(
    cluster: Cluster, https: Forge, hosted: Remote, tmp_path: Path
) -> None:
    """Here the other one is named by a submodule: whoever may push must not learn the password."""
    Remote(https.directory / "shared").commit({"a.yaml": "a: 1\n"})
    (tmp_path / "token").write_text("token\n")
    url = https.url("shared/.git").replace("localhost", "127.0.0.1")
    (hosted.directory / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = {url}\n')
    hosted.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},x")
    hosted.git("add", ".gitmodules")
    hosted.git("commit", "--quiet", "-m", "x")
    chosen = replace(over_https(https, tmp_path / "token"), submodules=True)
    async with following(cluster, tmp_path / "git", chosen) as source:
        await source.says("a submodule cannot be checked out")
    asked = {(host, bool(authorization)) for host, authorization in https.requests}
    assert ("localhost", True) in asked
    assert {authorized for host, authorized in asked if host == "127.0.0.1"} == {False}


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_talked_to(
    cluster: Cluster, https: Forge, hosted: Remote, tmp_path: Path
) -> None:
    hosted.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(https.url("fleet/.git"))) as source:
        await source.says("give its authority as `caFile`")
    assert https.requests == []


async def test_a_connection_that_is_cut_in_the_middle_leaves_the_last_good_commit(
    cluster: Cluster, https: Forge, hosted: Remote, tmp_path: Path
) -> None:
    first = hosted.commit({"a.yaml": "a: 1\n"})
    (tmp_path / "token").write_text("token\n")
    git = tmp_path / "git"
    async with following(cluster, git, over_https(https, tmp_path / "token")) as source:
        await source.shows(first)
        https.cut_after = 100_000
        (hosted.directory / "big").write_bytes(os.urandom(400_000))
        second = hosted.commit({"a.yaml": "a: 2\n"})
        await source.until(lambda: https.cuts >= 2)
        await source.says("it cannot be fetched")
        assert (source.commit, source.read("a.yaml")) == (first, "a: 1\n")
        https.cut_after = None
        await source.shows(second)
        assert not list((git / "repository" / "objects" / "pack").glob("tmp_*"))


@contextmanager
def ssh_server(directory: Path) -> Iterator[tuple[int, DeployKey]]:
    """A real sshd on loopback that knows one key."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no sshd on this machine")
    directory.mkdir()
    for name in ("host", "deploy"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(directory / name)]
        subprocess.run(command, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (directory / "authorized").write_text((directory / "deploy.pub").read_text())
    (directory / "known hosts").write_text(f"[127.0.0.1]:{port} {(directory / 'host.pub').read_text()}")
    options = [f"HostKey={directory}/host", f"AuthorizedKeysFile={directory}/authorized", "StrictModes=no"]
    options += ["PidFile=none", "UsePAM=no", "PasswordAuthentication=no", f"ListenAddress=127.0.0.1:{port}"]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # it insists
    arguments = [program, "-D", "-e", "-f", "/dev/null", *(part for option in options for part in ("-o", option))]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(arguments, stderr=log)
    try:
        eventually(lambda: b"listening" in (directory / "log").read_bytes(), 10)
        yield port, DeployKey(directory / "deploy", directory / "known hosts")
    finally:
        server.terminate()
        server.wait()


async def test_ssh_with_a_deploy_key_and_a_host_that_is_known(cluster: Cluster, remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"a.yaml": "a: 1\n"})
    with ssh_server(tmp_path / "ssh") as (port, key):
        chosen = settings(f"ssh://{getpass.getuser()}@127.0.0.1:{port}{remote.directory}", deploy_key=key)
        async with following(cluster, tmp_path / "git", chosen) as source:
            await source.shows(commit)
        (tmp_path / "ssh" / "authorized").write_text("")
        async with following(cluster, tmp_path / "git", chosen) as source:
            await source.says("the server refuses the key")
        (tmp_path / "ssh" / "known hosts").write_text("")
        async with following(cluster, tmp_path / "git", chosen) as source:
            await source.says("check the server's key and list it")
            assert (source.commit, source.read("a.yaml")) == (commit, "a: 1\n")


async def test_submodules_are_checked_out_where_they_are_asked_for(
    cluster: Cluster, remote: Remote, tmp_path: Path
) -> None:
    shared = Remote(tmp_path / "shared")
    shared.commit({"base.yaml": "base: 1\n"})
    remote.commit({"a.yaml": "a: 1\n"})
    remote.git("submodule", "--quiet", "add", "../shared", "shared")
    first = remote.commit({})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(first)
        assert not (source.sync.folder / "shared" / "base.yaml").exists()
    async with following(cluster, tmp_path / "git", settings(remote, submodules=True)) as source:
        await source.until(lambda: (source.sync.folder / "shared" / "base.yaml").exists())
        assert source.commit == first
        shared.commit({"base.yaml": "base: 2\n"})
        remote.git("submodule", "--quiet", "update", "--remote")
        await source.shows(remote.commit({}))
        assert source.read("shared/base.yaml") == "base: 2\n"


@pytest.mark.parametrize(
    "url", [pytest.param("ext::sh -c 'touch %s'", id="program"), pytest.param("git://localhost/x", id="plain")]
)
async def test_a_submodule_over_a_transport_that_runs_programs_or_is_plain_is_refused(
    cluster: Cluster, remote: Remote, tmp_path: Path, url: str
) -> None:
    first = remote.commit({"a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote, submodules=True)) as source:
        await source.shows(first)
        proof = tmp_path / "proof"
        url = url.replace("%s", str(proof))
        (remote.directory / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = "{url}"\n')
        remote.git("update-index", "--add", "--cacheinfo", f"160000,{first},x")
        remote.git("add", ".gitmodules")
        remote.git("commit", "--quiet", "-m", "x")
        await source.says("a submodule cannot be checked out")
        assert "not allowed" in source.error
        assert (source.commit, proof.exists()) == (first, False)
        assert sorted(os.listdir(tmp_path / "git" / "checkouts")) == [f"{first}-submodules"]


async def test_nothing_of_the_repository_of_the_user_or_of_the_system_runs(
    cluster: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks, filters and helpers of the user's own configuration would run, if it were read."""
    proof = tmp_path / "proof"
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {hook.parent}\n[filter "x"]\n\tsmudge = touch {proof}; cat\n'
        f'[url "file:///nowhere/"]\n\tinsteadOf = file:///\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    commit = remote.commit({".gitattributes": "*.yaml filter=x\n", "a.yaml": "a: 1\n"})
    async with following(cluster, tmp_path / "git", settings(remote)) as source:
        await source.shows(commit)
    assert not proof.exists()
