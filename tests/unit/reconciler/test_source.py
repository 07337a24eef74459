"""The part `source:` of the configuration: what it may say, and how its faults are told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.config import load_config
from reconciler.manifests.git.settings import DeployKey, GitSettings, Login
from reconciler.source import check_files, git_settings
from schemas.configuration import BadConfiguration

URL = "https://git.example/fleet.git"
SSH = "git@git.example:fleet.git"


def settings(tmp_path: Path, source: object, **others: object) -> GitSettings | None:
    path = tmp_path / "reconciler.yaml"
    path.write_text(yaml.safe_dump({"source": source, "broker": {"url": "mqtt://b"}, **others}))
    return git_settings(load_config(path).origin)


def test_a_folder_has_a_short_form(tmp_path: Path) -> None:
    for short in ({"manifests": "/m"}, {"source": {"folder": "/m", "fieldValidation": "Warn"}}):
        path = tmp_path / "reconciler.yaml"
        path.write_text(yaml.safe_dump({"broker": {"url": "mqtt://b"}, **short}))
        config = load_config(path)
        assert (config.origin.folder, config.shown, git_settings(config.origin)) == (Path("/m"), "/m", None)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({}, {"ref": "HEAD", "path": "", "interval_seconds": 60.0, "submodules": False}, id="defaults"),
        pytest.param({"branch": "main"}, {"ref": "refs/heads/main", "ref_name": "branch main"}, id="branch"),
        pytest.param({"tag": "v1.2"}, {"ref": "refs/tags/v1.2", "is_tag": True}, id="tag"),
        pytest.param({"path": "./a//b/"}, {"path": "a/b"}, id="path"),
        pytest.param({"interval": "5m"}, {"interval_seconds": 300.0}, id="interval"),
        pytest.param(
            {"secret": {"username": "ann", "passwordFile": "/t"}}, {"login": Login("ann", Path("/t"))}, id="password"
        ),
        pytest.param({"secret": {"passwordFile": "/t"}}, {"login": Login("git", Path("/t"))}, id="token"),
        pytest.param(
            {"git": SSH, "secret": {"sshKeyFile": "/k", "knownHostsFile": "/h"}},
            {"deploy_key": DeployKey(Path("/k"), Path("/h"))},
            id="key",
        ),
        pytest.param({"verify": {"keysFile": "/k"}}, {"keys_file": Path("/k")}, id="keys"),
        pytest.param({"webhook": {"secretFile": "/w"}}, {"webhook_secret_file": Path("/w")}, id="webhook"),
    ],
)
def test_what_a_repository_may_be_told(tmp_path: Path, source: dict[str, Any], expected: dict[str, Any]) -> None:
    found = settings(tmp_path, {"git": URL, **source})
    assert {field: getattr(found, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param({}, "source: give either `folder:` or `git:`", id="nothing"),
        pytest.param({"folder": "/m", "git": URL}, "source: give either", id="both"),
        pytest.param({"folder": "/m", "branch": "x"}, "source.branch: belongs to `git:`", id="branch of a folder"),
        pytest.param(
            {"folder": "/m", "interval": "5s"}, "source.interval: belongs to `git:`", id="interval of a folder"
        ),
        pytest.param({"git": URL, "branch": "a", "tag": "b"}, "source: give `branch:` or `tag:`", id="branch and tag"),
        pytest.param({"git": URL, "branch": "a b"}, "source.branch: expected the name", id="branch"),
        pytest.param({"git": URL, "tag": "-x"}, "source.tag: expected the name", id="tag"),
        pytest.param({"git": URL, "path": "../x"}, "source.path: expected a folder below", id="path"),
        pytest.param({"git": URL, "interval": "60"}, "source.interval: expected a time", id="interval without unit"),
        pytest.param({"git": URL, "interval": "25h"}, "source.interval: expected a time", id="interval too long"),
        pytest.param({"git": "ext::sh -c id"}, "source.git: expected https", id="transport"),
        pytest.param({"git": "https://a:b@c/d"}, "source.git: a URL is shown in logs", id="password in the URL"),
        pytest.param({"git": SSH}, "source.secret: ssh needs `sshKeyFile:`", id="ssh without key"),
        pytest.param({"git": SSH, "secret": {"sshKeyFile": "/k"}}, "`knownHostsFile:`", id="ssh without hosts"),
        pytest.param({"git": URL, "secret": {"sshKeyFile": "/k"}}, "an https URL takes", id="key for https"),
        pytest.param(
            {"git": URL, "secret": {"username": "a"}}, "source.secret.passwordFile: missing", id="no password"
        ),
        pytest.param({"git": "file:///x", "secret": {"passwordFile": "/t"}}, "needs none", id="password for a file"),
        pytest.param({"git": SSH, "caFile": "/c"}, "source.", id="authority for ssh"),
        pytest.param({"git": URL, "fieldValidation": "strict"}, "source.fieldValidation: ", id="validation"),
        pytest.param({"git": URL, "depth": 1}, "depth", id="unknown field"),
    ],
)
def test_a_fault_is_told_with_its_file_and_field(tmp_path: Path, source: object, said: str) -> None:
    with pytest.raises(BadConfiguration) as raised:
        settings(tmp_path, source)
    assert str(raised.value).startswith(f"{tmp_path}/reconciler.yaml: ")
    assert said in str(raised.value)


def test_manifests_and_source_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="either `manifests:`"):
        settings(tmp_path, {"git": URL}, manifests="/m")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        pytest.param({"webhook": {"secretFile": "FILE"}}, "source.webhook.secretFile", id="empty secret"),
        pytest.param({"verify": {"keysFile": "FILE"}}, "source.verify.keysFile", id="no keys"),
        pytest.param({"caFile": "FILE"}, "source.caFile", id="no certificate"),
        pytest.param({"secret": {"passwordFile": "FILE.not"}}, "source.secret.passwordFile", id="no password"),
        pytest.param(
            {"git": SSH, "secret": {"sshKeyFile": "FILE.not", "knownHostsFile": "FILE"}},
            "source.secret.sshKeyFile",
            id="no key",
        ),
    ],
)
def test_files_that_cannot_be_what_they_are_named_as_end_the_start(
    tmp_path: Path, source: dict[str, Any], field: str
) -> None:
    (tmp_path / "FILE").write_text("")
    text = yaml.safe_dump({"git": URL, **source}).replace("FILE", f"{tmp_path}/FILE")
    found = settings(tmp_path, yaml.safe_load(text))
    assert found is not None
    with pytest.raises(BadConfiguration, match=field):
        check_files(found)
