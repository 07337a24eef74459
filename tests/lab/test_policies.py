"""Who may reach whom, tried on real pods of two nodes: a table of NetworkPolicies, and of the connections they leave.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from tests.lab.fleet import Fleet
from tests.lab.network import HUB
from tests.waiting import eventually

PODS = {"one/a": "a", "one/b": "b", "two/a": "b", "two/c": "a"}
"""Namespace and app label, and the node."""
HELD = "one/a"
"""The pod that the policies of the table hold."""
OTHERS = ["one/b", "two/a", "two/c"]
OUTSIDE = "outside"
FIRST, SECOND = 8080, 8081
ALL = {(other, port) for other in OTHERS for port in (FIRST, SECOND)}
EVERYONE = ALL | {(OUTSIDE, FIRST), (OUTSIDE, SECOND)}


def pod(name: str, node: str) -> dict[str, Any]:
    namespace, app = name.split("/")
    serve = f"httpd -p {FIRST} -h /tmp && exec httpd -f -p {SECOND} -h /tmp"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": app, "namespace": namespace, "labels": {"app": app}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "main",
                    "image": "wherry.local/busybox:1",
                    "command": ["sh", "-c", serve],
                    "ports": [{"containerPort": FIRST, "name": "first"}],
                    "readinessProbe": {"tcpSocket": {"port": SECOND}, "periodSeconds": 1},
                }
            ],
        },
    }


class Pods:
    """The addresses of the pods, and connections from them, made in their network namespaces."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.addresses: dict[str, str] = {}
        self._inside: dict[str, list[str]] = {OUTSIDE: fleet.network.inside(HUB)}
        for name in PODS:
            namespace, app = name.split("/")
            found = fleet.get("pod", app, "-n", namespace)
            self.addresses[name] = found["status"]["podIP"]
            container = found["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
            process = fleet.running(PODS[name])[container]
            self._inside[name] = ["nsenter", f"--target={process}", "--net"]

    def reaches(self, client: str, server: str, port: int) -> bool:
        url = f"http://{self.addresses[server]}:{port}/nothing"
        command = ["curl", "-s", "-o", "/dev/null", "--connect-timeout", "0.5", url]
        return subprocess.run([*self._inside[client], *command]).returncode == 0

    def who_reaches(self, server: str) -> set[tuple[str, int]]:
        return self._those([(one, server, port) for one in [*OTHERS, OUTSIDE] for port in (FIRST, SECOND)], True)

    def reached_by(self, client: str) -> set[tuple[str, int]]:
        return self._those([(client, one, port) for one in OTHERS for port in (FIRST, SECOND)], False)

    def _those(self, asked: list[tuple[str, str, int]], inward: bool) -> set[tuple[str, int]]:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: self.reaches(*one), asked))
        reached = [one for one, answer in zip(asked, answers, strict=True) if answer]
        return {(client if inward else server, port) for client, server, port in reached}


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Iterator[Pods]:
    for namespace in ("one", "two"):
        fleet.write(
            f"{namespace}.yaml",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {"team": namespace}}},
            *(pod(name, node) for name, node in PODS.items() if name.startswith(namespace)),
        )
    eventually(lambda: sum(len(fleet_ready(fleet, one)) for one in ("one", "two")) == len(PODS), 60, "all pods ready")
    for node in fleet.get("nodes")["items"]:  # who is outside needs a way to the pods
        way = fleet.network.address[node["metadata"]["name"]]
        fleet.network_of(HUB, ["ip", "route", "replace", node["spec"]["podCIDR"], "via", way])
    found = Pods(fleet)
    eventually(lambda: found.who_reaches(HELD) == EVERYONE, 20, "everyone reaches everyone")
    yield found
    for namespace in ("one", "two"):
        fleet.delete(f"{namespace}.yaml")
        fleet.kubectl("delete", "namespace", namespace, "--ignore-not-found")


def fleet_ready(fleet: Fleet, namespace: str) -> list[Any]:
    found = fleet.get("pods", "-n", namespace)["items"]
    return [
        one
        for one in found
        if any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", []))
    ]


