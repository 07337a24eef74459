"""The node agent as a process: a person's mistake is one line that says what to do."""

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodeagent import cli
from nodeagent.runtime import containerd
from nodeagent.runtime.containerd import OwnContainerd
from schemas.daemon import lock

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Starts the agent over a sound configuration with these changes, and returns what it says as it gives up."""

    def start(**changes: Any) -> str:  # noqa: ANN401 - as YAML
        sound = {
            "node": "n1",
            "broker": {"url": "mqtt://127.0.0.1:1"},
            "data": str(tmp_path / "data"),
            "run": str(tmp_path / "run"),
            "containerd": str(tmp_path / "containerd.sock"),
        }
        (tmp_path / "nodeagent.yaml").write_text(yaml.safe_dump(sound | changes))
        monkeypatch.setattr(sys, "argv", ["nodeagent", "--config", str(tmp_path / "nodeagent.yaml")])
        monkeypatch.setattr(cli, "log_to", lambda *_, **__: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert said.startswith("nodeagent: ")
        assert said.count("\n") == 1, said
        return said

    return start


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"broker": {"url": "broker"}}, "broker.url: expected mqtt://HOST:1883", id="url"),
        pytest.param({"broker": {"url": "mqtt://b", "passwordFile": "/no"}}, "broker.passwordFile: /no", id="password"),
        pytest.param({"broker": {"url": "mqtts://b", "caFile": "/no"}}, "broker.caFile: /no", id="authority"),
        pytest.param({"node": "A B"}, "node: 'A B' is not a node name", id="name"),
        pytest.param({"sockets": 1}, "sockets", id="unknown field"),
        pytest.param({"containerd": "own", "data": "/tmp/" + "x" * 120}, "too long a path for a socket", id="path"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_said_with_its_field(
    refused: Refused, changes: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nodeagent.daemon.lock", lambda _: lock(tmp_path / "data"))
    assert expected in refused(**changes)


def test_a_data_directory_that_cannot_be_written_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(data=str(tmp_path / "file" / "data"))
    assert f"{tmp_path}/file/data: the data directory cannot be written: Not a directory" in said


def test_a_run_directory_that_cannot_be_written_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert f"{tmp_path}/file/run" in refused(run=str(tmp_path / "file" / "run"))


def test_a_data_directory_in_use_is_said_with_the_process(refused: Refused, tmp_path: Path) -> None:
    with closing(lock(tmp_path / "data")):
        assert "data is in use by process" in refused()


async def test_a_machine_without_containerd_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(containerd, "search_path", lambda: str(tmp_path))

    async def enough(_: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(asyncio, "sleep", enough)
    with caplog.at_level(logging.ERROR), pytest.raises(TimeoutError):
        await OwnContainerd(tmp_path / "data").supervise()
    assert "not installed: containerd, containerd-shim-runc-v2, runc" in caplog.text
    assert "apt-get install containerd" in caplog.text
