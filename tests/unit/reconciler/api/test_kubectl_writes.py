import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from reconciler.store.changes import Create, Delete, Update, UpdateStatus
from schemas.meta import Ref, ref_of
from tests.unit.reconciler.api.builders import config_map
from tests.unit.reconciler.api.conftest import TEMPLATE, Served

POD = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "made"},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }
)


async def test_create_replace_and_edit(served: Served) -> None:
    assert (await served.kubectl("create", "-f", "-", stdin=POD)).out == "pod/made created\n"
    made = served.find("Pod", "made")
    assert made.spec.restart_policy == "Always"
    assert made.metadata.uid
    again = await served.try_kubectl("create", "-f", "-", stdin=POD)
    assert again.err == 'Error from server (AlreadyExists): error when creating "STDIN": pods "made" already exists\n'

    await served.apply(Create(config_map("c")))
    replaced = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "old"}}
    await served.kubectl("replace", "-f", "-", stdin=json.dumps(replaced))
    assert served.find("ConfigMap", "c").data == {"a": "old"}
    assert (await served.kubectl("edit", "cm", "c")).out == "configmap/c edited\n"
    assert served.find("ConfigMap", "c").data == {"a": "new"}


async def test_apply_creates_and_then_patches(served: Served) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}
    assert (await served.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))).out == "configmap/c created\n"
    manifest["data"] = {"a": "2"}
    assert (await served.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))).out == "configmap/c configured\n"
    assert served.find("ConfigMap", "c").data == {"a": "2"}
    assert (await served.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))).out == "configmap/c unchanged\n"


async def test_a_dry_run_changes_nothing(served: Served) -> None:
    revision = served.cluster.cache.revision
    await served.kubectl("create", "--dry-run=server", "-f", "-", stdin=POD)
    await served.kubectl("label", "--dry-run=server", "cm", "settings", "a=b")
    await served.kubectl("delete", "--dry-run=server", "cm", "settings")
    assert served.cluster.cache.revision == revision


@pytest.mark.parametrize(
    ("change", "part"),
    [
        pytest.param({"metadata": {"name": "Bad_Name"}}, 'Pod "Bad_Name" is invalid: metadata.name', id="name"),
        pytest.param({"spec": {"containers": []}}, "spec.containers: Required value", id="no containers"),
        pytest.param({"spec": {"containerz": []}}, "spec.containerz", id="unknown field"),
        pytest.param({"metadata": {"name": "x", "namespace": "nosuch"}}, 'namespaces "nosuch" not found', id="place"),
    ],
)
async def test_what_is_wrong_with_an_object_is_named(served: Served, change: dict[str, object], part: str) -> None:
    said = await served.try_kubectl("create", "-f", "-", stdin=json.dumps(json.loads(POD) | change))
    assert said.code == 1
    assert part in said.err


async def test_a_change_keeps_the_rules_of_the_object(served: Served) -> None:
    said = await served.try_kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":-1}}')
    assert said.code == 1
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in said.err


async def test_a_service_changes_its_type_without_the_leftovers_of_the_old_one(served: Served) -> None:
    balanced = {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"}, "spec": balanced}
    await served.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    await served.kubectl("patch", "svc", "lb", "--type=merge", "-p", '{"spec":{"type":"ClusterIP"}}')
    spec = served.find("Service", "lb").spec
    assert (spec.type, spec.allocate_load_balancer_node_ports, spec.external_traffic_policy) == ("ClusterIP", None, "")
    assert spec.ports[0].node_port == 0


async def test_nothing_is_created_in_a_namespace_that_is_ending(served: Served) -> None:
    other = served.find("Namespace", "other", "")
    ending = msgspec.structs.replace(other.metadata, finalizers=("example.com/hold",))
    await served.apply(Update(msgspec.structs.replace(other, metadata=ending)))
    await served.apply(Delete(ref_of(other)))
    said = await served.try_kubectl("create", "-n", "other", "-f", "-", stdin=POD)
    assert "unable to create new content in namespace other because it is being terminated" in said.err


async def test_labels_annotations_and_the_three_kinds_of_patch(served: Served) -> None:
    await served.kubectl("label", "pod", "web", "tier=front")
    await served.kubectl("annotate", "pod", "web", "note=hello")
    metadata = served.find("Pod", "web").metadata
    assert (metadata.labels["tier"], metadata.annotations["note"]) == ("front", "hello")
    await served.kubectl("label", "pod", "web", "tier-")
    assert "tier" not in served.find("Pod", "web").metadata.labels

    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}}}
    await served.kubectl("patch", "deploy", "web", "-p", json.dumps(image))
    deployment = served.find("Deployment", "web")
    assert deployment.spec.template.spec.containers[0].image == "nginx:1.27"
    assert deployment.metadata.generation == 2
    await served.kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"paused":true}}')
    assert served.find("Deployment", "web").spec.paused
    operations = '[{"op":"test","path":"/spec/paused","value":true},{"op":"remove","path":"/spec/paused"}]'
    await served.kubectl("patch", "deploy", "web", "--type=json", "-p", operations)
    assert not served.find("Deployment", "web").spec.paused
    refused = await served.try_kubectl("patch", "deploy", "web", "--type=json", "-p", operations)
    assert "the server rejected our request due to an error in our request" in refused.err