def policy(spec: str, name: str = "p") -> dict[str, Any]:
    held = {"podSelector": {"matchLabels": {"app": "a"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "one"},
        "spec": held | yaml.safe_load(spec),
    }


def both(*names: str) -> set[tuple[str, int]]:
    return {(name, port) for name in names for port in (FIRST, SECOND)}


INGRESS = [
    pytest.param("{policyTypes: [Ingress]}", set(), id="deny all"),
    pytest.param("{ingress: [{}]}", EVERYONE, id="allow all"),
    pytest.param("{ingress: [{from: [{podSelector: {}}]}]}", both("one/b"), id="its own namespace"),
    pytest.param("{ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}", both("one/b"), id="a pod"),
    pytest.param("{ingress: [{from: [{podSelector: {matchLabels: {app: c}}}]}]}", set(), id="no pod of another"),
    pytest.param("{ingress: [{from: [{namespaceSelector: {}}]}]}", ALL, id="all namespaces"),
    pytest.param(
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}}]}]}",
        both("two/a", "two/c"),
        id="a namespace",
    ),
    pytest.param(
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}, podSelector: {matchLabels: {app: c}}}]}]}",
        both("two/c"),
        id="a pod of a namespace",
    ),
    pytest.param(
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}}, {podSelector: {}}]}]}",
        ALL,
        id="either of two",
    ),
    pytest.param(
        "{ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [two]}]}}]}]}",
        both("one/b"),
        id="by expression",
    ),
    pytest.param("{ingress: [{ports: [{port: 8080}]}]}", {one for one in EVERYONE if one[1] == FIRST}, id="a port"),
    pytest.param("{ingress: [{ports: [{port: first}]}]}", {one for one in EVERYONE if one[1] == FIRST}, id="by name"),
    pytest.param("{ingress: [{ports: [{port: 8080, endPort: 8081}]}]}", EVERYONE, id="a range of ports"),
    pytest.param("{ingress: [{ports: [{protocol: UDP, port: 8080}]}]}", set(), id="not by another protocol"),
    pytest.param(
        "{ingress: [{ports: [{port: 8081}], from: [{podSelector: {}}]}]}", {("one/b", SECOND)}, id="a port for some"
    ),
    pytest.param(
        "{ingress: [{ports: [{port: 8081}], from: [{podSelector: {}}]}, {ports: [{port: 8080}]}]}",
        {one for one in EVERYONE if one[1] == FIRST} | {("one/b", SECOND)},
        id="two rules",
    ),
    pytest.param("{ingress: [{from: [{ipBlock: {cidr: 10.91.0.0/24}}]}]}", both(OUTSIDE), id="addresses outside"),
    pytest.param("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}", EVERYONE, id="addresses of pods too"),
    pytest.param(
        "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.91.0.0/16]}}]}]}", ALL, id="less some addresses"
    ),
    pytest.param("{policyTypes: [Egress]}", EVERYONE, id="nothing said of what comes in"),
]

EGRESS = [
    pytest.param("{policyTypes: [Egress]}", set(), id="deny all"),
    pytest.param("{policyTypes: [Egress], egress: [{}]}", ALL, id="allow all"),
    pytest.param("{policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}", both("one/b"), id="its own namespace"),
    pytest.param(
        "{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: two}}}]}]}",
        both("two/a", "two/c"),
        id="a namespace",
    ),
    pytest.param(
        "{policyTypes: [Egress], egress: [{ports: [{port: 8080}]}]}",
        {one for one in ALL if one[1] == FIRST},
        id="a port",
    ),
    pytest.param(
        "{policyTypes: [Egress], egress: [{ports: [{port: first}], to: [{podSelector: {}}]}]}",
        {("one/b", FIRST)},
        id="a port by the name it has there",
    ),
    pytest.param("{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.244.0.0/16}}]}]}", ALL, id="addresses"),
    pytest.param("{policyTypes: [Ingress]}", ALL, id="nothing said of what goes out: replies pass"),
]


@pytest.mark.parametrize(("spec", "expected"), INGRESS)
def test_who_may_come_in(pods: Pods, spec: str, expected: set[tuple[str, int]]) -> None:
    """Eight connections a policy: three pods and a client outside, to two ports. The other pods stay open."""
    pods.fleet.write("policy.yaml", policy(spec))
    try:
        eventually(lambda: pods.who_reaches(HELD) == expected, 15)
        eventually(lambda: pods.reaches("two/c", "one/b", FIRST), 15)
    finally:
        pods.fleet.delete("policy.yaml")


@pytest.mark.parametrize(("spec", "expected"), EGRESS)
def test_where_it_may_go(pods: Pods, spec: str, expected: set[tuple[str, int]]) -> None:
    """Six connections a policy: to three pods, at two ports."""
    pods.fleet.write("policy.yaml", policy(spec))
    try:
        eventually(lambda: pods.reached_by(HELD) == expected, 15)
        eventually(lambda: pods.reaches("one/b", "two/c", FIRST), 15)
    finally:
        pods.fleet.delete("policy.yaml")


def test_what_one_of_two_policies_lets_pass_passes(pods: Pods) -> None:
    allowing = "{ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}"
    pods.fleet.write("policy.yaml", policy("{policyTypes: [Ingress]}"), policy(allowing, "q"))
    try:
        eventually(lambda: pods.who_reaches(HELD) == both("one/b"), 15)
    finally:
        pods.fleet.delete("policy.yaml")


def test_a_guarded_pod_is_still_probed_and_when_the_policies_are_gone_all_pass_again(pods: Pods) -> None:
    pods.fleet.write("policy.yaml", policy("{policyTypes: [Ingress, Egress]}"))
    eventually(lambda: pods.who_reaches(HELD) == set(), 15)
    assert len(fleet_ready(pods.fleet, "one")) == 2
    assert pods.fleet.network_of("a", ["curl", "-s", f"{pods.addresses[HELD]}:{FIRST}/nothing"]).returncode == 0
    pods.fleet.delete("policy.yaml")
    pods.fleet.kubectl("delete", "networkpolicy", "p", "-n", "one", "--ignore-not-found")
    eventually(lambda: pods.who_reaches(HELD) == EVERYONE, 15)
