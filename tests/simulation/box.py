"""`wherry up --simulate N` on a temporary folder, as a person runs it: real processes, no root, no containers."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from reconciler.api import client

HELLO = Path(__file__).parents[2] / "examples" / "hello"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Box:
    """A folder `data` and a folder `manifests` with a copy of examples/hello."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.manifests = directory / "manifests"
        shutil.copytree(HELLO, self.manifests)

    def set(self, **settings: object) -> None:
        """Settings that a person adds to the reconciler's file before the first `up`."""
        self.data.mkdir()
        (self.data / "reconciler.yaml").write_text(json.dumps(settings))

    def wherry(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        whole = [sys.executable, "-m", "reconciler", command, *arguments, "--data", str(self.data)]
        return subprocess.run(whole, capture_output=True, text=True, timeout=90)

    def said(self, command: str, *arguments: str) -> str:
        """What a command that must succeed prints."""
        done = self.wherry(command, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def asked(self, command: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.said(command, *arguments, "--output", "json"))

    def up(self, *arguments: str, nodes: int = 3) -> dict[str, Any]:
        port = str(free_port())
        given = (str(self.manifests), "--port", port, "--simulate", str(nodes), "--detach", *arguments)
        facts: dict[str, Any] = self.asked("up", *given)
        return facts

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.asked("get", kind, *arguments)["items"]
        return items

    def live(self, kind: str) -> list[dict[str, Any]]:
        """The same without a process of its own, for what is asked over and over."""
        path = client.Wanted(client.kind_named(kind)).path
        items: list[dict[str, Any]] = client.call(self.data / "kubeconfig", "GET", path)["items"]
        return items

    def ready_pods(self) -> dict[str, str]:
        """The node of each pod that is Ready and not ending, by name."""
        return {
            pod["metadata"]["name"]: pod["spec"]["nodeName"]
            for pod in self.live("pods")
            if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
        }

    def two_pods(self, without: str = "") -> dict[str, str]:
        """The pods of examples/hello where both are Ready and this one is not among them; else none."""
        found = self.ready_pods()
        return found if len(found) == 2 and without not in found else {}

    def ready_nodes(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.live("nodes") if is_ready(node)]

    def processes(self) -> list[str]:
        """Every process that has this box in its command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.data).encode() in line:
                    found.append(f"{entry.name}: {line.decode(errors='replace')}")
        return found


def is_ready(object_: dict[str, Any]) -> bool:
    conditions = object_.get("status", {}).get("conditions", [])
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