async def test_a_node_is_cordoned_and_uncordoned(served: Served) -> None:
    await served.kubectl("cordon", "n1")
    assert served.find("Node", "n1", "").spec.unschedulable
    assert (await served.kubectl("get", "nodes")).rows[1][1] == "Ready,SchedulingDisabled"
    await served.kubectl("uncordon", "n1")
    assert not served.find("Node", "n1", "").spec.unschedulable


async def test_workloads_are_scaled_and_restarted(served: Served) -> None:
    assert (await served.kubectl("scale", "deploy/web", "--replicas=5")).out == "deployment.apps/web scaled\n"
    await served.kubectl("scale", "rs/web-1", "--replicas=0", "--current-replicas=2")
    assert served.find("Deployment", "web").spec.replicas == 5
    assert served.find("ReplicaSet", "web-1").spec.replicas == 0
    wrong = await served.try_kubectl("scale", "rs/web-1", "--replicas=1", "--current-replicas=9")
    assert "Expected replicas to be 9" in wrong.err
    await served.kubectl("rollout", "restart", "deploy/web")
    annotations = served.find("Deployment", "web").spec.template.metadata.annotations
    assert "kubectl.kubernetes.io/restartedAt" in annotations


async def test_a_rollout_is_followed_to_its_end(served: Served) -> None:
    deployment = served.find("Deployment", "web")
    process = await served.start_kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert process.stdout is not None
    assert b"Waiting for deployment spec update" in await asyncio.wait_for(process.stdout.readline(), 60)
    whole = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
    status = msgspec.convert(whole, type(deployment.status))
    await served.apply(UpdateStatus(msgspec.structs.replace(deployment, status=status)))
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert b"successfully rolled out" in out


async def test_the_history_of_a_rollout_is_told(served: Served) -> None:
    deployment = served.find("Deployment", "web")
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": deployment.metadata.uid}
    metadata = {"name": "web-2", "labels": {"app": "web"}, "annotations": {"deployment.kubernetes.io/revision": "7"}}
    document = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata | {"ownerReferences": [owner | {"controller": True}]},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
    }
    await served.kubectl("create", "-f", "-", stdin=json.dumps(document))
    assert ["7", "<none>"] in (await served.kubectl("rollout", "history", "deploy/web")).rows


async def test_delete_waits_until_the_pod_is_gone(served: Served) -> None:
    process = await served.start_kubectl("delete", "pod", "web", "--timeout=20s")
    await served.until(lambda: served.find("Pod", "web").metadata.deletion_timestamp is not None)
    assert (await served.kubectl("get", "pods")).rows[1][2] == "Terminating"
    assert process.returncode is None
    await served.apply(Delete(Ref("Pod", "default", "web"), grace_seconds=0))
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (out, err) == (b'pod "web" deleted from default namespace\n', b"")


async def test_other_objects_are_deleted_at_once(served: Served) -> None:
    said = await served.kubectl("delete", "cm/settings", "svc/web", "deploy/web")
    assert said.out.count("deleted from default namespace") == 3
    assert served.find("ConfigMap", "settings") is None
    await served.apply(Create(config_map("a", l="1")), Create(config_map("b", l="1")))
    await served.kubectl("delete", "cm", "-l", "l=1")
    assert served.find("ConfigMap", "a") is served.find("ConfigMap", "b") is None
    missing = await served.try_kubectl("delete", "cm", "nosuch")
    assert missing.err == 'Error from server (NotFound): configmaps "nosuch" not found\n'
    protected = await served.try_kubectl("delete", "ns", "default")
    assert "this namespace may not be deleted" in protected.err


async def test_a_node_is_drained(served: Served) -> None:
    process = await served.start_kubectl("drain", "n1", "--force", "--grace-period=3", "--timeout=20s")
    await served.until(lambda: served.find("Pod", "web").metadata.deletion_timestamp is not None)
    ending = served.find("Pod", "web").metadata
    assert ending.deletion_grace_period_seconds == 3
    assert ending.deletion_timestamp > datetime.now(UTC)
    await served.apply(Delete(Ref("Pod", "default", "web"), grace_seconds=0))
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert b"node/n1 drained" in out
