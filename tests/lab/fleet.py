"""A fleet on real parts: Mosquitto, a reconciler, and nodes with a containerd each, in network namespaces.

The test plays systemd: it starts the processes, kills them, and starts them again.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from nodeagent.runtime.containerd import OwnContainerd
from tests.lab.containerd import power_off
from tests.lab.network import HUB, Network, run
from tests.waiting import eventually

BROKER_PORT = 1883
API_PORT = 6443
KUBECTL = Path(sys.executable).parent / "kubectl"


class Fleet:
    """`nodes` machines beside the hub. The manifests folder is `manifests`."""

    def __init__(
        self,
        directory: Path,
        nodes: list[str],
        images: Path,
        *,
        toleration_seconds: int = 5,
        agent: dict[str, Any] | None = None,
        reconciler: dict[str, Any] | None = None,
        apart: Sequence[str] = (),
    ) -> None:
        """`agent` and `reconciler` are put into their configurations; nodes that are `apart` are behind a router."""
        self.directory = directory
        self.nodes = nodes
        self.images = images
        self.manifests = directory / "manifests"
        self.network = Network(uuid.uuid4().hex[:5], [HUB, *nodes], apart)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.toleration_seconds = toleration_seconds
        self.agent, self.reconciler = agent or {}, reconciler or {}

    def start(self) -> None:
        self.manifests.mkdir(parents=True)
        self._configure()
        self.network.create()
        self.start_broker()
        self.start_reconciler()
        for node in self.nodes:
            self.start_agent(node)
        eventually(lambda: sorted(self.ready_nodes()) == sorted(self.nodes), 60, "all nodes Ready")

    def stop(self) -> None:
        """Ends and removes everything, whatever state the test left it in."""
        for name in list(self.processes):
            self.kill(name)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.clean_up, self.nodes))
        self.network.remove()

    def clean_up(self, node: str) -> None:
        """Removes what an agent that has ended made on its machine."""
        self.network_of(node, [sys.executable, "-m", "nodeagent", "cleanup", "--config", self._config(node)])

    # the parts, each by name: "broker", "reconciler", or a node

    def start_broker(self) -> None:
        self._spawn("broker", HUB, ["mosquitto", "-c", self._config("broker")])

    def start_reconciler(self) -> None:
        self._spawn("reconciler", HUB, [sys.executable, "-m", "reconciler.start", "--config", self._config("hub")])
        eventually((self.directory / "hub" / "kubeconfig").exists, 30, "the reconciler's kubeconfig")
        eventually(lambda: self.try_kubectl("get", "--raw", "/readyz").returncode == 0, 30, "the API")

    def start_agent(self, node: str) -> None:
        self._spawn(node, node, [sys.executable, "-m", "nodeagent", "--config", self._config(node)])

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut of that one process."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def terminate(self, name: str) -> None:
        """SIGTERM, as systemd stops a service."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(30)

    def containerd_pid(self, node: str) -> int:
        """Raises `LookupError` while there is none."""
        config = f"--config\0{self.directory / node}/containerd/config.toml\0"
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if config in (process / "cmdline").read_bytes().decode(errors="replace"):
                    return int(process.name)
        raise LookupError(f"no containerd on {node}")

    def reboot(self, node: str) -> None:
        """Takes the machine down as a power cut does: every process of it dies, and what was in memory is gone."""
        self.kill(node)
        directory = self.directory / node
        asyncio.run(power_off(OwnContainerd(directory, enter=self.network.inside(node))))
        for mount in Path("/proc/self/mounts").read_text().splitlines()[::-1]:
            if mount.split()[1].startswith(f"{directory}/"):
                run("umount", mount.split()[1])

    # what a person sees

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        command = [str(KUBECTL), "--kubeconfig", str(self.directory / "hub" / "kubeconfig"), *arguments]
        environment = os.environ | {"HOME": str(self.directory)}
        return subprocess.run(
            [*self.network.inside(HUB), *command],
            capture_output=True,
            text=True,
            timeout=90,
            input=stdin,
            env=environment,
        )

    def kubectl(self, *arguments: str) -> str:
        done = self.try_kubectl(*arguments)
        if done.returncode != 0:
            raise ValueError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("pods", *(["-l", selector] if selector else []))["items"]
        return found

    def ready_pods(self, selector: str = "") -> list[dict[str, Any]]:
        return [pod for pod in self.pods(selector) if _is(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]

    def ready_nodes(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.get("nodes")["items"] if _is(node, "Ready")]

    # what is really there

    def running(self, node: str) -> dict[str, int]:
        """Containers that run on the node (sandboxes left out), id → process id, asked of containerd itself."""
        ctr = ["ctr", "-a", self._socket(node), "-n", "k8s.io"]
        tasks = subprocess.run([*ctr, "tasks", "ls"], capture_output=True, text=True, timeout=60)
        listed = subprocess.run(
            [*ctr, "containers", "ls", "-q", 'labels."io.cri-containerd.kind"==container'],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if tasks.returncode or listed.returncode:
            raise ValueError(tasks.stderr + listed.stderr)
        containers = set(listed.stdout.split())
        rows = [line.split() for line in tasks.stdout.splitlines()[1:]]
        return {row[0]: int(row[1]) for row in rows if row[0] in containers and row[2] == "RUNNING"}

    def sandboxes(self, node: str) -> list[str]:
        """Everything that containerd still knows on the node, sandboxes included."""
        return run("ctr", "-a", self._socket(node), "-n", "k8s.io", "containers", "ls", "-q").split()

    def fetch(self, node: str, url: str) -> str:
        """What a client on that machine gets."""
        done = subprocess.run(
            [*self.network.inside(node), "curl", "-sS", "--max-time", "5", url], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ValueError(done.stderr)
        return done.stdout

    def write(self, name: str, *documents: dict[str, Any] | str) -> None:
        """Writes a manifest as an editor does: whole, by rename."""
        text = "---\n".join(d if isinstance(d, str) else yaml.safe_dump(d, sort_keys=False) for d in documents)
        path = self.manifests / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text)
        temporary.rename(path)

    def delete(self, name: str) -> None:
        (self.manifests / name).unlink()

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def network_of(self, machine: str, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.network.inside(machine), *command], capture_output=True, text=True, timeout=120, check=False
        )

    def _spawn(self, name: str, machine: str, command: list[str]) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.network.inside(machine), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _socket(self, node: str) -> str:
        return str(self.directory / node / "containerd" / "c.sock")

    def _config(self, name: str) -> str:
        return str(self.directory / f"{name}.yaml")

    def _configure(self) -> None:
        broker = f"mqtt://{self.network.address[HUB]}:{BROKER_PORT}"
        Path(self._config("broker")).write_text(
            f"listener {BROKER_PORT} {self.network.address[HUB]}\nallow_anonymous true\npersistence false\n"
            "max_inflight_messages 0\nmax_queued_messages 0\nlog_type error\n"
        )
        reconciler = {
            "manifests": str(self.manifests),
            "data": str(self.directory / "hub"),
            "broker": {"url": broker, "keepaliveSeconds": 2},
            "api": {"listen": f"127.0.0.1:{API_PORT}"},
            "tolerationSeconds": self.toleration_seconds,
            "nodeGraceSeconds": 10,
            "loadBalancerPools": [{"addresses": ["10.91.0.200-10.91.0.220"]}],
        }
        Path(self._config("hub")).write_text(yaml.safe_dump(reconciler | self.reconciler))
        for node in self.nodes:
            agent = {
                "node": node,
                "data": str(self.directory / node),
                "run": str(self.directory / node / "run"),
                "containerd": "own",
                "images": str(self.images),
                "broker": {"url": broker, "keepaliveSeconds": 2},
                "metricsSeconds": 5,
            }
            Path(self._config(node)).write_text(yaml.safe_dump(agent | self.agent))


def _is(thing: dict[str, Any], condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in thing.get("status", {}).get("conditions", []))
