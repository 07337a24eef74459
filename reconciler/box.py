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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from reconciler.config import load_config, split_address
from reconciler.source import git_settings, read_source
from schemas.configuration import BadConfiguration, load
from schemas.daemon import holder, stop_process

PATIENCE = 30.0
"""Seconds that a process gets to end by itself."""
HEADER = "# Written by `wherry up`, which keeps settings that you add here; they count from the next `wherry up` on.\n"


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
    def agent_errors(self) -> Path:
        return self.directory / "logs" / "agent.err"

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
        nodes = _read(self.agent_config).get("nodes", 0)
        if not isinstance(nodes, int):
            raise BadConfiguration(f"{self.agent_config}: nodes: expected a number, found {nodes!r}")
        return nodes


def prepare(
    directory: Path,
    manifests: Path | None,
    port: int | None,
    simulate: int | None,
    git: Mapping[str, str] | None = None,
) -> Box:
    """Writes the configuration of both daemons. What is None is as the last time.

    `git` are settings of `source:`, in place of a folder: the URL (`git`), and perhaps `branch` and `path`.

    Settings that a person added to the files are kept. Raises `BadConfiguration`.
    """
    box = Box(directory.absolute())
    known = _read(box.reconciler_config)
    origin = _origin(box, known, manifests, git)
    for needed in (box.directory, box.directory / "images", box.directory / "logs"):
        needed.mkdir(parents=True, exist_ok=True)
    if "manifests" in origin:
        Path(origin["manifests"]).mkdir(parents=True, exist_ok=True)
    secret = box.directory / "broker.secret"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(secrets.token_urlsafe(24))
    api = _listening(box, known, "api", 6443 if port is None else port, keep=port is None)
    broker = _listening(box, known, "embeddedBroker", 0, keep=True)
    if box.agent_pid is None and not _is_free(broker):
        broker = f"{broker.rpartition(':')[0]}:{_free_port()}"  # it was ours alone, and nobody depends on it now
    nodes = box.simulated if simulate is None else simulate
    if nodes and not box.simulated and (box.directory / "agent").exists():
        raise BadConfiguration(
            f"{box.directory} holds a real node: remove it first with `wherry down --data {directory}`"
        )
    reconciler = {
        "data": str(box.directory / "reconciler"),
        "embeddedBroker": _section(known, "embeddedBroker") | {"listen": broker, "passwordFile": str(secret)},
        "api": _section(known, "api") | {"listen": api},
    }
    agent = _agent_settings(box, broker, secret, nodes)
    if box.agent_pid is not None and agent != _read(box.agent_config):
        stop_process(box.agent_pid, PATIENCE)  # of an earlier life; the new one goes by the new settings
    others = {field: value for field, value in known.items() if field not in ("manifests", "source")}
    _write(box.reconciler_config, {**origin, **others, **reconciler})
    _write(box.agent_config, agent)
    load_config(box.reconciler_config)
    return box


def _origin(
    box: Box, known: Mapping[str, Any], manifests: Path | None, git: Mapping[str, str] | None
) -> dict[str, Any]:
    """`manifests:` or `source:`; of a repository that is followed already, what a person added stays."""
    if manifests is not None:
        if not manifests.is_dir():
            raise BadConfiguration(f"{manifests}: there is no such folder; name the folder that holds your manifests")
        return {"manifests": str(manifests.absolute())}
    before = _section(known, "source")
    if git is not None:
        source = (before if before.get("git") == git["git"] else {}) | dict(git)
        git_settings(read_source(source, "--source-git"))
        return {"source": source}
    if before:
        return {"source": before}
    return {"manifests": str(Path(known.get("manifests", box.directory / "manifests")).absolute())}


def _agent_settings(box: Box, broker: str, secret: Path, nodes: int) -> dict[str, Any]:
    """Those of one real node, or of several simulated ones; what was added to the other kind does not apply."""
    known = _read(box.agent_config) if bool(box.simulated) == bool(nodes) else {}
    url = f"mqtt://127.0.0.1:{broker.rpartition(':')[2]}"
    settings = known | {
        "data": str(box.directory / "agent"),
        "broker": _section(known, "broker") | {"url": url, "username": "wherry", "passwordFile": str(secret)},
    }
    if nodes:
        return settings | {"nodes": nodes, "control": str(box.control_socket)}
    run, images = box.directory / "agent" / "run", box.directory / "images"
    return settings | {"run": str(run), "containerd": "own", "images": str(images)}


def check_port(box: Box) -> None:
    """Raises `BadConfiguration` when the API's port is taken by somebody else."""
    listen = load_config(box.reconciler_config).api.listen
    if not _is_free(listen):
        port = listen.rpartition(":")[2]
        raise BadConfiguration(f"port {port} is in use by another program: choose one with --port")


def agent_command(box: Box) -> list[str]:
    """How the node agent (or the simulation of several) is started."""
    mode = ["simulate"] if box.simulated else []
    return [sys.executable, "-m", "nodeagent", *mode, "--config", str(box.agent_config)]


def start_agent(box: Box) -> "subprocess.Popen[bytes]":
    """Starts it in a session of its own, so that an interrupt from the terminal reaches only its parent."""
    log = box.directory / "logs" / "agent.log"
    with box.agent_errors.open("wb") as errors:
        return subprocess.Popen(
            [*agent_command(box), "--log-file", str(log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def agent_said(box: Box) -> str:
    """Why the agent that was started last ended, where it said so."""
    lines = box.agent_errors.read_text(errors="replace").splitlines() if box.agent_errors.exists() else []
    return next((line for line in reversed(lines) if line.startswith("nodeagent: ")), "")


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
        "manifests": config.shown,
        "images": str(box.directory / "images"),
        "kubeconfig": str(box.kubeconfig),
        "api": f"https://{config.api.listen}",
        "broker": config.embedded_broker.listen if config.embedded_broker else "",
        "reconcilerPid": box.reconciler_pid,
        "agentPid": box.agent_pid,
        "simulatedNodes": box.simulated,
        "log": str(box.log_file),
    }


def _listening(box: Box, known: dict[str, Any], section: str, port: int, *, keep: bool) -> str:
    """The address that the file gives, with this port (0: a free one) where it gives none or is not to be kept."""
    listen = _section(known, section).get("listen")
    if listen is None:
        return f"127.0.0.1:{port or _free_port()}"
    host, _ = split_address(str(listen), f"{box.reconciler_config}: {section}.listen")
    return str(listen) if keep else f"{host}:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(listen: str) -> bool:
    host, port = split_address(listen, "listen")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _section(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    """Empty where there is no such file. Raises `BadConfiguration`."""
    return load(path, dict[str, Any]) if path.exists() else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = f"{HEADER}{yaml.safe_dump(content, sort_keys=False)}"
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
