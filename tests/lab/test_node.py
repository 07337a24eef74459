"""A node that runs short of disk, and one that is looked at from itself alone: on real parts, on a small disk."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeagent.machine.inhibitor import SETTINGS
from tests.lab.fleet import Fleet
from tests.waiting import PATIENCE, eventually

DISK_MIB = 160
WAIT = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
AGENT = {
    "evictionHard": {"nodefs.available": "20%"},
    "evictionPressureTransitionPeriod": "1s",
    "shutdownGracePeriod": "20s",
}
BUS = """<busconfig><type>system</type><listen>{address}</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""
INHIBIT = """#!/bin/sh
# As systemd's own, but for the lock: what comes after the options is run.
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


def pod(name: str, script: str, *, size_limit: str = "", limit: str = "", **annotations: str) -> dict[str, Any]:
    volume = {"name": "cache", "emptyDir": {"sizeLimit": size_limit} if size_limit else {}}
    container = {
        "name": "main",
        "image": "wherry.local/busybox:1",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        "resources": {"limits": {"ephemeral-storage": limit}} if limit else {},
    }
    metadata = {"name": name, "namespace": "default", "annotations": annotations}
    spec = {"containers": [container], "volumes": [volume], "nodeName": "a", "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a system bus of its own, on which the machine's shutdown is told."""
    with tempfile.TemporaryDirectory(prefix="wherry-bus-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        address = f"unix:path={folder}/bus"
        (folder / "bus.conf").write_text(BUS.format(address=address))
        (folder / "systemd-inhibit").write_text(INHIBIT)
        (folder / "systemd-inhibit").chmod(0o755)
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        command = ["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"]
        daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            eventually((folder / "bus").exists, 10, "the bus")
            yield address
        finally:
            daemon.terminate()
            daemon.wait(30)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, images: Path, bus: str) -> Iterator[Fleet]:
    """One node, `a`, whose data lie on a small disk."""
    directory = tmp_path_factory.mktemp("node")
    disk = directory / "a"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", disk], check=True)
    fleet = Fleet(directory, ["a"], images, agent=AGENT)
    try:
        fleet.start()
        fleet.write("steady.yaml", pod("steady", WAIT))
        fleet.write("quiet.yaml", pod("quiet", f"seq 1 100; {WAIT}", **{"wherry.dev/logs": "memory"}))
        eventually(lambda: len(fleet.ready_pods()) == 2, 30, "pods are Ready")
        yield fleet
    finally:
        fleet.stop()
        left = [*disk.iterdir(), *([SETTINGS] if SETTINGS.exists() else [])]
        subprocess.run(["umount", "--recursive", "--lazy", disk], check=True)
    assert not left, "`cleanup` removes all that the agent made"


def agent(fleet: Fleet, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    what, *rest = arguments
    command = [sys.executable, "-m", "nodeagent", what, "--config", str(fleet.directory / "a.yaml"), *rest]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input=stdin)


def status(fleet: Fleet, name: str) -> dict[str, Any]:
    told: dict[str, Any] = fleet.get("pod", name)["status"]
    return told


def test_what_fills_the_disk_goes_and_the_others_stay(node: Fleet) -> None:
    """By the limit of a volume, and for the sake of the node; neither runs again when the agent is started anew."""
    node.write("filler.yaml", pod("filler", f"dd if=/dev/zero of=/cache/x bs=1M count={DISK_MIB}; {WAIT}"))
    node.write("limited.yaml", pod("limited", f"dd if=/dev/zero of=/cache/x bs=1M count=8; {WAIT}", size_limit="5Mi"))
    node.write("writer.yaml", pod("writer", f"dd if=/dev/zero of=/x bs=1M count=8; {WAIT}", limit="5Mi"))
    eventually(lambda: status(node, "limited").get("reason") == "Evicted", 40, "limited is evicted")
    told = status(node, "limited")
    assert (told["phase"], told["message"]) == (
        "Failed",
        'Usage of EmptyDir volume "cache" exceeds the limit "5Mi". ',
    )
    eventually(lambda: status(node, "writer").get("reason") == "Evicted", 40, "writer is evicted")
    assert status(node, "writer")["message"] == (
        "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. "
    )
    eventually(lambda: status(node, "filler").get("reason") == "Evicted", 40, "filler is evicted")
    told = status(node, "filler")
    assert told["message"].startswith("The node was low on resource: ephemeral-storage. Threshold quantity: 32768Ki")
    assert any(one["type"] == "DisruptionTarget" and one["status"] == "True" for one in told["conditions"])
    reasons = {one["reason"] for one in node.get("events")["items"]}
    assert reasons >= {"Evicted", "EvictionThresholdMet"}
    node.kill("a")
    node.start_agent("a")
    eventually(lambda: agent(node, "status").returncode == 0, 20, "the agent answers")
    shown = {one["name"]: one for one in json.loads(agent(node, "pods", "--output", "json").stdout)}
    eventually(
        lambda: {one["metadata"]["name"] for one in node.ready_pods()} == {"steady", "quiet"},
        20,
        "the others are Ready",
    )
    assert {name for name, one in shown.items() if one["phase"] == "Failed"} == {"limited", "writer", "filler"}
    assert status(node, "steady")["containerStatuses"][0]["restartCount"] == 0
    assert len(node.running("a")) == 2


