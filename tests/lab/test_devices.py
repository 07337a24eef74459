"""Devices of a node, from the agent's file to a container: links to `/dev/null` and `/dev/zero` stand for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.fleet import Fleet
from tests.waiting import eventually

pytestmark = pytest.mark.lab

STICK = "wherry.dev/stick"


class Plugged(Fleet):
    """One node with a folder of sticks."""

    def start(self) -> None:
        self.sticks = self.directory / "sticks"
        self.sticks.mkdir()
        super().start()

    def start_agent(self, node: str) -> None:
        path = self.directory / f"{node}.yaml"
        config: dict[str, Any] = yaml.safe_load(path.read_text())
        config["devices"] = [{"resource": STICK, "paths": [f"{self.sticks}/*"], "env": {"STICKS": "$(DEVICES)"}}]
        path.write_text(yaml.safe_dump(config))
        super().start_agent(node)

    def allocatable(self) -> str | None:
        amount: str | None = self.get("node", "a")["status"]["allocatable"].get(STICK)
        return amount

    def phase(self, name: str) -> tuple[str, str]:
        done = self.try_kubectl("get", "pod", name, "-o", "jsonpath={.status.phase} {.status.reason}")
        phase, _, reason = done.stdout.partition(" ")
        return phase, reason


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Plugged]:
    fleet = Plugged(tmp_path_factory.mktemp("plugged"), ["a"], images)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


def wanting(name: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - as YAML
    container = {
        "name": "main",
        "image": "wherry.local/busybox:1",
        "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"],
        "resources": {"limits": {STICK: 1}},
    }
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_a_device_comes_is_given_stays_over_a_restart_and_goes(fleet: Plugged) -> None:
    eventually(lambda: fleet.allocatable() == "0", 60, "a node without sticks")
    fleet.write("pods.yaml", wanting("first"))
    eventually(
        lambda: "Insufficient" in fleet.try_kubectl("describe", "pod", "first").stdout, 60, "no node with a stick"
    )

    (fleet.sticks / "red").symlink_to("/dev/zero")
    eventually(lambda: fleet.allocatable() == "1", 60, "the stick is told")
    eventually(lambda: fleet.phase("first")[0] == "Running", 60, "the pod runs")
    assert fleet.kubectl("exec", "first", "--", "sh", "-c", "echo $STICKS").strip() == f"{fleet.sticks}/red"
    read = f"head -c 1 {fleet.sticks}/red | wc -c"
    assert fleet.kubectl("exec", "first", "--", "sh", "-c", read).strip() == "1"

    began = fleet.running("a")
    fleet.kill("a")
    fleet.start_agent("a")
    fleet.write("more.yaml", wanting("second", nodeName="a"))
    eventually(lambda: fleet.phase("second") == ("Failed", "UnexpectedAdmissionError"), 60, "the second is refused")
    assert fleet.running("a") == began

    (fleet.sticks / "red").unlink()
    eventually(lambda: fleet.allocatable() == "0", 60, "it is told that the stick is gone")
    assert fleet.phase("first")[0] == "Running"
