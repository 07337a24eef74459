"""A box with simulated nodes from the first `up` to the last `down`, by the commands that a person has."""

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.simulation.box import Box, free_port
from tests.waiting import eventually, holds

BROKEN = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: broken
spec:
  replicas: several
  selector: {matchLabels: {app: broken}}
  template:
    metadata: {labels: {app: broken}}
    spec:
      containers: [{name: main, image: "app:1"}]
"""


def test_pods_have_addresses_of_their_own_nodes_range(box: Box) -> None:
    ranges = {node["metadata"]["name"]: ipaddress.ip_network(node["spec"]["podCIDR"]) for node in box.items("nodes")}
    assert len(set(ranges.values())) == 3
    for pod in box.items("pods"):
        assert ipaddress.ip_address(pod["status"]["podIP"]) in ranges[pod["spec"]["nodeName"]]


def test_an_up_of_what_runs_is_harmless(box: Box) -> None:
    before = box.asked("up")
    assert box.asked("up", str(box.manifests), "--simulate", "3", "--detach") == before
    assert len(box.ready_pods()) == 2


@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        pytest.param(("pods",), "NAME READY STATUS RESTARTS AGE", id="pods"),
        pytest.param(("po", "-A"), "NAMESPACE NAME READY STATUS RESTARTS AGE", id="pods everywhere"),
        pytest.param(
            ("pods", "-o", "wide"),
            "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES",
            id="pods wide",
        ),
        pytest.param(("nodes",), "NAME STATUS ROLES AGE VERSION", id="nodes"),
        pytest.param(("deploy",), "NAME READY UP-TO-DATE AVAILABLE AGE", id="deployments"),
        pytest.param(("deploy", "web"), "NAME READY UP-TO-DATE AVAILABLE AGE", id="one deployment"),
    ],
)
def test_tables_are_those_of_kubectl(box: Box, arguments: tuple[str, ...], first_line: str) -> None:
    first, *rows = box.said("get", *arguments).splitlines()
    assert first.split() == first_line.split()
    assert rows


@pytest.mark.parametrize("kind", ["pods", "nodes", "deploy"])
def test_every_form_tells_of_the_same_objects(box: Box, kind: str) -> None:
    names = [item["metadata"]["name"] for item in box.items(kind)]
    written = yaml.safe_load(box.said("get", kind, "-o", "yaml"))
    assert [item["metadata"]["name"] for item in written["items"]] == names
    assert [line.partition("/")[2] for line in box.said("get", kind, "-o", "name").splitlines()] == names
    assert [line.split()[0] for line in box.said("get", kind).splitlines()[1:]] == names
    assert json.loads(box.said("get", kind, names[0], "-o", "json"))["metadata"]["name"] == names[0]


def test_labels_select(box: Box) -> None:
    assert len(box.items("pods", "-l", "app=web")) == 2
    assert box.items("pods", "-l", "app=other") == []
    nothing = box.wherry("get", "pods", "-l", "app=other")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "No resources found\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("get", "boats"), "wherry: there is no kind 'boats'; those served: ", id="unknown kind"),
        pytest.param(("get", "pods", "gone"), 'wherry: Error from server (NotFound): pods "gone"', id="missing"),
        pytest.param(("get", "pods", "gone", "-A"), "wherry: one object by name is in one namespace", id="name and -A"),
        pytest.param(("simulate", "stop-node", "sim-9"), "wherry: there is no node sim-9; there are sim-1", id="node"),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_1(box: Box, arguments: tuple[str, ...], said: str) -> None:
    done = box.wherry(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(said)


def test_status_tells_on_one_screen_how_things_are(box: Box) -> None:
    lines = box.said("status").splitlines()
    assert f"Folder    {box.manifests}" in lines
    assert "Nodes     3 of 3 Ready" in lines
    assert "Pods      2 of 2 Ready" in lines
    assert {"Waiting   none", "Faults    none", "Held back none"} <= set(lines)
    assert len(lines) < 24


def test_it_is_told_why_a_pod_is_where_it_is(box: Box) -> None:
    name, node = next(iter(box.ready_pods().items()))
    lines = box.said("explain-scheduling", name).splitlines()
    assert lines[0] == f"Pod       default/{name}, runs on {node}"
    assert "Nodes     3 can take it, 0 cannot" in lines
    assert box.asked("explain-scheduling", name)["node"] == node


def test_a_broken_file_shows_in_status_with_file_line_and_field(box: Box) -> None:
    file = box.manifests / "broken.yaml"
    file.write_text(BROKEN)
    try:
        eventually(lambda: "Faults    1" in box.said("status"), 10, "one fault")
        assert "broken.yaml:7: Deployment/broken: spec.replicas: " in box.said("status")
        fault = box.asked("status")["manifests"]["faults"][0]
        assert (fault["file"], fault["line"], fault["field"]) == ("broken.yaml", 7, "spec.replicas")
    finally:
        file.unlink()
    eventually(lambda: "Faults    none" in box.said("status"), 10, "no fault any more")
    assert len(box.ready_pods()) == 2


def test_the_pods_of_a_stopped_node_are_replaced_and_it_comes_back(box: Box) -> None:
    name, node = next(iter(box.ready_pods().items()))
    assert box.said("simulate", "stop-node", node) == f"{node} stopped\n"
    eventually(lambda: node not in box.ready_nodes(), 5, "NotReady by its last will")
    assert f"  {node}: not Ready, " in box.said("status")
    moved = eventually(lambda: box.two_pods(without=name), 20, "replaced")
    assert node not in moved.values()
    assert box.asked("simulate", "start-node", node) == {"ok": True, "said": f"{node} started"}
    eventually(lambda: node in box.ready_nodes(), 10, "Ready again")
    eventually(lambda: {pod["metadata"]["name"] for pod in box.live("pods")} == set(moved), 20, "the lost pod is gone")


def test_a_node_that_was_cut_off_stops_its_doubles_when_its_link_is_back(box: Box) -> None:
    name, node = next(iter(box.ready_pods().items()))
    box.said("simulate", "cut-node", node)
    eventually(lambda: node not in box.ready_nodes(), 5, "NotReady by its last will")
    moved = eventually(lambda: box.two_pods(without=name), 20, "replaced")
    box.said("simulate", "heal-node", node)
    eventually(lambda: node in box.ready_nodes(), 40, "Ready again, when its agent tries the next time")
    eventually(lambda: {pod["metadata"]["name"] for pod in box.live("pods")} == set(moved), 20, "the double is gone")
    holds(lambda: box.ready_pods() == moved, 1.0)


def test_an_emptied_folder_deletes_nothing_before_it_is_approved(box: Box) -> None:
    files = {file: file.read_text() for file in box.manifests.iterdir()}
    for file in files:
        file.unlink()
    eventually(lambda: "2 deletions" in box.said("status"), 30, "held back")
    said = box.said("status")
    assert "ConfigMap default/page, Deployment default/web: the folder holds no manifest at all" in said
    assert f"wherry approve --data {box.data}" in said
    assert len(box.ready_pods()) == 2
    assert sorted(box.asked("approve")["approved"]) == ["ConfigMap default/page", "Deployment default/web"]
    assert box.said("approve") == "Nothing is held back.\n"
    eventually(lambda: not box.live("pods"), 20, "no pods")
    for file, text in files.items():
        file.write_text(text)
    eventually(lambda: len(box.ready_pods()) == 2, 20, "as before")


def test_down_leaves_no_process_and_an_up_goes_on_where_it_was(fresh: Box) -> None:
    fresh.up(nodes=1)
    pods = eventually(fresh.two_pods, 20, "two pods")
    done = fresh.asked("down")["done"]
    assert [line.partition(" (")[0] for line in done] == ["stopped the reconciler", "stopped the node agent"]
    assert fresh.processes() == []
    assert fresh.said("down") == "Nothing ran, and nothing was left over.\n"
    assert "is Wherry running" in fresh.wherry("status").stderr
    again = fresh.asked("up", "--detach")
    assert (again["manifests"], again["simulatedNodes"]) == (str(fresh.manifests), 1)
    eventually(lambda: fresh.ready_pods() == pods, 20, "the same pods")


def test_a_killed_reconciler_leaves_the_agent_and_a_second_up_finds_it(fresh: Box) -> None:
    before = fresh.up(nodes=1)
    pods = eventually(fresh.two_pods, 20, "two pods")
    os.kill(before["reconcilerPid"], signal.SIGKILL)
    eventually(lambda: fresh.wherry("status").returncode == 1, 5, "nobody answers")
    after = fresh.asked("up", "--detach")
    assert after["agentPid"] == before["agentPid"]
    assert after["reconcilerPid"] not in (None, before["reconcilerPid"])
    eventually(lambda: fresh.ready_pods() == pods, 20, "the same pods")
    assert all(
        not status["restartCount"] for pod in fresh.items("pods") for status in pod["status"]["containerStatuses"]
    )


def test_a_killed_agent_is_started_again(fresh: Box) -> None:
    before = fresh.up(nodes=1)
    pods = eventually(fresh.two_pods, 20, "two pods")
    os.kill(before["agentPid"], signal.SIGKILL)
    eventually(lambda: fresh.asked("up")["agentPid"] not in (None, before["agentPid"]), 10, "another agent")
    eventually(lambda: fresh.ready_pods() == pods, 20, "the same pods")


def test_a_port_in_use_is_said(fresh: Box) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = fresh.wherry("up", str(fresh.manifests), "--port", port, "--simulate", "1", "--detach")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"wherry: port {port} is in use by another program: choose one with --port\n"
    assert fresh.processes() == []


def test_an_agent_that_cannot_start_is_said(fresh: Box) -> None:
    fresh.data.mkdir()
    (fresh.data / "agent.yaml").write_text("nodes: 1\nstartSeconds: soon\n")
    done = fresh.wherry("up", str(fresh.manifests), "--port", str(free_port()), "--detach")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"nodeagent: {fresh.data / 'agent.yaml'}: startSeconds: Expected `float`, got `str`" in done.stderr


def test_without_detach_an_interrupt_ends_it_all(fresh: Box) -> None:
    command = [sys.executable, "-m", "reconciler", "up", str(fresh.manifests), "--data", str(fresh.data)]
    with (fresh.manifests.parent / "log").open("w") as log:
        running = subprocess.Popen(
            [*command, "--simulate", "1", "--port", str(free_port())], stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            eventually(lambda: len(fresh.ready_pods()) == 2, 20, "two pods")
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=30)
        finally:
            running.kill()
    assert said.startswith(f"Wherry runs {fresh.manifests} on 1 simulated nodes: edit and save.\n")
    assert running.returncode == 0
    assert fresh.processes() == []


@pytest.mark.parametrize("command", ["", "up", "down", "get", "status", "approve", "simulate"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "reconciler", *command.split(), "--help"], capture_output=True, text=True, timeout=30
    ).stdout
    assert "example:\n  wherry " in said
    assert f"usage: wherry {command}".strip() in said


def test_the_version_is_told(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "reconciler", "--version"], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("wherry ")
