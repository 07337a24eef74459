"""Sandboxes and containers as the runtime is asked to make them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from nodeagent.pods.containerconfig import Parts, Refusal, container_config
from nodeagent.pods.fieldpaths import PodFacts
from nodeagent.pods.node import Directories, NodeFacts, Resolver, parse_resolver
from nodeagent.pods.sandboxconfig import hosts_file, resolver_of, sandbox_config
from nodeagent.runtime.interface import ContainerConfig, SandboxConfig
from tests.unit.nodeagent.pods.builders import pod
from tests.unit.nodeagent.pods.virtual import START

OWN = Resolver(("10.0.0.53",), ("lan",), ("ndots:1",))
NODE = NodeFacts(name="node-1", addresses=("10.0.0.1",), resolver=OWN, hosts_file="127.0.0.1 localhost")
DIRECTORIES = Directories(Path("/data"), Path("/run/agent"), Path("/logs"))


def sandbox(**spec: Any) -> SandboxConfig:  # noqa: ANN401 - as YAML
    return sandbox_config(PodFacts(pod(**spec), NODE), DIRECTORIES, 0, START)


def made(image_user: str = "", pod_rights: dict[str, Any] | None = None, **fields: Any) -> ContainerConfig:  # noqa: ANN401
    one = pod(containers=[{"name": "main", "image": "app:1", **fields}], securityContext=pod_rights or {})
    container = one.spec.containers[0]
    parts = Parts(
        image="sha256:1",
        image_user=image_user,
        environment={"A": "1"},
        volumes=[Path("/v") / mount.name for mount in container.volume_mounts],
        read_only_volumes=frozenset({"settings"}),
        hosts=Path("/run/agent/hosts"),
        termination_message=Path("/run/agent/message"),
    )
    return container_config(PodFacts(one, NODE), container, 2, parts)


def test_a_resolver_is_read_as_the_c_library_reads_it() -> None:
    text = "# comment\nnameserver 1.1.1.1\nsearch a b\nsearch c d ; more\noptions ndots:2 rotate\nnameserver ::1\n"
    assert parse_resolver(text) == Resolver(("1.1.1.1", "::1"), ("c", "d"), ("ndots:2", "rotate"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, OWN, id="the node's"),
        pytest.param(
            {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["9.9.9.9"]}}, Resolver(("9.9.9.9",)), id="None"
        ),
        pytest.param(
            {"dnsConfig": {"searches": ["x"], "options": [{"name": "ndots", "value": "5"}, {"name": "rotate"}]}},
            Resolver(("10.0.0.53",), ("lan", "x"), ("ndots:5", "rotate")),
            id="merged",
        ),
    ],
)
def test_dns_is_by_policy_and_own_settings(spec: dict[str, Any], expected: Resolver) -> None:
    assert resolver_of(pod(**spec), NODE) == expected


SEARCHES = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan")
CLUSTER = Resolver(("10.244.1.1",), SEARCHES, ("ndots:5",))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, CLUSTER, id="names of the cluster first"),
        pytest.param({"dnsPolicy": "Default"}, OWN, id="Default"),
        pytest.param({"hostNetwork": True}, OWN, id="on the node's network"),
        pytest.param({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER, id="unless asked for"),
    ],
)
def test_where_names_of_the_cluster_are_answered_they_are_asked_for_there(
    spec: dict[str, Any], expected: Resolver
) -> None:
    assert resolver_of(pod(**spec), replace(NODE, cluster_dns="10.244.1.1")) == expected


@pytest.mark.parametrize(
    ("spec", "hostname"),
    [
        pytest.param({}, "web", id="name"),
        pytest.param({"name": "a" * 62 + "-b"}, "a" * 62, id="cut, without the dash at the end"),
        pytest.param({"hostname": "other"}, "other", id="own"),
        pytest.param({"subdomain": "sub"}, "web", id="subdomain"),
        pytest.param(
            {"subdomain": "sub", "setHostnameAsFQDN": True}, "web.sub.default.svc.cluster.local", id="as a full name"
        ),
        pytest.param({"hostNetwork": True}, "", id="host network"),
    ],
)
def test_the_host_name_follows_the_rules(spec: dict[str, Any], hostname: str) -> None:
    assert sandbox(**spec).hostname == hostname


def test_a_sandbox_says_whose_it_is_and_where_its_logs_go() -> None:
    config = sandbox(containers=[{"name": "main", "ports": [{"containerPort": 80, "hostPort": 8080}]}])
    assert config.log_directory == Path("/logs/default_web_u1")
    assert config.labels["io.kubernetes.pod.uid"] == "u1"
    assert config.annotations["wherry.dev/start-time"] == START.isoformat()
    assert config.port_mappings[0].host_port == 8080
    assert not sandbox(
        hostNetwork=True, containers=[{"name": "m", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    ).port_mappings


def test_hosts_name_the_pod_and_its_aliases() -> None:
    one = pod(subdomain="sub", hostAliases=[{"ip": "10.1.1.1", "hostnames": ["printer", "scanner"]}])
    text = hosts_file(PodFacts(one, NODE, ("10.244.0.5",)))
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.244.0.5\tweb.sub.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("10.1.1.1\tprinter\tscanner\n")
    own = hosts_file(PodFacts(pod(hostNetwork=True, hostAliases=[{"ip": "1.1.1.1", "hostnames": ["x"]}]), NODE))
    assert own == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n1.1.1.1\tx\n"


def test_a_container_is_made_as_its_spec_says() -> None:
    config = made(
        args=["--a=$(A)", "$(B)"],
        volumeMounts=[{"name": "settings", "mountPath": "/s"}, {"name": "data", "mountPath": "d"}],
        securityContext={"allowPrivilegeEscalation": False, "runAsUser": 5, "capabilities": {"add": ["NET_ADMIN"]}},
        pod_rights={"runAsUser": 7, "runAsGroup": 8, "fsGroup": 9, "supplementalGroups": [9, 10]},
    )
    assert config.args == ("--a=1", "$(B)")
    assert [(one.container_path, one.read_only) for one in config.mounts] == [
        ("/s", True),
        ("/d", False),
        ("/etc/hosts", False),
        ("/dev/termination-log", False),
    ]
    assert (config.run_as_user, config.run_as_group, config.supplemental_groups) == (5, 8, (9, 10))
    assert config.no_new_privileges
    assert config.add_capabilities == ("NET_ADMIN",)
    assert config.log_path == "main/2.log"


@pytest.mark.parametrize(
    ("user", "image_user", "message"),
    [
        pytest.param(0, "", "container's runAsUser breaks non-root policy", id="asked for"),
        pytest.param(None, "", "container has runAsNonRoot and image will run as root", id="image is root"),
        pytest.param(None, "0:0", "image will run as root", id="image says 0"),
        pytest.param(None, "nginx", "image has non-numeric user (nginx), cannot verify user is non-root", id="a name"),
        pytest.param(None, "101:101", "", id="a number"),
        pytest.param(5, "", "", id="own number"),
    ],
)
def test_a_container_that_must_not_be_root_is_refused_before_it_is_made(
    user: int | None, image_user: str, message: str
) -> None:
    rights: dict[str, Any] = {"runAsNonRoot": True} | ({} if user is None else {"runAsUser": user})
    if not message:
        assert made(image_user, securityContext=rights)
        return
    with pytest.raises(Refusal) as refusal:
        made(image_user, securityContext=rights)
    assert message in str(refusal.value)
    assert '(pod: "web_default(u1)", container: main)' in str(refusal.value)
