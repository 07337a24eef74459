"""One box: where `wherry up` keeps what, and how its processes are started, found again and ended.

DIR/kubeconfig               for kubectl
DIR/images/                  image archives, loaded at start and when they appear
DIR/reconciler.yaml          written from the command line; the store and the keys lie in DIR/reconciler/
DIR/agent.yaml               the node agent, a process of its own; its state lies in DIR/agent/
DIR/logs/                    with --detach
"""

import json
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from reconciler.config import load_config, split_address
from schemas.configuration import BadConfiguration
from schemas.daemon import holder, stop_process

PATIENCE = 30.0
"""Seconds that a process gets to end by itself."""


class Box(msgspec.Struct, frozen=True):
    """The folder given by `--data`."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def reconciler_config(self) -> Path:
        return self.directory / "reconciler.yaml"

    @property
    def agent_config(self) -> Path:
        return self.directory / "agent.yaml"

    @property
    def log_file(self) -> Path:
        return self.directory / "logs" / "wherry.log"

    @property
    def control_socket(self) -> Path:
        """Of the simulation."""
        return self.directory / "simulation.sock"

    @property
    def reconciler_pid(self) -> int | None:
        return holder(self.directory / "reconciler")

    @property
    def agent_pid(self) -> int | None:
        return holder(self.directory / "agent")

    @property
    def simulated(self) -> int:
        """How many nodes are simulated; 0: the node is real."""
        return int(_read(self.agent_config).get("nodes", 0))


def prepare(directory: Path, manifests: Path | None, port: int | None, simulate: int) -> Box:
    """Writes the configuration of both daemons, keeping what an earlier `up` chose. Raises `BadConfiguration`."""
    box = Box(directory.absolute())
    for folder in (box.directory, box.directory / "images", box.directory / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    secret = box.directory / "broker.secret"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(secrets.token_urlsafe(24))
    known = _read(box.reconciler_config)
    folder = (manifests or Path(known.get("manifests", box.directory / "manifests"))).absolute()
    if manifests is not None and not folder.is_dir():
        raise BadConfiguration(f"{manifests}: there is no such folder; name the folder that holds your manifests")
    folder.mkdir(parents=True, exist_ok=True)
    broker_port = _port_of(known.get("embeddedBroker", {}).get("listen")) or _free_port()
    api_port = port if port is not None else _port_of(known.get("api", {}).get("listen")) or 6443
    reconciler = {
        "manifests": str(folder),
        "data": str(box.directory / "reconciler"),
        "embeddedBroker": {"listen": f"127.0.0.1:{broker_port}", "passwordFile": str(secret)},
        "api": {"listen": f"127.0.0.1:{api_port}"},
    }
    agent: dict[str, Any] = {
        "data": str(box.directory / "agent"),
        "broker": {
            "url": f"mqtt://127.0.0.1:{broker_port}",
            "username": "wherry",
            "passwordFile": str(secret),
        },
    }
    if simulate:
        agent |= {"nodes": simulate, "control": str(box.control_socket)}
    else:
        agent |= {
            "run": str(box.directory / "agent" / "run"),
            "containerd": "own",
            "images": str(box.directory / "images"),
        }
    _write(box.reconciler_config, reconciler)
    _write(box.agent_config, agent)
    load_config(box.reconciler_config)
    return box


def check_port(box: Box) -> None:
    """Raises `BadConfiguration` when the API's port is taken by somebody else."""
    host, port = split_address(load_config(box.reconciler_config).api.listen, "api.listen")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise BadConfiguration(f"port {port} is in use by another program: choose one with --port") from None


def agent_command(box: Box) -> list[str]:
    """How the node agent (or the simulation of several) is started."""
    mode = ["simulate"] if box.simulated else []
    return [sys.executable, "-m", "nodeagent", *mode, "--config", str(box.agent_config)]


def start_agent(box: Box) -> "subprocess.Popen[bytes]":
    """Starts it in a session of its own, so that an interrupt from the terminal reaches only its parent."""
    log = box.directory / "logs" / "agent.log"
    return subprocess.Popen(
        [*agent_command(box), "--log-file", str(log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(box.directory / "logs" / "agent.err").open("ab"),
        start_new_session=True,
    )


def stop(box: Box) -> list[str]:
    """Ends all that `up` started and removes what it made on the system; says what it did. Safe to repeat."""
    done = []
    for name, pid in (("reconciler", box.reconciler_pid), ("node agent", box.agent_pid)):
        if pid is not None:
            stop_process(pid, PATIENCE)
            done.append(f"stopped the {name} (process {pid})")
    if box.agent_config.exists() and not box.simulated:
        cleanup = [sys.executable, "-m", "nodeagent", "cleanup", "--config", str(box.agent_config)]
        result = subprocess.run(cleanup, capture_output=True, text=True, timeout=120)
        if result.returncode != 0:
            raise BadConfiguration(f"could not remove everything: {result.stderr.strip()}; run `wherry down` again")
        done.extend(line for line in result.stdout.splitlines() if line)
    box.kubeconfig.unlink(missing_ok=True)
    return done


def facts(box: Box) -> dict[str, Any]:
    """What runs where, for a person or a program."""
    config = load_config(box.reconciler_config)
    return {
        "data": str(box.directory),
        "manifests": str(config.manifests),
        "images": str(box.directory / "images"),
        "kubeconfig": str(box.kubeconfig),
        "api": f"https://{config.api.listen}",
        "broker": config.embedded_broker.listen if config.embedded_broker else "",
        "reconcilerPid": box.reconciler_pid,
        "agentPid": box.agent_pid,
        "simulatedNodes": box.simulated,
        "log": str(box.log_file),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_of(listen: str | None) -> int | None:
    return int(listen.rpartition(":")[2]) if listen else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = f"# Written by `wherry up`.\n{yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False)}"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def tell_simulation(box: Box, what: str, node: str) -> dict[str, Any]:
    """Has the simulation do this to a node, and returns its answer. Raises `BadConfiguration`."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(box.control_socket))
            connection.sendall(json.dumps({"what": what, "node": node}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline(65536))
            return answer
    except OSError as error:
        raise BadConfiguration(f"the simulation does not answer ({error}): is `wherry up` running?") from None