def test_logs_in_memory_never_touch_the_disk(node: Fleet) -> None:
    on_disk = [path for path in (node.directory / "a" / "logs").rglob("*.log") if "quiet" in str(path)]
    in_memory = [path for path in (node.directory / "a" / "run" / "logs").rglob("*.log") if "quiet" in str(path)]
    assert (on_disk, len(in_memory)) == ([], 1)
    assert agent(node, "logs", "quiet", "--tail", "2").stdout == "99\n100\n"
    assert node.kubectl("logs", "quiet", "--tail=1") == "100\n"


def test_a_node_with_no_broker_shows_itself(node: Fleet) -> None:
    node.kill("broker")
    try:
        eventually(lambda: "no link" in agent(node, "status").stdout, 20, "the link is known to be lost")
        told = json.loads(agent(node, "status", "--output", "json").stdout)
        assert (told["node"], told["link"]["connected"], told["accepted"]["complete"]) == ("a", False, True)
        assert told["written"].keys() >= {"agent", "checkpoint", "containerd", "logs"}
        assert "\ndefault     steady    1/1     Running" in agent(node, "pods").stdout
        said = agent(node, "exec", "-i", "steady", "--", "sh", "-c", "wc -c; echo err >&2; exit 7", stdin="hello\n")
        assert (said.returncode, said.stdout, said.stderr) == (7, "6\n", "err\n")
        assert agent(node, "logs", "steady", "--previous").stderr == (
            'nodeagent: previous terminated container "main" in pod "steady" not found\n'
        )
        assert "\nwherry_link_up 0\n" in agent(node, "metrics").stdout
    finally:
        node.start_broker()


def test_a_shell_on_the_node_knows_the_size_of_its_terminal(node: Fleet) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 97, 0, 0))
    script = 'until size=$(stty size) && [ "$size" = "41 97" ]; do sleep 0.1; done; echo $size; read -r go; exit 5'
    command = [sys.executable, "-m", "nodeagent", "exec", "--config", str(node.directory / "a.yaml")]
    process = subprocess.Popen([*command, "-it", "steady", "--", "sh", "-c", script], stdin=theirs, stdout=theirs)
    try:
        heard = b""
        while b"41 97" not in heard:
            assert select.select([ours], [], [], 20 * PATIENCE)[0], heard
            heard += os.read(ours, 4096)
        process.send_signal(signal.SIGWINCH)
        os.write(ours, b"go\r")
        assert process.wait(20 * PATIENCE) == 5
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_only_root_may_ask(node: Fleet) -> None:
    assert (node.directory / "a" / "run" / "agent.sock").stat().st_mode & 0o777 == 0o600


def test_pods_end_before_the_machine_goes_down_and_run_again_with_it(node: Fleet, bus: str) -> None:
    logind = ["/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForShutdown", "b", "true"]

    def is_told() -> bool:
        subprocess.run(["busctl", f"--address={bus}", "emit", *logind], check=True)
        return "node is shutting down" in node.kubectl("describe", "node", "a")

    eventually(is_told, 20, "the node is told to go down")
    eventually(lambda: not node.running("a"), 20, "pods have ended")
    eventually(lambda: status(node, "steady").get("reason") == "Terminated", 20, "steady says why")
    assert status(node, "steady")["phase"] == "Running"
    node.kill("a")
    node.start_agent("a")
    eventually(lambda: {one["metadata"]["name"] for one in node.ready_pods()} == {"steady", "quiet"}, 30, "all is back")
