"""The objects around the pods: workloads, names, claims, configuration."""

import pytest

from tests.unit.reconciler.manifests.compose.folder import (
    Json,
    errors,
    made,
    of_service,
    pod,
    project,
    said,
    warnings,
)

RECREATE = {"type": "Recreate"}


def rolling(surge: int | str, unavailable: int) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@pytest.mark.parametrize(
    ("text", "replicas", "strategy"),
    [
        pytest.param("", None, RECREATE, id="by default"),
        pytest.param("deploy: {replicas: 1}", 1, RECREATE, id="one"),
        pytest.param("scale: 3", 3, rolling(0, 1), id="scale"),
        pytest.param("deploy: {replicas: '4', update_config: {parallelism: 2}}", 4, rolling(0, 2), id="by two"),
        pytest.param("deploy: {replicas: 4, update_config: {parallelism: 0}}", 4, RECREATE, id="all at once"),
        pytest.param("deploy: {update_config: {order: start-first}}", None, rolling(1, 0), id="start first"),
        pytest.param("deploy: {replicas: 0}", 0, RECREATE, id="none"),
    ],
)
def test_how_many_pods_and_how_they_are_replaced(text: str, replicas: int | None, strategy: Json) -> None:
    spec = made(of_service(text), "Deployment")["spec"]
    assert (spec.get("replicas"), spec["strategy"]) == (replicas, strategy)


def test_a_global_service_is_a_daemonset() -> None:
    spec = made(of_service("deploy: {mode: global}"), "DaemonSet")["spec"]
    assert spec.keys() == {"selector", "template"}


@pytest.mark.parametrize(
    ("text", "restart", "limit"),
    [
        pytest.param("", "Never", 0, id="once"),
        pytest.param("restart: 'no'", "Never", 0, id="no"),
        pytest.param("restart: on-failure", "OnFailure", None, id="on failure"),
        pytest.param("restart: on-failure:3", "OnFailure", 3, id="three times"),
        pytest.param("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", "OnFailure", 2, id="deploy"),
    ],
)
def test_a_service_that_others_wait_for_to_complete_is_a_job(text: str, restart: str, limit: int | None) -> None:
    waiting = "  app: {image: x, depends_on: {web: {condition: service_completed_successfully}}}\n"
    converted = of_service(text, rest=waiting)
    assert errors(converted) == []
    spec = made(converted, "Job")["spec"]
    assert (spec["template"]["spec"]["restartPolicy"], spec.get("backoffLimit")) == (restart, limit)
    assert made(converted, "Deployment", "app")["metadata"]["annotations"] == {"wherry.dev/depends-on": "Job/web"}
    assert not [one for one in converted.documents if one["kind"] == "Service" and one["metadata"]["name"] == "web"]


def test_a_job_by_its_mode() -> None:
    spec = made(of_service("deploy: {mode: replicated-job, replicas: 2}"), "Job")["spec"]
    assert (spec["completions"], spec["parallelism"]) == (2, 2)


def test_a_service_is_reached_by_its_name_at_any_port() -> None:
    spec = made(of_service("ports: ['8080:80', '8081:80', '53:53/udp']\nexpose: [90]"), "Service")["spec"]
    assert spec == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "ports": [
            {"name": "tcp-80", "port": 80},
            {"name": "udp-53", "port": 53, "protocol": "UDP"},
            {"name": "tcp-90", "port": 90},
        ],
        "selector": {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "shop"},
    }


def test_long_ports_name_those_of_the_service() -> None:
    text = "ports: [{name: http, target: 80, published: 8080, app_protocol: http}]"
    assert made(of_service(text), "Service")["spec"]["ports"] == [{"name": "http", "port": 80, "appProtocol": "http"}]


def test_further_names_are_services_that_lead_to_the_same_pods() -> None:
    converted = of_service(
        "container_name: the-web\nnetworks: {front: {aliases: [www, web]}}",
        rest="  db: {image: x, links: ['web:frontend']}\nnetworks: {front: {}}\n",
    )
    assert errors(converted) == []
    names = {
        one["metadata"]["name"]
        for one in converted.documents
        if one["kind"] == "Service" and one["spec"]["selector"]["app.kubernetes.io/name"] == "web"
    }
    assert names == {"web", "the-web", "www", "frontend"}
    assert made(converted, "Deployment", "db")["metadata"]["annotations"] == {"wherry.dev/depends-on": "Deployment/web"}


def test_a_further_name_that_is_taken_is_left_out_and_told() -> None:
    converted = project("services: {web: {image: x, container_name: db}, db: {image: y}}")
    assert warnings(converted) == ["services.web: the further name db leads to db already; web does not get it"]


def test_two_services_cannot_have_one_name() -> None:
    converted = project("services: {a_b: {image: x}, a-b: {image: y}}")
    assert any("are both a-b in DNS; rename one" in error for error in errors(converted))


