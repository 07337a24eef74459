"""Nodes behind a router, with pods of both families: they reach each other through a tunnel, and so do Services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import Fleet
from tests.lab.test_network import WEB, Web
from tests.waiting import eventually

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""
CIDRS = {"clusterCidr": "10.244.0.0/16,fd00:244::/48", "serviceCidr": "10.96.0.0/16,fd00:96::/112"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Web]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), ["a", "b"], images, apart=["b"], reconciler=CIDRS)
    try:
        fleet.start()
        fleet.write("web.yaml", WEB, SERVICE)
        eventually(lambda: len(fleet.ready_pods("app=web")) == 2, 60, "a ready pod on each node")
        found = Web(fleet)
        eventually(lambda: fleet.fetch("a", f"http://{found.pod_ips['b']}:8080/"), 20)
        yield found
    finally:
        fleet.stop()


@pytest.mark.parametrize("client", ["a", "b"])
@pytest.mark.parametrize("server", ["a", "b"])
def test_each_pod_is_reached_from_each_node_and_each_pod(web: Web, client: str, server: str) -> None:
    address = web.pod_ips[server]
    assert web.fleet.fetch(client, f"http://{address}:8080/").strip() == web.pods[server]
    assert web.from_pod(client, address, 8080) == web.pods[server]


def test_a_service_is_balanced_among_the_pods_of_both_nodes(web: Web) -> None:
    assert set(web.many("b", f"http://{web.addresses['web']}/", 40)) == set(web.pods.values())
    assert {web.from_pod("a", web.addresses["web"], 80) for _ in range(12)} == set(web.pods.values())


@pytest.mark.parametrize("client", ["a", "b"])
def test_pods_and_services_have_an_address_of_each_family(web: Web, client: str) -> None:
    for pod in web.fleet.ready_pods("app=web"):
        (address,) = [one["ip"] for one in pod["status"]["podIPs"] if ":" in one["ip"]]
        name = pod["metadata"]["name"]
        eventually(lambda: web.fleet.fetch(client, f"http://[{address}]:8080/").strip(), 20)  # noqa: B023 (at once)
        assert web.fleet.fetch(client, f"http://[{address}]:8080/").strip() == name
        assert web.from_pod(client, address, 8080) == name
    (address,) = [one for one in web.fleet.get("service", "web")["spec"]["clusterIPs"] if ":" in one]
    assert set(web.many(client, f"http://[{address}]/", 40)) == set(web.pods.values())
    assert web.from_pod(client, address, 80) in web.pods.values()
    said = web.fleet.kubectl("exec", web.pods[client], "--", "sh", "-c", "nslookup -type=aaaa web || true")
    assert address in said


def test_packets_of_full_size_pass_through_the_tunnel(web: Web) -> None:
    """The server's answer fills many of them."""
    web.fleet.kubectl("exec", web.pods["b"], "--", "sh", "-c", "head -c 300000 /dev/zero > /tmp/big")
    assert len(web.fleet.fetch("a", f"http://{web.pod_ips['b']}:8080/big")) == 300_000
    ask = f"printf 'GET /big HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {web.pod_ips['b']} 8080 | wc -c"
    assert int(web.fleet.kubectl("exec", web.pods["a"], "--", "sh", "-c", ask)) > 300_000


def test_a_node_whose_address_changes_is_followed(web: Web) -> None:
    """As DHCP may give another one. The agent sees it by itself."""
    fleet = web.fleet
    for change in (["del", f"{fleet.network.address['b']}/24"], ["add", "10.92.0.77/24"]):
        fleet.network_of("b", ["ip", "addr", *change, "dev", "eth0"])
    fleet.network_of("b", ["ip", "route", "replace", "default", "via", "10.92.0.254"])
    eventually(lambda: web.from_pod("a", web.pod_ips["b"], 8080) == web.pods["b"], 30)
    assert fleet.fetch("a", f"http://{web.pod_ips['b']}:8080/").strip() == web.pods["b"]
