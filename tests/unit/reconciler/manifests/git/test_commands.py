"""What git is told, by asking git itself."""

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.manifests.git import commands
from reconciler.manifests.git.address import address
from reconciler.manifests.git.settings import DeployKey, GitSettings, Login

HTTPS = GitSettings(
    address=address("https://git.example:8443/fleet.git"),
    ca_file=Path('/etc/a "b"\\c.pem'),
    login=Login("ann", Path("/t")),
)


def asked(configuration: str, tmp_path: Path, *arguments: str) -> str:
    (tmp_path / "gitconfig").write_text(configuration)
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    command = ["git", "config", "--global", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_git_reads_the_configuration_as_it_is_meant(tmp_path: Path) -> None:
    text = commands.configuration(HTTPS)
    assert asked(text, tmp_path, "http.sslCAInfo") == '/etc/a "b"\\c.pem'
    assert asked(text, tmp_path, "core.hooksPath") == "/dev/null"
    assert asked(text, tmp_path, "--get-urlmatch", "credential.helper", "https://git.example:8443/other").startswith(
        "!f()"
    )
    elsewhere = ("--get-urlmatch", "credential.helper", "https://git.example/other")
    with pytest.raises(subprocess.CalledProcessError):
        asked(text, tmp_path, *elsewhere)


def test_the_environment_holds_paths_and_no_password_and_nothing_of_this_process() -> None:
    inherited = {"PATH": "/bin", "HTTPS_PROXY": "http://p", "GIT_DIR": "/x", "AWS_SECRET": "x", "SSH_AUTH_SOCK": "/s"}
    found = commands.environment(HTTPS, Path("/data/git"), inherited)
    assert found["HTTPS_PROXY"] == "http://p"
    assert not {"GIT_DIR", "AWS_SECRET", "SSH_AUTH_SOCK"} & found.keys()
    assert found["GIT_ALLOW_PROTOCOL"] == "https:ssh"
    assert found["GIT_TERMINAL_PROMPT"] == "0"
    assert found["WHERRY_GIT_PASSWORD_FILE"] == "/t"


def test_ssh_reads_its_files_whatever_their_names_and_knows_only_listed_hosts(tmp_path: Path) -> None:
    key = DeployKey(tmp_path / "my key %d", tmp_path / "known hosts")
    over_ssh = replace(HTTPS, address=address("git@git.example:fleet"), login=None, ca_file=None, deploy_key=key)
    command = commands.environment(over_ssh, tmp_path, {})["GIT_SSH_COMMAND"]
    shown = subprocess.run(["sh", "-c", f"{command} -G git.example"], capture_output=True, text=True, check=True).stdout
    lines = set(shown.splitlines())
    assert {"stricthostkeychecking true", "batchmode yes", "passwordauthentication no"} <= lines
    assert f"userknownhostsfile {tmp_path}/known hosts" in shown.replace('"', "")
    assert f"identityfile {tmp_path}/my key" in shown.replace('"', "")
