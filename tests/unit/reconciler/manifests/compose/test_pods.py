"""What each key of a service becomes in its pods."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.pods.environment import expand
from reconciler.manifests.compose.pods import meant
from tests.unit.reconciler.manifests.compose.folder import Json, container, errors, made, of_service, pod, project


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("image: a/b:1", {"image": "a/b:1"}, id="image"),
        pytest.param("", {"imagePullPolicy": "IfNotPresent"}, id="pull policy by default"),
        pytest.param("pull_policy: always", {"imagePullPolicy": "Always"}, id="pull always"),
        pytest.param("pull_policy: never", {"imagePullPolicy": "Never"}, id="pull never"),
        pytest.param("pull_policy: missing", {"imagePullPolicy": "IfNotPresent"}, id="pull missing"),
        pytest.param("command: [a, 'b c']", {"args": ["a", "b c"]}, id="command as a list"),
        pytest.param("command: a 'b c' --d=\"e f\"", {"args": ["a", "b c", "--d=e f"]}, id="command as a text"),
        pytest.param("command: [serve, 80, true]", {"args": ["serve", "80", "true"]}, id="command of other values"),
        pytest.param("entrypoint: /a b", {"command": ["/a", "b"]}, id="entrypoint"),
        pytest.param(
            "entrypoint: []\ncommand: [a, b]", {"command": ["a", "b"]}, id="the image's entrypoint taken away"
        ),
        pytest.param("working_dir: /srv", {"workingDir": "/srv"}, id="working directory"),
        pytest.param("tty: true\nstdin_open: yes", {"tty": True, "stdin": True}, id="terminal"),
        pytest.param(
            "environment: {A: 1, B: yes, C: true, D: '', E: 1.5}",
            {
                "env": [
                    {"name": n, "value": v}
                    for n, v in (("A", "1"), ("B", "yes"), ("C", "true"), ("D", ""), ("E", "1.5"))
                ]
            },
            id="variables as a map",
        ),
        pytest.param(
            "environment: [A=1, 'B= x=y ', C=]",
            {"env": [{"name": n, "value": v} for n, v in (("A", "1"), ("B", " x=y "), ("C", ""))]},
            id="variables as a list",
        ),
        pytest.param(
            "ports: ['8080:80', 443, '127.0.0.1:53:53/udp', '0.0.0.0:22:22']",
            {
                "ports": [
                    {"containerPort": 80, "hostPort": 8080},
                    {"containerPort": 443},
                    {"containerPort": 53, "protocol": "UDP", "hostPort": 53, "hostIP": "127.0.0.1"},
                    {"containerPort": 22, "hostPort": 22},
                ]
            },
            id="short ports",
        ),
        pytest.param(
            "ports: [{target: 80, published: '8080', protocol: tcp, mode: host, host_ip: 10.0.0.1}]",
            {"ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "10.0.0.1"}]},
            id="long ports",
        ),
        pytest.param(
            "ports: ['80:80']\nexpose: [80, '90', 100-101/udp]",
            {
                "ports": [
                    {"containerPort": 80, "hostPort": 80},
                    {"containerPort": 90},
                    {"containerPort": 100, "protocol": "UDP"},
                    {"containerPort": 101, "protocol": "UDP"},
                ]
            },
            id="exposed ports",
        ),
        pytest.param(
            "ports: ['80:80', '8080:80']",
            {"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 80, "hostPort": 8080}]},
            id="one port published twice",
        ),
        pytest.param(
            "deploy: {resources: {limits: {cpus: '0.5', memory: 1g}, reservations: {memory: 64M}}}",
            {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "0", "memory": "64Mi"}}},
            id="resources",
        ),
        pytest.param(
            "cpus: 2\nmem_limit: 512m\nmem_reservation: 256m",
            {"resources": {"limits": {"cpu": "2", "memory": "512Mi"}, "requests": {"cpu": "0", "memory": "256Mi"}}},
            id="older keys of resources",
        ),
        pytest.param(
            "healthcheck: {test: [CMD, a, b], interval: 1m, timeout: 500ms, retries: 5, start_period: 40s}",
            {
                "readinessProbe": {
                    "exec": {"command": ["a", "b"]},
                    "periodSeconds": 60,
                    "timeoutSeconds": 1,
                    "failureThreshold": 5,
                }
            },
            id="healthcheck",
        ),
        pytest.param(
            "healthcheck: {test: a || exit 1}",
            {
                "readinessProbe": {
                    "exec": {"command": ["/bin/sh", "-c", "a || exit 1"]},
                    "periodSeconds": 30,
                    "timeoutSeconds": 30,
                    "failureThreshold": 3,
                }
            },
            id="healthcheck as a text",
        ),
        pytest.param(
            "cap_add: [CAP_NET_ADMIN, sys_time]\ncap_drop: [ALL]",
            {"securityContext": {"capabilities": {"add": ["NET_ADMIN", "SYS_TIME"], "drop": ["ALL"]}}},
            id="capabilities",
        ),
        pytest.param("privileged: true", {"securityContext": {"privileged": True}}, id="privileged"),
        pytest.param("read_only: true", {"securityContext": {"readOnlyRootFilesystem": True}}, id="read-only root"),
        pytest.param(
            "user: '1000:50'", {"securityContext": {"runAsUser": 1000, "runAsGroup": 50}}, id="user and group"
        ),
        pytest.param("user: root", {"securityContext": {"runAsUser": 0}}, id="root"),
        pytest.param(
            "security_opt: ['no-new-privileges:true']",
            {"securityContext": {"allowPrivilegeEscalation": False}},
            id="nnp",
        ),
        pytest.param(
            "security_opt: [no-new-privileges, seccomp=unconfined, 'apparmor:unconfined']",
            {
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "seccompProfile": {"type": "Unconfined"},
                    "appArmorProfile": {"type": "Unconfined"},
                }
            },
            id="unconfined",
        ),
        pytest.param(
            "post_start: [{command: [a, b]}]\npre_stop: [{command: c d}]",
            {
                "lifecycle": {
                    "postStart": {"exec": {"command": ["a", "b"]}},
                    "preStop": {"exec": {"command": ["c", "d"]}},
                }
            },
            id="hooks",
        ),
        pytest.param("stop_signal: INT", {"lifecycle": {"stopSignal": "SIGINT"}}, id="stop signal"),
    ],
)
def test_keys_of_the_container(text: str, expected: Json) -> None:
    converted = of_service(text)
    assert errors(converted) == []
    assert container(converted) == container(converted) | expected


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        pytest.param("healthcheck: {disable: true}", "readinessProbe", id="disabled"),
        pytest.param("healthcheck: {test: [NONE]}", "readinessProbe", id="none"),
        pytest.param("user: ''", "securityContext", id="no user"),
        pytest.param("cpus: 0\nmem_limit: 0", "resources", id="no limit"),
        pytest.param("command: null", "args", id="no command"),
        pytest.param("privileged: false\nread_only: 'false'", "securityContext", id="false"),
    ],
)
def test_what_says_nothing_leaves_nothing(text: str, absent: str) -> None:
    converted = of_service(text)
    assert errors(converted) == []
    assert absent not in container(converted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {"enableServiceLinks": False, "automountServiceAccountToken": False}, id="nothing is added"),
        pytest.param("hostname: Web.example.org", {"hostname": "web"}, id="host name"),
        pytest.param(
            "network_mode: host", {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, id="the host's network"
        ),
        pytest.param("pid: host\nipc: host", {"hostPID": True, "hostIPC": True}, id="the host's processes"),
        pytest.param("stop_grace_period: 1m30s", {"terminationGracePeriodSeconds": 90}, id="grace"),
        pytest.param("", {"terminationGracePeriodSeconds": 10}, id="Compose's grace"),
        pytest.param(
            "extra_hosts: ['a:10.0.0.1', 'b=10.0.0.1', 'c:[::1]']",
            {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}, {"ip": "::1", "hostnames": ["c"]}]},
            id="hosts as a list",
        ),
        pytest.param(
            "extra_hosts: {a: 10.0.0.1, b: [10.0.0.2, 10.0.0.3]}",
            {
                "hostAliases": [
                    {"ip": "10.0.0.1", "hostnames": ["a"]},
                    {"ip": "10.0.0.2", "hostnames": ["b"]},
                    {"ip": "10.0.0.3", "hostnames": ["b"]},
                ]
            },
            id="hosts as a map",
        ),
        pytest.param(
            "dns: 1.1.1.1\ndns_search: [lan]\ndns_opt: [use-vc, 'ndots:2']",
            {
                "dnsConfig": {
                    "nameservers": ["1.1.1.1"],
                    "searches": ["lan"],
                    "options": [{"name": "use-vc"}, {"name": "ndots", "value": "2"}],
                }
            },
            id="DNS",
        ),
        pytest.param(
            "sysctls: {net.core.somaxconn: 1024}\ngroup_add: [20, '44']",
            {
                "securityContext": {
                    "supplementalGroups": [20, 44],
                    "sysctls": [{"name": "net.core.somaxconn", "value": "1024"}],
                }
            },
            id="sysctls and groups",
        ),
        pytest.param("stop_signal: SIGQUIT", {"os": {"name": "linux"}}, id="a stop signal needs the system named"),
    ],
)
def test_keys_of_the_pod(text: str, expected: Json) -> None:
    converted = of_service(text)
    assert errors(converted) == []
    assert pod(converted) == pod(converted) | expected


def required(*expressions: tuple[str, str, str]) -> Json:
    terms = [{"key": key, "operator": operator, "values": [value]} for key, operator, value in expressions]
    affinity = {"nodeSelectorTerms": [{"matchExpressions": terms}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": affinity}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("platform: linux/arm64/v8", required(("kubernetes.io/arch", "In", "arm64")), id="platform"),
        pytest.param("platform: aarch64", required(("kubernetes.io/arch", "In", "arm64")), id="architecture"),
        pytest.param(
            "deploy: {placement: {constraints: [node.hostname==pi-1, node.labels.a!=b, node.platform.arch==x86_64]}}",
            required(
                ("kubernetes.io/hostname", "In", "pi-1"),
                ("a", "NotIn", "b"),
                ("kubernetes.io/arch", "In", "amd64"),
            ),
            id="constraints",
        ),
    ],
)
def test_where_pods_may_run(text: str, expected: Json) -> None:
    assert pod(of_service(text))["affinity"] == expected


def test_preferences_spread() -> None:
    (constraint,) = pod(of_service("deploy: {placement: {preferences: [{spread: node.labels.zone}]}}"))[
        "topologySpreadConstraints"
    ]
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == ("zone", "ScheduleAnyway")


# Variables


def test_env_files_lie_below_the_environment_and_later_ones_are_stronger() -> None:
    converted = of_service(
        "env_file:\n  - a.env\n  - {path: b.env, format: raw}\n  - {path: gone.env, required: false}\n"
        "environment: {C: 3, KNOWN: null}",
        files={"a.env": "A=1\nB='1'\nC=1", "b.env": "B='2'", ".env": "KNOWN=k"},
    )
    assert errors(converted) == []
    assert {one["name"]: one["value"] for one in container(converted)["env"]} == {
        "A": "1",
        "B": "'2'",
        "C": "3",
        "KNOWN": "k",
    }


@settings(max_examples=200)
@given(st.text("$()AB x", max_size=14), st.dictionaries(st.sampled_from(["A", "B", "AB"]), st.just("!"), max_size=3))
def test_a_text_means_itself_after_kubernetes_has_expanded_it(text: str, variables: dict[str, str]) -> None:
    assert expand(meant(text, variables), variables) == text


def test_labels_are_annotations_of_the_pods() -> None:
    converted = of_service("labels: [traefik.enable=true, 'a b=1']\nannotations: {c: d}")
    metadata: Any = made(converted, "Deployment")["spec"]["template"]["metadata"]
    assert metadata["annotations"] == {"traefik.enable": "true", "c": "d"}


def test_deploy_labels_are_annotations_of_the_deployment() -> None:
    assert made(of_service("deploy: {labels: {a: b}}"), "Deployment")["metadata"]["annotations"] == {"a": "b"}


def test_names_that_are_none_in_dns_are_made_so_and_told() -> None:
    converted = project("services: {My_App: {image: x}}")
    assert made(converted, "Service", "my-app")
    assert next(fault.message for fault in converted.state.faults) == (
        "the service is named my-app, and reached so: My_App is no name in DNS"
    )
