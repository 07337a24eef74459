"""What has no counterpart, and what is wrong, is told at its line and key, with what to do."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose.keys import KEYS, Key
from reconciler.manifests.compose.project import convert
from tests.unit.reconciler.manifests.compose.folder import errors, of_service, project, said, source, warnings

AT_TOP = "networks: {n: {}}\nvolumes: {v: {}}\nsecrets: {s: {environment: A}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("build: .", "build: images are not built here; {}; {} has to be", id="build and image"),
        pytest.param("container_name: My.Web", "container_name: it is reached as my-web", id="container name"),
        pytest.param("restart: on-failure", "restart: a Deployment always restarts", id="restart"),
        pytest.param("restart: no", "restart: a Deployment always restarts", id="no restart"),
        pytest.param("healthcheck: {interval: 3s}", "healthcheck: the image's own health check", id="no test"),
        pytest.param("pull_policy: build", "pull_policy: images are not built here", id="pull policy build"),
        pytest.param("pull_policy: every_12h", "pull_policy: no image is pulled by the clock", id="pull by the clock"),
        pytest.param("extra_hosts: ['h:host-gateway']", "extra_hosts[0]: h is left out", id="host-gateway"),
        pytest.param("devices: [/dev/x]", "devices[0]: /dev/x is there, but may stay closed", id="device"),
        pytest.param("volumes: [/a]", "volumes[0]: /a starts empty", id="anonymous volume"),
        pytest.param("volumes: ['/run/docker.sock:/a']", "volumes[0]: /run/docker.sock is Docker's", id="Docker"),
        pytest.param("ports: ['80']", "ports[0]: 80 has no fixed port of the host", id="port without one of the host"),
        pytest.param(
            "network_mode: host\nports: ['8080:80']", "ports[0]: with `network_mode: host` nothing", id="ports"
        ),
        pytest.param("environment: [A]", "environment: A has no value", id="variable without a value"),
        pytest.param("labels: {'a b': c}", "labels: a b is left out", id="label"),
        pytest.param("hostname: a_b", "hostname: the host name is a-b", id="host name"),
        pytest.param("security_opt: ['label:disable']", "security_opt[0]: labels of SELinux", id="SELinux"),
        pytest.param("networks: {n: {ipv4_address: 10.0.0.2}}", "networks.n.ipv4_address: a pod gets", id="address"),
        pytest.param("init: true", "init: no init process", id="init"),
        pytest.param("ulimits: {nofile: 1024}", "ulimits: Kubernetes has no such field", id="ulimits"),
        pytest.param("logging: {driver: x}", "logging: logs are kept", id="logging"),
        pytest.param("deploy: {update_config: {delay: 10s}}", "deploy.update_config.delay: pods are", id="delay"),
        pytest.param(
            "deploy: {restart_policy: {window: 1s}}", "deploy.restart_policy.window: the back-off", id="window"
        ),
    ],
)
def test_what_has_another_effect_is_a_warning(text: str, expected: str) -> None:
    text = f"image: nginx\n{text}"
    converted = of_service(text, rest=AT_TOP, files={".env": "A2=1"})
    assert [error for error in errors(converted) if "secrets." not in error] == []
    start = expected.partition("{}")[0]
    assert any(found.startswith(f"services.web.{start}") for found in warnings(converted)), warnings(converted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("image: ''\nbuild: .", "build: images are not built here; build and push it", id="build"),
        pytest.param("image: null", "`image` is missing", id="no image"),
        pytest.param("imgae: x", "imgae: unknown key: did you mean `image`?", id="misspelt key"),
        pytest.param("nonsense: x", "nonsense: unknown key: an own key has to begin with `x-`", id="unknown key"),
        pytest.param("deploy: {replica: 1}", "deploy.replica: unknown key: did you mean `replicas`?", id="below"),
        pytest.param("ports: [{targt: 1}]", "ports[0].targt: unknown key: did you mean `target`?", id="in a list"),
        pytest.param("ports: ['a:b']", "ports[0]: expected [[IP:]HOST:]CONTAINER[/PROTOCOL]", id="port"),
        pytest.param("ports: {a: b}", "ports: expected a list, found a map", id="map for a list"),
        pytest.param("ports: [{published: 1}]", "ports[0]: `target` is missing", id="no target"),
        pytest.param("expose: [x]", "expose[0]: expected a port or a range", id="exposed port"),
        pytest.param("environment: x", "environment: expected a map, or a list of NAME=value", id="text for a map"),
        pytest.param("environment: {A: [1]}", "environment.A: expected one value, found a list", id="list for a value"),
        pytest.param("env_file: gone.env", "env_file: gone.env is not in the folder", id="no env file"),
        pytest.param("user: postgres", "user: 'postgres' is known inside the image only", id="user by name"),
        pytest.param("group_add: [video]", "group_add[0]: the group 'video' has another number", id="group by name"),
        pytest.param("network_mode: none", "network_mode: a pod is always on the network", id="no network"),
        pytest.param("network_mode: service:db", "network_mode: service:db needs both in one pod", id="shared network"),
        pytest.param("pid: service:db", "pid: service:db needs both in one pod", id="shared processes"),
        pytest.param("platform: windows/amd64", "platform: nodes run Linux", id="platform"),
        pytest.param("deploy: {mode: globl}", "deploy.mode: expected replicated, global or replicated-job", id="mode"),
        pytest.param("deploy: {replicas: -1}", "deploy.replicas: expected a number from 0 on", id="replicas"),
        pytest.param("deploy: {replicas: 1}\nscale: 2", "scale: differs from deploy.replicas (1)", id="both"),
        pytest.param(
            "deploy: {placement: {constraints: [node.role==manager]}}",
            "deploy.placement.constraints[0]: node.role is nothing",
            id="role",
        ),
        pytest.param(
            "deploy: {resources: {reservations: {devices: [{}]}}}",
            "deploy.resources.reservations.devices: GPUs",
            id="GPU",
        ),
        pytest.param("mem_limit: lots", "mem_limit: expected a size such as 512m", id="size"),
        pytest.param("cpus: x", "cpus: expected a number of CPUs", id="CPUs"),
        pytest.param("stop_grace_period: 10", "stop_grace_period: expected a duration", id="duration"),
        pytest.param("privileged: maybe", "privileged: expected true or false, found 'maybe'", id="boolean"),
        pytest.param('command: "echo \'a"', "command: the text is no command", id="command"),
        pytest.param("healthcheck: {test: [a]}", "healthcheck.test: expected a list that begins with CMD", id="test"),
        pytest.param("restart: sometimes", "restart: expected no, always, on-failure", id="restart"),
        pytest.param("pull_policy: often", "pull_policy: expected always, never or missing", id="pull policy"),
        pytest.param(
            "security_opt: [credentialspec=x]", "security_opt[0]: 'credentialspec' is no security option", id="option"
        ),
        pytest.param("extra_hosts: [a]", "extra_hosts[0]: expected NAME:ADDRESS", id="host"),
        pytest.param("depends_on: [gone]", "depends_on.gone: there is no service 'gone'", id="dependency"),
        pytest.param("depends_on: {web2: {condition: ready}}", "depends_on.web2: there is no", id="dependency, long"),
        pytest.param("networks: [gone]", "networks: there is no network 'gone'", id="network"),
        pytest.param("volumes: ['gone:/a']", "volumes[0]: there is no volume 'gone'", id="volume"),
        pytest.param("volumes: ['a/b:/a']", "volumes[0]: there is no volume 'a/b'; begin a path with ./", id="path"),
        pytest.param("volumes: ['~/a:/a']", "volumes[0]: ~/a is in a person's home", id="home"),
        pytest.param("volumes: ['../../a:/a']", "volumes[0]: ../../a leads out of the folder", id="outside"),
        pytest.param("volumes: ['./a.conf:/a']", "volumes[0]: ./a.conf is not in the folder", id="file"),
        pytest.param("volumes: ['./a:/a:ro']", "volumes[0]: ./a is not in the folder", id="nothing to read"),
        pytest.param("volumes: ['/a:b']", "volumes[0]: expected an absolute path in the container", id="target"),
        pytest.param("volumes: [/a, 'v:/a/']", "volumes[1]: /a is mounted twice", id="twice"),
        pytest.param("volumes: [{source: v, target: /a}]", "volumes[0]: `type` is missing", id="no type"),
        pytest.param(
            "volumes: [{type: npipe, target: /a}]", "volumes[0].type: expected volume, bind or tmpfs", id="type"
        ),
        pytest.param("secrets: [gone]", "secrets[0]: there is none of 'gone' in `secrets`", id="secret"),
        pytest.param(
            "secrets: [{source: s, mode: '9'}]",
            "secrets[0].mode: expected a mode from 0000 to 0777, found 9",
            id="mode",
        ),
        pytest.param("external_links: [a]", "external_links: containers outside", id="external links"),
        pytest.param("post_start: [{command: a}, {command: b}]", "post_start: a container has one hook", id="hooks"),
        pytest.param("runtime: kata", "runtime: pods run on the node's default runtime", id="runtime"),
        pytest.param("gpus: all", "gpus: GPUs and other devices", id="GPUs"),
    ],
)
def test_what_would_not_work_is_an_error_of_its_service(text: str, expected: str) -> None:
    converted = of_service(text, rest=AT_TOP, files={".env": "A=1"})
    found = errors(converted)
    want = f"services.web: {expected}" if expected.startswith("`") else f"services.web.{expected}"
    assert any(one.startswith(want) for one in found), found
    assert {one["kind"] for one in converted.documents} & {"Deployment", "Service"} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("servces: {}", "servces: unknown key: did you mean `services`?", id="misspelt"),
        pytest.param("services: [a]", "services: expected a map, found a list", id="services as a list"),
        pytest.param("services: {web: x}", "services.web: expected a map, found 'x'", id="a service that is none"),
        pytest.param("x-a: 1", ": there is no service in it", id="no services"),
        pytest.param("volumes: {v: {driver: nfs}}", "volumes.v.driver: the volume driver nfs is Docker's", id="driver"),
        pytest.param("volumes: {v: {driver_opts: {type: nfs}}}", "volumes.v.driver_opts: mounts by a", id="options"),
        pytest.param("volumes: {v: {x-wherry: {sise: 1}}}", "volumes.v.x-wherry.sise: unknown key", id="own key"),
        pytest.param(
            "secrets: {s: {}}", "secrets.s: expected one of `file`, `environment` and `external`", id="secret"
        ),
        pytest.param("secrets: {s: {file: gone}}", "secrets.s.file: gone is not in the folder", id="secret's file"),
        pytest.param("secrets: {s: {file: ../../x}}", "secrets.s.file: ../../x is outside of the folder", id="outside"),
        pytest.param(
            "secrets: {s: {environment: E}}", "secrets.s.environment: the variable E is not set", id="variable"
        ),
        pytest.param("configs: {c: {file: a, content: b}}", "configs.c: expected one of", id="two sources"),
        pytest.param("configs: {c: {external: true, content: b}}", "configs.c.content: what is external", id="both"),
        pytest.param("models: {m: {model: x}}", "models: language models are not provided", id="models"),
        pytest.param("x-wherry: {namspace: a}", "x-wherry.namspace: unknown key", id="project's own key"),
    ],
)
def test_what_is_wrong_at_the_top_is_told(text: str, expected: str) -> None:
    rest = "" if text.startswith(("serv", "x-a")) else "services: {web: {image: x}}\n"
    found = errors(project(f"{rest}{text}\n"))
    assert any(one.startswith(expected) for one in found), found


def test_what_is_too_large_for_an_object_is_told() -> None:
    converted = of_service("volumes: ['./big:/big:ro']", files={"big/a": "x" * 700_000, "big/b": "x" * 700_000})
    assert "shop/big has 1400000 bytes, more than the 1048576 allowed; build it into the image" in errors(converted)[0]
    many = of_service("volumes: ['./many:/many:ro']", files={f"many/{n}": "x" for n in range(501)})
    assert "shop/many has more than 500 files" in errors(many)[0]


def test_a_fault_stands_at_the_line_of_its_key() -> None:
    converted = project(
        "services:\n  web:\n    image: x\n\n    ports:\n      - 80:80\n      - what\n    init:\n      true\n"
        "volumes:\n  v:\n    driver_opts:\n      type: nfs\n"
    )
    assert [line.split(": ")[0] for line in said(converted)] == [
        "warning shop/compose.yaml:8 services.web.init",
        "error shop/compose.yaml:12 volumes.v.driver_opts",
        "error shop/compose.yaml:7 services.web.ports[0]".replace("[0]", "[1]"),
    ]


@pytest.mark.parametrize("key", [key for key in KEYS if key.does != "carried"], ids=lambda key: key.path)
def test_every_key_without_a_counterpart_is_named(key: Key) -> None:
    *parents, last = key.path.split(".")
    text = f"{{{last}: [1]}}"
    for parent in reversed(parents):
        name = {"*": "web"}.get(parent, parent.removesuffix("[]"))
        text = f"{{{name}: {f'[{text}]' if parent.endswith('[]') else text}}}"
    found = convert("shop/compose.yaml", source({"shop/compose.yaml": text})).state.faults
    assert [fault.severity for fault in found if fault.message == key.text and fault.field.endswith(last)] == [key.does]


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 70000),
        st.sampled_from(["", "a", "1s", "a:b", "./x:/y", "80:80", "${A", "$A"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "source", "target", "file", "test", "limits", "a", "condition"]), inner, max_size=3
        ),
    ),
    max_leaves=5,
)
service_keys = sorted(
    {
        key.path.split(".")[2].removesuffix("[]")
        for key in KEYS
        if key.path.count(".") == 2 and key.path.startswith("services.*.") and "profiles" not in key.path
    }
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(service_keys), values, max_size=4),
    st.dictionaries(
        st.sampled_from(["volumes", "secrets", "configs", "networks", "include", "name", "x-wherry"]),
        values,
        max_size=2,
    ),
)
def test_any_values_are_converted_or_told(service: object, top: dict[str, object]) -> None:
    converted = project(json.dumps({"services": {"web": service}, **top}))
    assert converted.documents or errors(converted)
    assert all(fault.line >= 1 and fault.file and fault.message for fault in converted.state.faults)
