"""Services under load on three nodes: balanced, no failed request in a roll-out, and what happens when a node dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.answering import server
from tests.lab.fleet import Fleet
from tests.lab.network import HUB
from tests.waiting import eventually

NODES = ["a", "b", "c"]
RATE = os.environ.get("WHERRY_RATE", "150")
"""Requests a second of each load; more on a machine that has cores for it."""
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  externalIPs: [10.91.0.230]
  ports: [{port: 80, targetPort: http, nodePort: 30080}]
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  type: NodePort
  selector: {app: echo}
  ports: [{port: 7, protocol: UDP, targetPort: 7007, nodePort: 30007}]
"""


def web(version: int) -> dict[str, Any]:
    """One on each node. Who is to end goes on answering for a moment, as people write it for Kubernetes."""
    container, volumes = server(
        lifecycle={"preStop": {"sleep": {"seconds": 2}}}, env=[{"name": "VERSION", "value": str(version)}]
    )
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [container],
                    "volumes": volumes,
                    "terminationGracePeriodSeconds": 5,
                    "topologySpreadConstraints": [spread | {"labelSelector": {"matchLabels": {"app": "web"}}}],
                },
            },
        },
    }


def pod(name: str, command: list[str], **spec: Any) -> dict[str, Any]:  # noqa: ANN401 (parts of a manifest)
    container = {"name": "main", "image": "wherry.local/busybox:1", "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name.partition("-")[0]}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


class Load:
    """Clients on a machine that ask until `end`, which says how they fared."""

    def __init__(self, fleet: Fleet, machine: str, address: str, port: int, host: str = "") -> None:
        command = [sys.executable, "-m", "tests.lab.load", address, str(port), "--rate", RATE, "--host", host]
        inside = fleet.network.inside(machine)
        self._process = subprocess.Popen([*inside, *command], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._said = self._process.stdout
        assert self._said.readline() == "ready\n"

    def end(self) -> dict[str, Any]:
        self._process.send_signal(signal.SIGTERM)
        found: dict[str, Any] = json.loads(self._said.read())
        self._process.wait(10)
        self._said.close()
        return found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Any) -> Iterator[Fleet]:  # noqa: ANN401 (as the one it replaces)
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), NODES, images)
    try:
        fleet.start()
        fleet.write("services.yaml", SERVICES)
        fleet.write("web.yaml", web(1))
        fleet.write("echo.yaml", echo("echo-1"))
        fleet.write("host.yaml", pod("host", ["sleep", "600"], hostNetwork=True, nodeName="a"))
        eventually(lambda: len(fleet.ready_pods("app=web")) == 3, 60, "three ready pods")
        eventually(lambda: fleet.fetch("a", f"http://{address(fleet, 'web')}/"), 20)
        yield fleet
    finally:
        fleet.stop()


def address(fleet: Fleet, name: str) -> str:
    found: str = fleet.get("service", name)["spec"]["clusterIP"]
    return found


