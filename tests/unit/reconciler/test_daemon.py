"""The reconciler as a process: a person's mistake is one line, and the fleet hears nothing too early."""

import asyncio
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import daemon, start
from reconciler.manifests.sync import ManifestSync
from schemas.core.config import ConfigMap
from schemas.daemon import lock
from tests.unit.reconciler.running import open_cluster, running

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Starts the reconciler over a sound configuration with these changes, and returns what it says as it gives up."""

    def begin(**changes: Any) -> str:  # noqa: ANN401 - as YAML
        (tmp_path / "manifests").mkdir()
        (tmp_path / "password").write_text("secret\n")
        sound = {
            "manifests": str(tmp_path / "manifests"),
            "data": str(tmp_path / "data"),
            "embeddedBroker": {"listen": "127.0.0.1:0", "passwordFile": str(tmp_path / "password")},
            "api": {"listen": "127.0.0.1:0"},
        }
        config = {field: value for field, value in (sound | changes).items() if value is not None}
        (tmp_path / "reconciler.yaml").write_text(yaml.safe_dump(config))
        monkeypatch.setattr(sys, "argv", ["reconciler", "--config", str(tmp_path / "reconciler.yaml")])
        monkeypatch.setattr(start, "log_to", lambda *_, **__: None)
        monkeypatch.setattr("gc.disable", lambda: None)
        with pytest.raises(SystemExit) as ended:
            start.main()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert said.startswith("reconciler: ")
        assert said.count("\n") == 1, said
        return said

    return begin


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_a_port_of_the_api_that_is_in_use_is_said_with_its_field(refused: Refused, taken: str) -> None:
    said = refused(api={"listen": taken})
    assert "api.listen: " in said
    assert "address already in use" in said
    assert "choose another address" in said


def test_a_port_of_the_broker_that_is_in_use_is_said_with_its_field(
    refused: Refused, taken: str, tmp_path: Path
) -> None:
    said = refused(embeddedBroker={"listen": taken, "passwordFile": str(tmp_path / "password")})
    assert "embeddedBroker.listen: " in said
    assert "address already in use" in said


def test_a_missing_password_of_the_embedded_broker_is_said_with_its_field(refused: Refused, tmp_path: Path) -> None:
    said = refused(embeddedBroker={"passwordFile": str(tmp_path / "missing")})
    assert f"embeddedBroker.passwordFile: {tmp_path}/missing cannot be read: No such file or directory" in said


@pytest.mark.parametrize(
    ("broker", "expected"),
    [
        pytest.param({"url": "tcp://broker:1883"}, "broker.url: expected mqtt://HOST:1883", id="url"),
        pytest.param({"url": "mqtt://b", "passwordFile": "/nowhere"}, "broker.passwordFile: /nowhere", id="password"),
        pytest.param({"url": "mqtts://b", "caFile": "/nowhere"}, "broker.caFile: /nowhere", id="authority"),
    ],
)
def test_an_external_broker_that_cannot_be_meant_is_refused_at_the_start(
    refused: Refused, broker: dict[str, str], expected: str
) -> None:
    assert expected in refused(embeddedBroker=None, broker=broker)


def test_a_data_directory_that_cannot_be_written_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(data=str(tmp_path / "file" / "data"))
    assert f"{tmp_path}/file/data: the data directory cannot be written: Not a directory" in said


def test_a_data_directory_in_use_is_said_with_the_process(refused: Refused, tmp_path: Path) -> None:
    with closing(lock(tmp_path / "data")):
        assert "data is in use by process" in refused()


def test_a_store_that_somebody_else_has_open_is_named(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.store.sqlitefile.BUSY_SECONDS", 0.05)
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "store.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE held (x)")
        other.execute("BEGIN EXCLUSIVE")
        assert "store.db: the store cannot be opened: another process has it open" in refused()


async def test_a_folder_counts_as_seen_when_what_it_declares_is_committed(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "c.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    async with open_cluster(tmp_path) as cluster:
        sync = ManifestSync(cluster, tmp_path / "m", clock=daemon.now)
        async with running(sync.run()):
            await asyncio.wait_for(sync.seen.wait(), 60)
            assert cluster.cache.get(ConfigMap, "default", "c")


async def test_a_folder_that_is_not_there_is_not_seen(tmp_path: Path) -> None:
    async with open_cluster(tmp_path) as cluster:
        sync = ManifestSync(cluster, tmp_path / "missing", clock=daemon.now)
        async with running(sync.run()), asyncio.timeout(60):
            while not sync.status.counts.passes:
                await asyncio.sleep(0.005)
            assert not sync.seen.is_set()
