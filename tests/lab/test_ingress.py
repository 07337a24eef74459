"""Ingresses on real parts: HAProxy on each node, asked from outside, in front of pods on two."""

import base64
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nodeagent.ingress.proxy import master_of
from tests.lab.answering import server
from tests.lab.fleet import Fleet
from tests.lab.network import HUB
from tests.lab.test_services import Load
from tests.waiting import eventually

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  clusterIP: None
  selector: {app: api}
  ports: [{port: 8080, targetPort: http, name: http}]
"""


def ingress(*hosts: str) -> dict[str, Any]:
    web = {"service": {"name": "web", "port": {"number": 80}}}
    api = {"service": {"name": "api", "port": {"name": "http"}}}
    paths = [
        {"path": "/", "pathType": "Prefix", "backend": web},
        {"path": "/api", "pathType": "Prefix", "backend": api},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "site"},
        "spec": {
            "ingressClassName": "wherry",
            "tls": [{"hosts": ["secure.example"], "secretName": "secure"}],
            "rules": [
                *({"host": host, "http": {"paths": paths}} for host in ("shop.example", "secure.example", *hosts)),
                {"host": "gone.example", "http": {"paths": [paths[0] | {"backend": nowhere()}]}},
            ],
        },
    }


def nowhere() -> dict[str, Any]:
    return {"service": {"name": "nowhere", "port": {"number": 80}}}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    container, volumes = server()
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0},
            },
        },
    }


def secret(directory: Path) -> dict[str, Any]:
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=secure.example"]
    command += ["-addext", "subjectAltName=DNS:secure.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    data = {"tls.crt": certificate, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "secure"},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in data.items()},
    }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), ["a", "b"], images, agent={"ingress": {}})
    try:
        fleet.start()
        fleet.write("web.yaml", SERVICES, deployment("web", 2), deployment("api", 1))
        fleet.write("ingress.yaml", ingress(), secret(fleet.directory))
        eventually(lambda: len(fleet.ready_pods()) == 3, 60, "three ready pods")
        eventually(lambda: asked(fleet, "shop.example", "/").startswith("web-"), 20)
        eventually(lambda: asked(fleet, "shop.example", "/api").startswith("api-"), 20)
        yield fleet
    finally:
        fleet.stop()


def _serves(fleet: Fleet, host: str) -> bool:
    return asked(fleet, host, "/").startswith("web-")


def asked(fleet: Fleet, host: str, path: str, *options: str, scheme: str = "http", code: bool = False) -> str:
    """What who is outside gets."""
    port = 443 if scheme == "https" else 80
    command = ["curl", "-sS", "--max-time", "5", "--resolve", f"{host}:{port}:{fleet.network.address['a']}", *options]
    command += ["-o", "/dev/null", "-w", "%{http_code}"] if code else []
    return fleet.network_of(HUB, [*command, f"{scheme}://{host}{path}"]).stdout


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("shop.example", "/", "web-", id="the root"),
        pytest.param("SHOP.example", "/deep/er?x=1", "web-", id="whatever the case of the host"),
        pytest.param("shop.example", "/api", "api-", id="a prefix, to a headless Service"),
        pytest.param("shop.example", "/api/v1", "api-", id="below a prefix"),
        pytest.param("shop.example", "/apiary", "web-", id="a prefix ends with an element"),
    ],
)
def test_host_and_path_decide_which_service_answers(fleet: Fleet, host: str, path: str, expected: str) -> None:
    assert asked(fleet, host, path).startswith(expected)


@pytest.mark.parametrize(("host", "expected"), [("other.example", "404"), ("gone.example", "503")])
def test_what_leads_nowhere_is_said(fleet: Fleet, host: str, expected: str) -> None:
    assert asked(fleet, host, "/", code=True) == expected


def test_all_endpoints_answer(fleet: Fleet) -> None:
    assert len({asked(fleet, "shop.example", "/") for _ in range(20)}) == 2


def test_https_has_the_certificate_of_its_secret(fleet: Fleet) -> None:
    trust = ("--cacert", str(fleet.directory / "certificate.pem"))
    assert asked(fleet, "secure.example", "/", *trust, scheme="https").startswith("web-")


def test_an_upgraded_connection_goes_both_ways(fleet: Fleet) -> None:
    question = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    talk = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], 80), 5); s.sendall(sys.argv[2].encode());"
        "print(s.recv(4096).split()[1].decode()); s.sendall(b'to and fro'); print(s.recv(100).decode())"
    )
    said = fleet.network_of(HUB, ["python3", "-c", talk, fleet.network.address["a"], question])
    assert said.stdout.split("\n") == ["101", "to and fro", ""], said.stderr


def test_its_status_tells_where_it_is_served(fleet: Fleet) -> None:
    (found,) = fleet.get("ingress")["items"]
    addresses = sorted(fleet.network.address[node] for node in fleet.nodes)
    assert [one["ip"] for one in found["status"]["loadBalancer"]["ingress"]] == addresses
    assert "shop.example" in fleet.kubectl("get", "ingress", "site")


def test_no_request_fails_while_the_proxy_takes_on_what_is_new(fleet: Fleet) -> None:
    fleet.write("any.yaml", ingress("any.example") | {"metadata": {"name": "any"}})
    eventually(lambda: asked(fleet, "any.example", "/").startswith("web-"), 20)
    load = Load(fleet, HUB, fleet.network.address["a"], 80, host="shop.example")
    for number in range(5):
        host = f"new{number}.example"
        fleet.write("ingress.yaml", ingress(host), secret(fleet.directory))
        eventually(partial(_serves, fleet, host), 20)
    found = load.end()
    assert found["failures"] == []
    assert set(name.partition("-")[0] for name in found["answers"]) == {"web"}
    fleet.delete("any.yaml")


def test_it_is_served_while_the_agent_is_away_and_when_the_proxy_was_killed(fleet: Fleet) -> None:
    fleet.kill("a")
    assert asked(fleet, "shop.example", "/").startswith("web-")
    fleet.start_agent("a")
    directory = fleet.directory / "a" / "run" / "ingress"
    before = eventually(lambda: master_of(directory), 20)
    eventually(lambda: "the pod network is there" in fleet.log("a").rpartition("starts node=a")[2], 30)
    subprocess.run(["kill", "-9", str(before)], check=True)
    eventually(lambda: master_of(directory) not in (None, before), 20, "another proxy")
    eventually(lambda: asked(fleet, "shop.example", "/").startswith("web-"), 20)


def test_a_certificate_without_its_key_is_told_and_hurts_nothing_else(fleet: Fleet) -> None:
    wrong = secret(fleet.directory)
    wrong["data"]["tls.key"] = secret(fleet.directory)["data"]["tls.key"]
    fleet.write("ingress.yaml", ingress("last.example"), wrong)
    eventually(lambda: asked(fleet, "last.example", "/").startswith("web-"), 20)
    eventually(lambda: "https of secure.example is not served" in fleet.kubectl("get", "events", "-A"), 20)


def test_cleaning_up_ends_the_proxy(fleet: Fleet) -> None:
    fleet.terminate("a")
    master = master_of(fleet.directory / "a" / "run" / "ingress")
    assert master is not None
    fleet.clean_up("a")
    eventually(lambda: not Path(f"/proc/{master}").exists(), 20)