def test_dependencies_in_both_forms() -> None:
    converted = of_service(
        "depends_on: {db: {condition: service_healthy}, gone: {condition: service_started, required: false}}",
        rest="  db: {image: x, depends_on: [cache]}\n  cache: {image: x, deploy: {mode: global}}\n",
    )
    assert errors(converted) == []
    found = {
        one["metadata"]["name"]: one["metadata"].get("annotations", {}).get("wherry.dev/depends-on")
        for one in converted.documents
        if one["kind"] in ("Deployment", "DaemonSet")
    }
    assert found == {"web": "Deployment/db", "db": "DaemonSet/cache", "cache": None}


def test_all_objects_are_of_the_namespace_that_is_asked_for() -> None:
    converted = project("x-wherry: {namespace: shop}\nservices: {web: {image: x, volumes: ['d:/d']}}\nvolumes: {d: {}}")
    assert {one["metadata"]["namespace"] for one in converted.documents} == {"shop"}


# Volumes


@pytest.mark.parametrize(
    ("volume", "name", "spec"),
    [
        pytest.param("", "shop-data", {"resources": {"requests": {"storage": "1Gi"}}}, id="by default"),
        pytest.param("{name: mine}", "mine", {}, id="named"),
        pytest.param("{driver: local, x-wherry: {size: 20Gi, storageClass: fast}}", "shop-data", {
            "resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "fast",
        }, id="size and class"),
    ],
)  # fmt: skip
def test_named_volumes_are_claims(volume: str, name: str, spec: Json) -> None:
    converted = of_service(
        "volumes: ['data:/data', {type: volume, source: data, target: /sub, read_only: true, volume: {subpath: a}}]",
        rest=f"volumes:\n  data: {volume}\n",
    )
    assert errors(converted) == []
    found = made(converted, "PersistentVolumeClaim", name)["spec"]
    assert found == found | spec | {"accessModes": ["ReadWriteOnce"]}


