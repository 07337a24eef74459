"""Bindings, evictions, scales, debug containers and deletions of a served cluster."""

import json
from datetime import UTC, datetime

from msgspec import structs

from reconciler.controllers.garbagecollector import reconcile
from reconciler.store.changes import Update, UpdateStatus
from schemas.meta import OwnerReference, Ref
from tests.unit.reconciler.api.conftest import SPEC, TEMPLATE, Served, created


async def _raw(served: Served, path: str, body: object) -> str:
    said = await served.try_kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    return said.out + said.err


async def test_a_scheduler_of_ones_own_binds_a_pod(served: Served) -> None:
    path = "/api/v1/namespaces/other/pods/web/binding"
    binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}}
    assert '"status":"Success"' in await _raw(served, path, binding)
    pod = served.find("Pod", "web", "other")
    assert pod.spec.node_name == "n1"
    assert [(one.type, one.status) for one in pod.status.conditions] == [("PodScheduled", "True")]
    again = await _raw(served, path, binding)
    assert 'pods/binding "web": pod web is already assigned to node "n1"' in again
    older = await _raw(served, "/api/v1/namespaces/other/bindings", binding | {"metadata": {"name": "nosuch"}})
    assert 'pods "nosuch" not found' in older
    assert "target.name: Required value" in await _raw(served, path, {"metadata": {"name": "web"}, "target": {}})
    assert "name in URL does not match" in await _raw(served, path, binding | {"metadata": {"name": "x"}})


async def test_a_node_is_drained_as_far_as_budgets_allow(served: Served) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await served.apply(created("PodDisruptionBudget", "guard", spec=spec))
    budget = served.find("PodDisruptionBudget", "guard")
    seen = structs.replace(budget.status, observed_generation=1, desired_healthy=1, current_healthy=1)
    await served.apply(UpdateStatus(structs.replace(budget, status=seen)))
    pod = served.find("Pod", "web")
    ready = structs.replace(pod.status, conditions=())
    await served.apply(UpdateStatus(structs.replace(pod, status=ready)))
    path = "/api/v1/namespaces/default/pods/web/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
    budgeted = served.find("PodDisruptionBudget", "guard")
    fewer = structs.replace(budgeted.status, desired_healthy=2)
    await served.apply(UpdateStatus(structs.replace(budgeted, status=fewer)))
    assert "would violate the pod's disruption budget" in await _raw(served, path, eviction)
    await served.kubectl("delete", "pdb", "guard")
    dry = await _raw(served, path, eviction | {"deleteOptions": {"dryRun": ["All"]}})
    assert '"status":"Success"' in dry
    assert served.find("Pod", "web").metadata.deletion_timestamp is None
    await served.kubectl("drain", "n1", "--force", "--timeout=1s", "--pod-selector=app=nosuch")
    assert '"status":"Success"' in await _raw(served, path, eviction)
    ending = served.find("Pod", "web")
    assert ending.metadata.deletion_timestamp is not None
    assert [one.reason for one in ending.status.conditions] == ["EvictionByEvictionAPI"]


async def test_four_kinds_are_scaled(served: Served) -> None:
    controller = {"replicas": 1, "selector": {"app": "web"}, "template": TEMPLATE}
    stateful = controller | {"selector": {"matchLabels": {"app": "web"}}, "serviceName": "web"}
    await served.apply(created("ReplicationController", "rc", spec=controller))
    await served.apply(created("StatefulSet", "sts", spec=stateful))
    for kind, name in (("ReplicationController", "rc"), ("StatefulSet", "sts")):
        await served.kubectl("scale", f"{kind}/{name}", "--replicas=4", "--current-replicas=1")
        assert served.find(kind, name).spec.replicas == 4


async def test_a_debug_container_is_added_and_stays(served: Served) -> None:
    path = ("patch", "pod", "web", "--subresource=ephemeralcontainers", "-p")
    await served.kubectl(*path, json.dumps({"spec": {"ephemeralContainers": [{"name": "dbg", "image": "busybox"}]}}))
    pod = served.find("Pod", "web")
    assert [one.name for one in pod.spec.ephemeral_containers] == ["dbg"]
    assert pod.metadata.managed_fields[-1].subresource == "ephemeralcontainers"
    changed = await served.try_kubectl(
        *path, json.dumps({"spec": {"ephemeralContainers": [{"name": "dbg", "image": "other"}]}})
    )
    assert 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "dbg" may not be changed' in changed.err
    twice = await served.try_kubectl(
        *path, json.dumps({"spec": {"ephemeralContainers": [{"name": "c", "image": "x"}]}})
    )
    assert "Duplicate value" in twice.err


async def test_what_is_deleted_in_the_foreground_waits_for_what_it_owns(served: Served) -> None:
    owner = served.find("ReplicaSet", "web-1")
    reference = OwnerReference("apps/v1", "ReplicaSet", "web-1", owner.metadata.uid, True, True)
    await served.apply(created("Pod", "owned", spec=SPEC))
    pod = served.find("Pod", "owned")
    await served.apply(
        Update(structs.replace(pod, metadata=structs.replace(pod.metadata, owner_references=(reference,))))
    )
    await served.kubectl("delete", "rs", "web-1", "--cascade=foreground", "--wait=false")
    ending = served.find("ReplicaSet", "web-1")
    assert ending.metadata.finalizers == ("foregroundDeletion",)
    for kind, name in (("ReplicaSet", "web-1"), ("Pod", "owned"), ("ReplicaSet", "web-1")):
        if served.find("Pod", "owned") is not None:
            assert served.find("ReplicaSet", "web-1") is not None
        plan = reconcile(Ref(kind, "default", name), served.cluster.cache, datetime.now(UTC))
        await served.apply(*plan.changes)
    assert served.find("Pod", "owned") is None
    assert served.find("ReplicaSet", "web-1") is None


async def test_a_collection_is_deleted_by_selector(served: Served) -> None:
    for name in ("a", "b", "c"):
        await served.apply(created("ConfigMap", name))
    await served.kubectl("delete", "--raw", "/api/v1/namespaces/default/configmaps?labelSelector=app%20in%20(a,b)")
    assert [served.find("ConfigMap", name) is None for name in ("a", "b", "c")] == [True, True, False]


async def test_a_namespace_is_let_go_by_hand(served: Served) -> None:
    await served.kubectl("delete", "ns", "other", "--wait=false")
    path = "/api/v1/namespaces/other/finalize"
    shown = json.loads((await served.kubectl("get", "ns", "other", "-o", "json")).out)
    await served.kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(shown | {"spec": {}}))
    assert served.find("Namespace", "other", "") is None
