"""`make demo` and `make demo-stop`, by the script that they run: what it promises, and what it leaves."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.network import cni
from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.cri import CriRuntime
from tests.lab.containerd import Lab, command, images, left_over
from tests.waiting import eventually

SCRIPT = Path(__file__).parents[2] / "examples" / "demo.sh"


class Demo:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.folder = folder
        self.manifests = folder / "manifests"
        (folder / "data" / "images").mkdir(parents=True)
        for archive in images().glob("*.tar"):  # as its own build makes them, which takes a while
            shutil.copy(archive, folder / "data" / "images")

    def run(self, *arguments: str) -> str:
        """The script's whole output. It must succeed."""
        done = subprocess.run(
            [str(SCRIPT), *arguments, str(self.folder)],
            env=os.environ | {"WHERRY_DEMO_PORT": self.port},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def lab(self) -> Lab:
        """Where its containerd is, for `left_over`."""
        own = OwnContainerd(self.folder / "data" / "agent")
        network = cni.PodNetwork(bridge=own.bridge, pod_cidr="10.244.0.0/24", data_directory=own.layout.cni_data)
        return Lab(own, CriRuntime(own.address, "node", own.cgroup_root), self.folder, network)


@pytest.fixture
def demo() -> Iterator[Demo]:
    # Not pytest's tmp_path: a socket's path is at most 107 bytes long.
    demo = Demo(Path(tempfile.mkdtemp(prefix="wherry-demo-")))
    try:
        yield demo
    finally:
        if demo.folder.exists():
            demo.run("--stop")


def line_with(text: str, part: str) -> str:
    return next(line for line in text.splitlines() if part in line).strip()


def page(said: str) -> str:
    return command(*line_with(said, "$ curl ").removeprefix("$ ").split(), "-sS", "--max-time", "5")


def processes_of(folder: Path) -> list[str]:
    """Every process that names this folder in its command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line:
                found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.mark.timeout(400)
def test_the_demo_runs_follows_its_files_may_be_repeated_and_leaves_nothing(demo: Demo) -> None:
    said = demo.run()
    running = [line.split() for line in said.splitlines() if line.startswith("web-")]
    assert [(words[1], words[2]) for words in running] == [("1/1", "Running")] * 2
    assert "<h1>Hello from Wherry</h1>" in said

    kubectl = line_with(said, "/kubectl --kubeconfig ").split()
    assert command(*kubectl).split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    pods = json.loads(command(*kubectl, "-o", "json"))["items"]
    containers = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["containerID"] for pod in pods}

    assert "<h1>Hello from Wherry</h1>" in page(said)
    file = demo.manifests / "page.yaml"
    file.write_text(file.read_text().replace("Hello from Wherry", "Good morning"))
    eventually(lambda: "<h1>Good morning</h1>" in page(said), 20, "the page as edited")

    web = demo.manifests / "web.yaml"
    web.write_text(web.read_text().replace("replicas: 2", "replicas: 3"))
    again = demo.run()
    assert len([line for line in again.splitlines() if line.startswith("web-") and " 1/1 " in line]) == 3
    assert "<h1>Good morning</h1>" in again
    pods = json.loads(command(*kubectl, "-o", "json"))["items"]
    assert (
        containers.items()
        <= {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["containerID"] for pod in pods}.items()
    )

    lab = demo.lab()
    cables = [path.name for path in Path(f"/sys/class/net/{lab.own.bridge}/brif").iterdir()]
    assert len(cables) == 3
    assert sum(" nsfs " in line for line in left_over(lab)) == 3, "one network namespace a pod: the check sees them"
    assert demo.run("--stop").splitlines()[-1] == "The demo is gone."
    assert left_over(lab) == []
    assert processes_of(demo.folder) == []
    assert not [name for name in cables if Path(f"/sys/class/net/{name}").exists()]
    assert demo.run("--stop") == "The demo is gone.\n"