def many(fleet: Fleet, machine: str, at: str, port: int, times: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.lab.load", at, str(port), "--times", str(times)]
    found: dict[str, Any] = json.loads(fleet.network_of(machine, command).stdout)
    return found


def echo(name: str) -> dict[str, Any]:
    """A pod that sends each datagram back."""
    program = "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.bind(('', 7007))\n"
    container, volumes = server()
    command = [container["command"][0], "-S", "-c", program + "while True: s.sendto(*s.recvfrom(9000))"]
    kept = {"name": "main", "image": container["image"], "command": command, "volumeMounts": container["volumeMounts"]}
    return pod(name, [], containers=[kept], volumes=volumes)


def datagrams(fleet: Fleet, machine: str, at: str, port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.lab.datagrams", at, str(port)]
    return subprocess.Popen([*fleet.network.inside(machine), *command], stdout=subprocess.PIPE, text=True)


def test_ten_thousand_connections_are_balanced(fleet: Fleet) -> None:
    found = many(fleet, "a", address(fleet, "web"), 80, 10_000)
    assert found["failures"] == []
    counts = found["answers"].values()
    assert len(counts) == 3
    assert sum(counts) == 10_000
    assert all(abs(count - 10_000 / 3) < 6 * 47 for count in counts)  # six standard deviations of 10,000 throws


@pytest.mark.parametrize("node", NODES)
def test_node_ports_and_external_addresses_answer_who_is_outside(fleet: Fleet, node: str) -> None:
    at = fleet.network.address[node]
    assert len(many(fleet, HUB, at, 30080, 100)["answers"]) == 3
    fleet.network_of(HUB, ["ip", "route", "replace", "10.91.0.230", "via", at])
    assert len(many(fleet, HUB, "10.91.0.230", 80, 100)["answers"]) == 3


def test_a_pod_on_the_network_of_its_node_reaches_services(fleet: Fleet) -> None:
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address(fleet, 'web')} 80 | tail -n 1"
    assert fleet.kubectl("exec", "host", "--", "sh", "-c", ask).startswith("web-")


def test_datagrams_find_the_next_endpoint_when_one_has_gone(fleet: Fleet) -> None:
    """The client keeps its port, so that the kernel would go on sending its datagrams to who is not there any more."""
    inside = datagrams(fleet, "a", address(fleet, "echo"), 7)
    outside = datagrams(fleet, HUB, fleet.network.address["c"], 30007)
    for line in ("answered\n", "silent\n", "answered\n"):
        for client in (inside, outside):
            assert client.stdout is not None
            assert client.stdout.readline() == line
        if line == "silent\n":
            fleet.write("echo-2.yaml", echo("echo-2"))
        else:
            (fleet.manifests / "echo.yaml").unlink(missing_ok=True)
    for client in (inside, outside):
        client.communicate(timeout=60)


def test_an_endpoint_that_is_not_ready_any_more_gets_no_connection_and_none_fails(fleet: Fleet) -> None:
    load = Load(fleet, "a", address(fleet, "web"), 80)
    gone = fleet.ready_pods("app=web")[0]["metadata"]["name"]
    fleet.kubectl("exec", gone, "--", "touch", "/tmp/unready")
    eventually(lambda: len(fleet.ready_pods("app=web")) == 2, 20, "one is not ready")
    ready = {one["metadata"]["name"] for one in fleet.ready_pods("app=web")}
    eventually(lambda: set(many(fleet, "a", address(fleet, "web"), 80, 50)["answers"]) == ready, 10)
    found = load.end()
    assert found["failures"] == []
    fleet.kubectl("exec", gone, "--", "rm", "/tmp/unready")
    eventually(lambda: len(fleet.ready_pods("app=web")) == 3, 20, "ready again")


def test_no_request_fails_while_the_deployment_is_rolled_out(fleet: Fleet) -> None:
    loads = [
        Load(fleet, "a", address(fleet, "web"), 80),
        Load(fleet, HUB, fleet.network.address["b"], 30080),
    ]
    before = {one["metadata"]["name"] for one in fleet.pods("app=web")}
    fleet.write("web.yaml", web(2))

    def rolled_out() -> bool:
        names = {one["metadata"]["name"] for one in fleet.pods("app=web")}
        return len(names) == 3 and not names & before and len(fleet.ready_pods("app=web")) == 3

    eventually(rolled_out, 60, "the roll-out")
    for load in loads:
        found = load.end()
        assert found["failures"] == []
        assert sum(found["answers"].values()) > 100
        assert set(found["answers"]) > before


def test_services_work_on_without_the_broker(fleet: Fleet) -> None:
    fleet.kill("broker")
    found = many(fleet, "b", address(fleet, "web"), 80, 200)
    assert (found["failures"], len(found["answers"])) == ([], 3)
    fleet.start_broker()
    eventually(lambda: sorted(fleet.ready_nodes()) == NODES, 40)


def test_connections_go_elsewhere_once_a_node_is_known_to_be_dead(fleet: Fleet) -> None:
    dead = {one["metadata"]["name"] for one in fleet.pods("app=web") if one["spec"]["nodeName"] == "c"}
    fleet.network.cut("c")

    def none_fails() -> bool:
        found = many(fleet, "a", address(fleet, "web"), 80, 30)
        return found["failures"] == [] and not set(found["answers"]) & dead

    eventually(none_fails, 20, "only endpoints that can be reached are asked")
    fleet.network.heal("c")
    eventually(lambda: sorted(fleet.ready_nodes()) == NODES, 40)