def mounts(text: str, rest: str = "") -> list[tuple[str, Json, Json]]:
    """Target, the rest of the mount, and the source of the volume, of a service with these keys."""
    converted = of_service(text, rest=rest)
    assert errors(converted) == []
    spec = pod(converted)
    volumes = {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in spec["volumes"]}
    return [
        (
            mount["mountPath"],
            {key: value for key, value in mount.items() if key not in ("name", "mountPath")},
            volumes[mount["name"]],
        )
        for mount in spec["containers"][0]["volumeMounts"]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "volumes: ['/srv/a:/a:ro']", ("/a", {"readOnly": True}, {"hostPath": {"path": "/srv/a"}}), id="host"
        ),
        pytest.param(
            "volumes: [{type: bind, source: /mnt/, target: /m/, bind: {propagation: rslave}}]",
            ("/m", {"mountPropagation": "HostToContainer"}, {"hostPath": {"path": "/mnt"}}),
            id="host, long",
        ),
        pytest.param("volumes: [/scratch]", ("/scratch", {}, {"emptyDir": {}}), id="anonymous"),
        pytest.param(
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 64m}}]",
            ("/t", {}, {"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}),
            id="tmpfs, long",
        ),
        pytest.param("tmpfs: /run", ("/run", {}, {"emptyDir": {"medium": "Memory"}}), id="tmpfs"),
        pytest.param(
            "tmpfs: ['/run:size=10m,mode=1777']",
            ("/run", {}, {"emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}}),
            id="tmpfs with a size",
        ),
        pytest.param(
            "shm_size: 1gb",
            ("/dev/shm", {}, {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}),
            id="shared memory",
        ),
        pytest.param(
            "devices: ['/dev/ttyUSB0:/dev/tty:rwm']",
            ("/dev/tty", {}, {"hostPath": {"path": "/dev/ttyUSB0"}}),
            id="device",
        ),
    ],
)
def test_what_is_mounted(text: str, expected: tuple[str, Json, Json]) -> None:
    assert mounts(text) == [expected]


@pytest.mark.parametrize(
    ("options", "source"),
    [
        pytest.param("{type: none, o: bind, device: /srv}", {"hostPath": {"path": "/srv"}}, id="bind"),
        pytest.param("{type: tmpfs, device: tmpfs}", {"emptyDir": {"medium": "Memory"}}, id="tmpfs"),
    ],
)
def test_a_volume_of_the_local_driver_with_options(options: str, source: Json) -> None:
    rest = f"volumes: {{d: {{driver: local, driver_opts: {options}}}}}\n"
    assert mounts("volumes: ['d:/d']", rest) == [("/d", {}, source)]


def test_a_file_of_the_folder_comes_from_a_configmap() -> None:
    converted = of_service(
        "volumes: ['./nginx/nginx.conf:/etc/nginx.conf:ro']", files={"nginx/nginx.conf": "events {}"}
    )
    assert said(converted) == []
    assert made(converted, "ConfigMap", "shop-nginx-nginx-conf")["data"] == {"nginx.conf": "events {}"}
    (volume,) = pod(converted)["volumes"]
    (mount,) = pod(converted)["containers"][0]["volumeMounts"]
    assert volume["configMap"] == {"name": "shop-nginx-nginx-conf"}
    assert (mount["subPath"], mount["readOnly"]) == ("nginx.conf", True)


def test_a_script_of_the_folder_can_be_run() -> None:
    converted = of_service("volumes: ['./a.sh:/a.sh:ro']", files={"a.sh": "#!/bin/sh\n"})
    assert pod(converted)["volumes"][0]["configMap"]["defaultMode"] == 0o755


def test_a_folder_of_the_folder_comes_with_all_below() -> None:
    files = {"conf/a.yml": "a", "conf/d/b.yml": "b", "conf/d/run": "#!/bin/sh", "conf/x.bin": b"\xff\x00", "other": "o"}
    converted = of_service("volumes: ['./conf:/conf:ro']", files=files)
    assert errors(converted) == []
    config = made(converted, "ConfigMap", "shop-conf")
    assert config["data"] == {"a.yml": "a", "d__b.yml": "b", "d__run": "#!/bin/sh"}
    assert config["binaryData"] == {"x.bin": "/wA="}
    assert pod(converted)["volumes"][0]["configMap"]["items"] == [
        {"key": "a.yml", "path": "a.yml"},
        {"key": "d__b.yml", "path": "d/b.yml"},
        {"key": "d__run", "path": "d/run", "mode": 0o755},
        {"key": "x.bin", "path": "x.bin"},
    ]


def test_pods_are_replaced_when_a_file_that_they_mount_changes() -> None:
    def digest(content: str) -> str:
        converted = of_service("volumes: ['./a.conf:/a:ro']", files={"a.conf": content})
        found: str = made(converted, "Deployment")["spec"]["template"]["metadata"]["annotations"][
            "wherry.dev/config-digest"
        ]
        return found

    assert digest("1") == digest("1") != digest("2")


def test_two_services_share_the_files_that_both_mount() -> None:
    text = "services:\n" + "".join(f"  {n}: {{image: x, volumes: ['./a.conf:/{n}:ro']}}\n" for n in ("one", "two"))
    converted = project(text, files={"a.conf": "1"})
    assert errors(converted) == []
    assert made(converted, "ConfigMap", "shop-a-conf")


def test_two_files_cannot_have_one_name() -> None:
    converted = of_service("volumes: ['./a.b:/x:ro', './a-b:/y:ro']", files={"a.b": "1", "a-b": "2"})
    assert errors(converted) == ["services.web: ConfigMap/shop-a-b is made of services.web, too; rename one of them"]


def test_a_path_that_is_not_in_git_is_data() -> None:
    converted = of_service("volumes: ['./data:/data']")
    assert said(converted) == [
        "warning shop/compose.yaml:4 services.web.volumes[0]: ./data is not in git: "
        "its data is kept in the PersistentVolumeClaim shop-data"
    ]
    assert made(converted, "PersistentVolumeClaim", "shop-data")


# Configs and secrets


def test_configs_and_secrets_from_every_source() -> None:
    rest = (
        "configs:\n  file: {file: ./a.conf}\n  text: {content: 'x=${V}'}\n  var: {environment: V}\n"
        "  out: {external: true, name: there}\n"
        "secrets:\n  key: {file: key.bin}\n  token: {environment: V}\n  gone: {external: true}\n"
    )
    text = (
        "configs: [file, {source: text, target: /etc/t, mode: 0440}, var, out]\n"
        "secrets: [key, token, {source: gone, target: g}]"
    )
    converted = of_service(text, rest=rest, files={"a.conf": "a", "key.bin": b"\x00\xff", ".env": "V=v"})
    assert errors(converted) == []
    assert made(converted, "ConfigMap", "shop-file")["data"] == {"file": "a"}
    assert made(converted, "ConfigMap", "shop-text")["data"] == {"text": "x=v"}
    assert made(converted, "ConfigMap", "shop-var")["data"] == {"var": "v"}
    assert made(converted, "Secret", "shop-key")["data"] == {"key": "AP8="}
    assert made(converted, "Secret", "shop-token")["stringData"] == {"token": "v"}
    spec = pod(converted)
    assert {mount["mountPath"]: mount["subPath"] for mount in spec["containers"][0]["volumeMounts"]} == {
        "/file": "file",
        "/etc/t": "text",
        "/var": "var",
        "/out": "out",
        "/run/secrets/key": "key",
        "/run/secrets/token": "token",
        "/run/secrets/g": "gone",
    }
    sources = {one["name"]: one for one in spec["volumes"]}
    assert sources["shop-text"]["configMap"]["defaultMode"] == 0o440
    assert sources["there"]["configMap"]["name"] == "there"
    assert sources["gone"]["secret"]["secretName"] == "gone"
    assert not [one for one in converted.documents if one["metadata"]["name"] in ("there", "gone")]


def test_a_networks_isolation_is_named_where_there_is_any() -> None:
    one = project("services: {a: {image: x, networks: [n]}, b: {image: x, networks: [n]}}\nnetworks: {n: {}}")
    two = project("services: {a: {image: x, networks: [n, m]}, b: {image: x, networks: [m]}}\nnetworks: {n: {}, m: {}}")
    assert warnings(one) == []
    assert warnings(two) == [
        "networks: networks do not keep services apart here: every pod reaches every other; write NetworkPolicies"
    ]
