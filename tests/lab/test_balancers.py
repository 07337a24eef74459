"""Addresses of balancers on real parts: given out, answered for by one node, and moved when it dies."""

import json
from collections.abc import Iterator

import pytest

from tests.lab.fleet import Fleet
from tests.lab.network import HUB
from tests.lab.test_network import WEB
from tests.waiting import eventually

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: balanced}
spec:
  type: LoadBalancer
  loadBalancerIP: 10.91.0.207
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: local}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""
ADDRESS = "10.91.0.207"


@pytest.fixture(scope="module")
def balanced(fleet: Fleet) -> Iterator[Fleet]:
    fleet.write("web.yaml", WEB)
    fleet.write("services.yaml", SERVICES)
    eventually(lambda: len(fleet.ready_pods("app=web")) == 2, 60, "a ready pod on each node")
    yield fleet
    fleet.delete("services.yaml")
    fleet.delete("web.yaml")
    fleet.kubectl("delete", "daemonset", "web", "--ignore-not-found")


def owner(fleet: Fleet, address: str) -> str:
    """The node that the hub's kernel has learnt to send to."""
    (entry,) = json.loads(fleet.network_of(HUB, ["ip", "-json", "neigh", "show", address]).stdout)
    hardware = {
        json.loads(fleet.network_of(node, ["ip", "-json", "link", "show", "eth0"]).stdout)[0]["address"]: node
        for node in fleet.nodes
    }
    return hardware[entry["lladdr"]]


def given(fleet: Fleet, name: str) -> str:
    found: str = fleet.get("service", name)["status"]["loadBalancer"]["ingress"][0]["ip"]
    return found


def health(fleet: Fleet, node: str) -> str:
    port = fleet.get("service", "local")["spec"]["healthCheckNodePort"]
    command = ["curl", "-s", "--max-time", "5", "-w", "%{http_code}", f"http://{fleet.network.address[node]}:{port}/"]
    return fleet.network_of(HUB, command).stdout


def test_who_is_outside_reaches_the_service_at_the_address_asked_for(balanced: Fleet) -> None:
    pods = {pod["metadata"]["name"] for pod in balanced.ready_pods("app=web")}
    eventually(lambda: balanced.fetch(HUB, f"http://{ADDRESS}/").strip() in pods, 20)
    assert given(balanced, "balanced") == ADDRESS
    answers = {balanced.fetch(HUB, f"http://{ADDRESS}/").strip() for _ in range(20)}
    assert answers == pods
    assert "10.91.0.207" in balanced.kubectl("get", "service", "balanced")


def test_a_port_that_the_service_does_not_have_is_refused_at_its_address(balanced: Fleet) -> None:
    eventually(lambda: balanced.fetch(HUB, f"http://{ADDRESS}/"), 20)
    with pytest.raises(ValueError, match="Couldn't connect"):
        balanced.fetch(HUB, f"http://{ADDRESS}:81/")


def test_under_the_local_policy_the_client_is_seen_and_the_node_says_that_it_has_endpoints(balanced: Fleet) -> None:
    address = eventually(lambda: given(balanced, "local"), 20)
    eventually(lambda: balanced.fetch(HUB, f"http://{address}/"), 20)
    here = owner(balanced, address)
    pods = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in balanced.ready_pods("app=web")}
    assert {balanced.fetch(HUB, f"http://{address}/").strip() for _ in range(10)} == {pods[here]}
    assert all('"localEndpoints": 1' in health(balanced, node) for node in balanced.nodes)
    assert health(balanced, here).endswith("200")


def test_the_address_moves_when_its_node_dies_and_is_given_back(balanced: Fleet) -> None:
    eventually(lambda: balanced.fetch(HUB, f"http://{ADDRESS}/"), 20)
    first = owner(balanced, ADDRESS)
    balanced.network.cut(first)
    (other,) = {*balanced.nodes} - {first}
    pod = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in balanced.pods("app=web")}[other]
    eventually(lambda: balanced.fetch(HUB, f"http://{ADDRESS}/").strip() == pod, 30, "the other node answers")
    assert owner(balanced, ADDRESS) == other
    balanced.network.heal(first)
    eventually(lambda: owner(balanced, ADDRESS) == first and balanced.fetch(HUB, f"http://{ADDRESS}/"), 40)
