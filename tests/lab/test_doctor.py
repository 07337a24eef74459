"""The doctor on machines that are not well: a containerd as Docker's packages ship it, and a broker that is choosy."""

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.waiting import eventually


class Machine:
    """A containerd whose configuration is the test's, and a doctor's visit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_toml = folder / "config.toml"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, disabled: list[str]) -> None:
        self.stop()
        self.config_toml.write_text(
            f"disabled_plugins = {json.dumps(disabled)}\nroot = '{self.folder}/root'\n"
            f"state = '{self.folder}/state'\n[grpc]\naddress = '{self.folder}/c.sock'\n"
        )
        with (self.folder / "log").open("ab") as log:
            command = ["containerd", "--config", str(self.config_toml)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually((self.folder / "c.sock").exists, 20, "containerd's socket")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            (self.folder / "c.sock").unlink(missing_ok=True)

    def visit(self, **broker: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code, and the findings by their check."""
        config = {
            "node": "n1",
            "broker": {"url": "mqtt://127.0.0.1:1", **broker},
            "containerd": str(self.folder / "c.sock"),
            "data": str(self.folder / "data"),
        }
        (self.folder / "nodeagent.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "nodeagent", "doctor", "--config", str(self.folder / "nodeagent.yaml")]
        command += ["--containerd-config", str(self.config_toml), "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert not done.stderr
        return done.returncode, {one["check"]: one for one in json.loads(done.stdout)}


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="wherry-doctor-") as folder:
        one = Machine(Path(folder))
        try:
            yield one
        finally:
            one.stop()


def test_a_containerd_without_its_cri_plugin_is_found_and_mended_by_the_line(machine: Machine) -> None:
    machine.start(disabled=["cri"])
    code, found = machine.visit()
    assert (code, found["containerd"]["verdict"]) == (1, "fault")
    assert "switches the CRI plugin off" in found["containerd"]["message"]
    mend = found["containerd"]["mend"].partition(" && ")[0].removeprefix("sudo ")
    subprocess.run(["sh", "-c", mend], check=True)
    assert machine.config_toml.read_text().startswith("#disabled_plugins")
    machine.start(disabled=[])
    eventually(lambda: machine.visit()[1]["containerd"]["verdict"] == "ok", 20, "CRI answers")


def test_a_broker_is_asked_with_the_nodes_own_password(machine: Machine, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "n1", "right"], check=True)
    passwords.chmod(0o644)
    tmp_path.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "broker.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
    )
    broker = subprocess.Popen(["mosquitto", "-c", tmp_path / "broker.conf"], stderr=subprocess.DEVNULL)
    try:
        secret = tmp_path / "secret"
        address = {"url": f"mqtt://127.0.0.1:{port}", "username": "n1", "passwordFile": str(secret)}
        secret.write_text("wrong\n")
        eventually(
            lambda: "refuses user name or password" in machine.visit(**address)[1]["broker"]["message"], 20, "refused"
        )
        secret.write_text("right\n")
        assert machine.visit(**address)[1]["broker"]["verdict"] == "ok"
    finally:
        broker.terminate()
        broker.wait(30)
