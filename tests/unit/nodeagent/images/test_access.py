"""The node's own credentials, the files that containerd reads, patience, and how long things took."""

import tomllib
from pathlib import Path

import pytest

from nodeagent.images.node_access import NodeAccess
from nodeagent.images.patience import parse
from nodeagent.images.progress import duration, pauses, told
from nodeagent.images.registries import files
from nodeagent.images.settings import ImageCollection, Registries, RegistryHost
from nodeagent.runtime.interface import Download
from schemas.configuration import BadConfiguration

MIRRORED = Registries(
    hosts={
        "docker.io": RegistryHost(mirrors=("https://mirror.lan:5000", "http://cache.lan/v2/hub")),
        "mirror.lan:5000": RegistryHost(ca_file=Path("/ca.pem"), skip_verify=True),
        "plain.lan": RegistryHost(plain_http=True),
        "*": RegistryHost(mirrors=("https://all.lan",)),
    }
)


def test_mirrors_come_before_the_registry_with_what_is_said_of_their_own_hosts() -> None:
    written = {name: tomllib.loads(text) for name, text in files(MIRRORED, ()).items()}
    pull = ["pull", "resolve"]
    assert written["docker.io"] == {
        "server": "https://registry-1.docker.io",
        "host": {
            "https://mirror.lan:5000": {"capabilities": pull, "ca": "/ca.pem", "skip_verify": True},
            "http://cache.lan/v2/hub": {"capabilities": pull, "override_path": True},
            "https://registry-1.docker.io": {"capabilities": pull},
        },
    }
    assert list(written["docker.io"]["host"])[-1] == "https://registry-1.docker.io"
    assert written["plain.lan"] == {"server": "http://plain.lan", "host": {"http://plain.lan": {"capabilities": pull}}}
    assert written["_default"] == {"host": {"https://all.lan": {"capabilities": pull}}}


def test_files_are_written_once_and_go_with_their_host_and_those_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "theirs.lan").mkdir()
    (tmp_path / "theirs.lan" / "hosts.toml").write_text("server = 'x'\n")
    both = Registries(hosts={"a.lan": RegistryHost(plain_http=True), "theirs.lan": RegistryHost()})
    NodeAccess(both, tmp_path).refresh()
    written = tmp_path / "a.lan" / "hosts.toml"
    assert written.stat().st_mode & 0o777 == 0o600
    first = written.stat().st_ino
    NodeAccess(both, tmp_path).refresh()
    assert written.stat().st_ino == first
    NodeAccess(Registries(), tmp_path).refresh()
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.lan"]
    assert (tmp_path / "theirs.lan" / "hosts.toml").read_text() == "server = 'x'\n"


def test_credentials_are_read_when_the_file_is_another_and_kept_while_it_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    access = NodeAccess(Registries(credentials=path), None)
    assert access.refresh() == ()
    path.write_text('{"auths": {"a.io": {"username": "one", "password": "p"}}}')
    assert [key.credentials.username for key in access.refresh()] == ["one"]
    path.write_text("half of i")
    assert [key.credentials.username for key in access.refresh()] == ["one"]
    path.write_text('{"auths": {"a.io": {"username": "other", "password": "p"}}}')
    assert [key.credentials.username for key in access.refresh()] == ["other"]


@pytest.mark.parametrize(
    "wrong",
    [
        Registries(hosts={"a.lan": RegistryHost(mirrors=("mirror.lan",))}),
        Registries(hosts={"https://a.lan": RegistryHost()}),
        ImageCollection(high_percent=80, low_percent=80),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: Registries | ImageCollection) -> None:
    with pytest.raises(BadConfiguration, match="expected"):
        wrong.check()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\n\r\n", 60),
        ("HTTP/1.1 429 Too Many Requests\r\nretry-after:  7\r\n\r\n", 7),
        ("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 99999999\r\n\r\n", 3600),
        ("HTTP/1.1 429 Too Many Requests\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 0),
        ("HTTP/1.1 200 OK\r\nRetry-After: 60\r\n\r\n", 0),
        ("", 0),
    ],
)
def test_a_registry_may_ask_for_patience_in_seconds(answer: str, seconds: float) -> None:
    assert parse(answer) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.612, "612ms"), (1.2, "1.2s"), (59.9999, "59.999s"), (63.5, "1m3.5s"), (3602, "1h0m2s")],
)
def test_times_are_written_as_kubernetes_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_hour_of_pulling_is_few_words() -> None:
    gaps, at = pauses(), 0.0
    times = []
    while at < 3600:
        at += next(gaps)
        times.append(at)
    assert times == [15, 30, 60, 120, 240, 480, 960, 1920, 3840]
    assert told([Download(1024 * 1024, 4 * 1024 * 1024), Download(0, 0)], 30) == (
        "1.0 MiB of 4.0 MiB of the layers under way fetched after 30s"
    )
    assert told([], 15) == "no layer is being fetched after 15s"
