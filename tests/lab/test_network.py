"""The network on real parts: every pod reachable from everywhere, and Services balanced in the kernel."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.lab.fleet import Fleet
from tests.waiting import eventually

WEB = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: wherry.local/busybox:1
          command: [sh, -c, 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
          ports: [{containerPort: 8080, name: http}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
"""
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: http, nodePort: 30080}]
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec:
  selector: {app: web}
  sessionAffinity: ClientIP
  ports: [{port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec:
  selector: {app: nobody}
  ports: [{port: 80}]
"""


class Web:
    """One pod on each node, `pods` by node; `addresses` of the Services by name."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        found = {pod["spec"]["nodeName"]: pod for pod in fleet.ready_pods("app=web")}
        self.pods = {node: pod["metadata"]["name"] for node, pod in found.items()}
        self.pod_ips = {node: pod["status"]["podIP"] for node, pod in found.items()}
        services = fleet.get("services")["items"]
        self.addresses = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in services}

    def from_pod(self, node: str, address: str, port: int) -> str:
        """With `nc`, for busybox' own wget needs libraries that a static one has not."""
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port} | tail -n 1"
        return self.fleet.kubectl("exec", self.pods[node], "--", "sh", "-c", ask).strip()

    def many(self, node: str, url: str, times: int) -> Counter[str]:
        """Who answers a client on that node, connection by connection."""
        loop = f"for i in $(seq {times}); do curl -sS --max-time 5 {url}; done"
        return Counter(self.fleet.network_of(node, ["sh", "-c", loop]).stdout.split())


@pytest.fixture(scope="module")
def web(fleet: Fleet) -> Iterator[Web]:
    fleet.write("web.yaml", WEB)
    fleet.write("services.yaml", SERVICES)
    eventually(lambda: len(fleet.ready_pods("app=web")) == 2, 60, "a ready pod on each node")
    found = Web(fleet)
    for node in fleet.nodes:
        eventually(partial(fleet.fetch, node, f"http://{found.addresses['web']}/"), 20)
    yield found
    fleet.delete("services.yaml")
    fleet.delete("web.yaml")
    fleet.kubectl("delete", "daemonset", "web", "--ignore-not-found")


@pytest.mark.parametrize("client", ["a", "b"])
@pytest.mark.parametrize("server", ["a", "b"])
def test_each_pod_is_reached_from_each_node_and_each_pod(web: Web, client: str, server: str) -> None:
    address = web.pod_ips[server]
    assert web.fleet.fetch(client, f"http://{address}:8080/").strip() == web.pods[server]
    assert web.from_pod(client, address, 8080) == web.pods[server]


def test_a_service_is_balanced_among_the_pods_of_all_nodes(web: Web) -> None:
    answers = web.many("a", f"http://{web.addresses['web']}/", 200)
    assert set(answers) == set(web.pods.values())
    assert min(answers.values()) > 60  # 100 expected; below 60 is more than five standard deviations away


@pytest.mark.parametrize("node", ["a", "b"])
def test_a_pod_reaches_itself_and_others_by_the_service(web: Web, node: str) -> None:
    answers = {web.from_pod(node, web.addresses["web"], 80) for _ in range(12)}
    assert answers == set(web.pods.values())


@pytest.mark.parametrize("node", ["a", "b"])
def test_a_node_port_answers_at_every_node_for_who_is_outside(web: Web, node: str) -> None:
    address = web.fleet.network.address[node]
    answers = web.many("hub", f"http://{address}:30080/", 20)
    assert set(answers) == set(web.pods.values())


def test_a_client_stays_with_its_endpoint(web: Web) -> None:
    eventually(lambda: web.fleet.fetch("a", f"http://{web.addresses['sticky']}/"), 10)
    assert len(web.many("a", f"http://{web.addresses['sticky']}/", 20)) == 1


def test_a_service_without_endpoints_refuses_at_once(web: Web) -> None:
    for address in (web.addresses["nobody"], f"{web.addresses['web']}:81"):
        with pytest.raises(ValueError, match="Couldn't connect"):
            web.fleet.fetch("a", f"http://{address}/")


@pytest.mark.parametrize("node", ["a", "b"])
@pytest.mark.parametrize("name", ["web", "web.default.svc.cluster.local"])
def test_a_pod_finds_the_service_by_its_name(web: Web, node: str, name: str) -> None:
    said = web.fleet.kubectl("exec", web.pods[node], "--", "sh", "-c", f"nslookup {name} || true")
    assert f"Address: {web.addresses['web']}\n" in said.partition("\n\n")[2]


def test_services_work_on_while_the_agent_is_away_and_when_it_is_back(web: Web) -> None:
    url = f"http://{web.addresses['web']}/"
    web.fleet.kill("a")
    assert len(web.many("a", url, 20)) == 2
    web.fleet.start_agent("a")
    eventually(lambda: "the pod network is there" in web.fleet.log("a").rpartition("starts node=a")[2], 30)
    assert len(web.many("a", url, 20)) == 2
