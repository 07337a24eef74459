import asyncio
import json

import msgspec
import pytest

from reconciler.store.changes import Create, Delete, UpdateStatus
from schemas.kinds import KINDS, Kind
from schemas.meta import Ref
from tests.unit.reconciler.api.builders import config_map, object_of, smallest
from tests.unit.reconciler.api.conftest import Served


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_every_kind_is_got(served: Served, kind: Kind) -> None:
    plural = kind.plural
    if not served.cluster.cache.list(kind.type):
        one = smallest(kind)
        one["metadata"] |= {"namespace": "default"} if kind.namespaced else {}
        await served.apply(Create(object_of(one)))
    wide, document = await asyncio.gather(
        served.kubectl("get", plural, "-o", "wide"),
        served.kubectl("get", plural, "-o", "json"),
    )
    assert len(wide.rows) >= 2
    assert len(json.loads(document.out)["items"]) == len(wide.rows) - 1


async def test_get_prints_what_kubernetes_prints(served: Served) -> None:
    pods = await served.kubectl("get", "pods")
    assert pods.rows[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods.rows[1][:4] == ["web", "1/1", "Running", "1"]
    nodes = await served.kubectl("get", "no")
    assert nodes.rows[1][:3] == ["n1", "Ready", "<none>"]
    everywhere = await served.kubectl("get", "po", "-A", "-o", "wide", "--show-labels")
    assert [row[0] for row in everywhere.rows] == ["NAMESPACE", "default", "other"]
    assert everywhere.rows[1][-1] == "app=web"


async def test_get_selects_sorts_and_picks(served: Served) -> None:
    await served.apply(Create(config_map("b", l="1")), Create(config_map("a", l="2")))
    assert (await served.kubectl("get", "cm", "-l", "l in (1,2)", "-o", "name")).out.split() == [
        "configmap/a",
        "configmap/b",
    ]
    by_field = await served.kubectl("get", "pods", "-A", "--field-selector", "spec.nodeName=n1", "-o", "name")
    assert by_field.out.split() == ["pod/web"]
    newest = await served.kubectl("get", "cm", "--sort-by=.metadata.labels.l", "-l", "l")
    assert [row[0] for row in newest.rows[1:]] == ["b", "a"]
    assert (await served.kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}")).out == "10.244.0.7"
    assert "podIP: 10.244.0.7" in (await served.kubectl("get", "pod", "web", "-o", "yaml")).out


async def test_all_lists_the_workloads(served: Served) -> None:
    names = (await served.kubectl("get", "all", "-o", "name")).out.split()
    assert names == ["pod/web", "service/web", "deployment.apps/web", "replicaset.apps/web-1"]


async def test_a_long_list_comes_in_pages(served: Served) -> None:
    await served.apply(*(Create(config_map(f"c{number:02}", page="y")) for number in range(25)))
    said = await served.kubectl("get", "cm", "-l", "page", "--chunk-size=4", "-o", "name", "-v=6")
    assert said.out.split() == [f"configmap/c{number:02}" for number in range(25)]
    assert said.err.count("limit=4") == 7


async def test_what_is_not_there_is_said_as_kubernetes_says_it(served: Served) -> None:
    missing = await served.try_kubectl("get", "pod", "nosuch")
    assert (missing.code, missing.err) == (1, 'Error from server (NotFound): pods "nosuch" not found\n')
    unknown = await served.try_kubectl("get", "nosuchthings")
    assert unknown.err == 'error: the server doesn\'t have a resource type "nosuchthings"\n'
    empty = await served.kubectl("get", "pods", "-n", "nosuch")
    assert empty.err == "No resources found in nosuch namespace.\n"


async def test_get_watches(served: Served) -> None:
    line = '-o=jsonpath={.type} {.object.metadata.name}{"\\n"}'
    process = await served.start_kubectl("get", "cm", "-w", "--output-watch-events", line)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ADDED settings\n"
        await served.apply(Create(config_map("late")))
        await served.apply(Delete(Ref("ConfigMap", "default", "late")))
        assert await process.stdout.readline() == b"ADDED late\n"
        assert await process.stdout.readline() == b"DELETED late\n"
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        (("pod", "web"), ("Node: n1/", "IP: 10.244.0.7", "Started container c")),
        (("node", "n1"), ("Ready True", "default web", "Container Runtime Version: containerd")),
        (("deployment", "web"), ("Replicas: 2 desired", "RollingUpdateStrategy: 25% max unavailable")),
        (("rs", "web-1"), ("Replicas: 0 current / 2 desired", "Image: nginx:1.25")),
        (("ns", "default"), ("Status: Active", "kubernetes.io/metadata.name=default")),
        (("cm", "settings"), ("Data ==== a: ---- 1", "BinaryData")),
        (("secret", "keys"), ("Type: Opaque", "password: 7 bytes")),
        (("svc", "web"), ("IP: 10.96.0.7", "TargetPort: 80/TCP")),
        (("sa", "robot"), ("Name: robot", "Events: <none>")),
    ],
    ids=str,
)
async def test_describe_tells_all(served: Served, what: tuple[str, str], parts: tuple[str, ...]) -> None:
    said = await served.kubectl("describe", *what)
    text = " ".join(said.out.split())
    for part in parts:
        assert part in text
    assert said.err == ""


async def test_kubectl_learns_what_is_served(served: Served) -> None:
    resources, versions, version, info = await asyncio.gather(
        served.kubectl("api-resources"),
        served.kubectl("api-versions"),
        served.kubectl("version"),
        served.kubectl("cluster-info"),
    )
    assert {row[0] for row in resources.rows} >= {kind.plural for kind in KINDS}
    others = {"authentication.k8s.io/v1", "authorization.k8s.io/v1", "events.k8s.io/v1", "metrics.k8s.io/v1beta1"}
    others |= {"apiregistration.k8s.io/v1", "autoscaling/v1"}
    assert set(versions.out.split()) == {kind.api_version for kind in KINDS} | others
    assert "Server Version: v1.36.2" in version.out
    assert f"127.0.0.1:{served.server.port}" in info.out


async def test_events_are_shown(served: Served) -> None:
    listed, told = await asyncio.gather(served.kubectl("get", "events"), served.kubectl("events", "--for", "pod/web"))
    assert listed.rows[1][1:] == ["Normal", "Started", "pod/web", "Started container c"]
    assert "Started container c" in told.out


async def test_a_caller_learns_who_it_is_and_what_it_may(served: Served) -> None:
    assert (await served.kubectl("auth", "can-i", "delete", "pods")).out == "yes\n"
    assert "kubernetes-admin" in (await served.kubectl("auth", "whoami")).out


async def test_wait_ends_when_the_condition_holds(served: Served) -> None:
    process = await served.start_kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")
    deployment = served.find("Deployment", "web")
    condition = {"type": "Available", "status": "True"}
    status = msgspec.convert({"conditions": [condition]}, type(deployment.status))
    await served.apply(UpdateStatus(msgspec.structs.replace(deployment, status=status)))
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out == b"deployment.apps/web condition met\n"
