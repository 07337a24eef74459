from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from reconciler.api.owners import entries_of, shown, to_record
from schemas.fieldowners import Entries, Writer, after_update
from schemas.fieldsets import members, path_text
from schemas.kinds import BY_NAME
from schemas.meta import Object

MADE, LATER = "2026-03-01T00:00:00Z", "2026-03-01T00:05:00Z"
RS = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
POD: dict[str, Any] = {
    "nodeName": "pi",
    "priority": 0,
    "serviceAccountName": "default",
    "containers": [
        {"name": "c", "image": "i", "volumeMounts": [{"name": "kube-api-access-x", "mountPath": "/var/run"}]}
    ],
    "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
    "volumes": [{"name": "kube-api-access-x", "projected": {"sources": []}}],
}


def _object(kind: str, metadata: dict[str, Any] | None = None, **fields: Any) -> Object:  # noqa: ANN401
    named = {"name": "web", "namespace": "default", "uid": "1", "creationTimestamp": MADE} | (metadata or {})
    found: Object = msgspec.convert({"metadata": named, **fields}, BY_NAME[kind].type)
    return found


def _by_client(object_: Object, manager: str = "kubectl-create") -> Object:
    at = datetime.fromisoformat(MADE)
    entries = after_update(type(object_), (), None, msgspec.to_builtins(object_), Writer(manager, "v1", at))
    return _with(object_, entries)


def _with(object_: Object, entries: Entries) -> Object:
    metadata = msgspec.structs.replace(object_.metadata, managed_fields=entries)
    return msgspec.structs.replace(object_, metadata=metadata)


def _told(entries: Entries) -> dict[str, set[str]]:
    return {
        f"{entry.manager}/{entry.subresource}": {path_text(path) for path in members(entry.fields_v1)}
        for entry in entries
    }


def test_a_pod_of_a_controller_is_its_own_but_for_what_admission_and_binding_added() -> None:
    pod = _object("Pod", {"ownerReferences": [RS], "labels": {"topology.kubernetes.io/zone": "z"}}, spec=POD)
    assert _told(entries_of(pod)) == {
        "kube-controller-manager/": {
            ".metadata.ownerReferences",
            '.metadata.ownerReferences[uid="u"]',
            '.spec.containers[name="c"]',
            '.spec.containers[name="c"].image',
            '.spec.containers[name="c"].name',
            '.spec.containers[name="c"].resources',
        }
    }


def test_the_status_of_a_pod_is_the_kubelets_and_of_one_without_a_node_the_schedulers() -> None:
    condition = {"type": "PodScheduled", "status": "True", "observedGeneration": 1}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": LATER}
    status = {"phase": "Running", "qosClass": "Burstable", "conditions": [condition, ready]}
    bound = _by_client(_object("Pod", spec=POD, status=status))
    (_, kubelets) = entries_of(bound)
    assert _told((kubelets,)) == {
        "kubelet/status": {
            '.status.conditions[type="PodScheduled"].observedGeneration',
            '.status.conditions[type="Ready"]',
            '.status.conditions[type="Ready"].lastTransitionTime',
            '.status.conditions[type="Ready"].status',
            '.status.conditions[type="Ready"].type',
            ".status.phase",
        }
    }
    assert kubelets.time == datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
    unbound = POD | {"nodeName": ""}
    waiting = _object("Pod", spec=unbound, status={"phase": "Pending", "conditions": [condition]})
    assert set(_told(entries_of(_by_client(waiting)))) == {"kubectl-create/", "kube-scheduler/status"}


def test_what_a_client_made_stays_its_own_and_what_controllers_write_is_theirs() -> None:
    spec = {"selector": {}, "template": {"spec": {"containers": [{"name": "c"}]}}}
    made = _by_client(_object("Deployment", spec=spec))
    annotations = made.metadata.annotations | {"deployment.kubernetes.io/revision": "1"}
    metadata = msgspec.structs.replace(made.metadata, annotations=annotations)
    status = msgspec.convert({"replicas": 2, "terminatingReplicas": 0}, type(made.status))  # type: ignore[attr-defined]
    running = msgspec.structs.replace(made, metadata=metadata, status=status)
    told = _told(entries_of(running))
    assert told["kube-controller-manager/status"] == {
        ".metadata.annotations",
        ".metadata.annotations.deployment.kubernetes.io/revision",
        ".status.replicas",
        ".status.terminatingReplicas",
    }
    assert '.spec.template.spec.containers[name="c"]' in told["kubectl-create/"]


@pytest.mark.parametrize(
    ("kind", "metadata", "fields", "by"),
    [
        pytest.param("ConfigMap", {"name": "kube-root-ca.crt"}, {"data": {"ca.crt": "x"}}, "kube-controller-manager"),
        pytest.param("ConfigMap", {"name": "other"}, {"data": {"a": "x"}}, None),
        pytest.param("Namespace", {"name": "default", "labels": {"a": "b"}}, {}, "kube-apiserver"),
        pytest.param("Node", {"labels": {"kubernetes.io/os": "linux"}}, {}, "kubelet"),
    ],
)
def test_the_maker_is_known_by_what_only_components_make(
    kind: str,
    metadata: dict[str, Any],
    fields: dict[str, Any],
    by: str | None,
) -> None:
    assert {entry.manager for entry in entries_of(_object(kind, metadata, **fields))} == ({by} if by else set())


def test_what_a_status_begins_with_is_nobodys() -> None:
    blank = _object("StatefulSet", spec={"selector": {}, "serviceName": "s", "template": {}}, status={"replicas": 0})
    assert set(_told(entries_of(_by_client(blank)))) == {"kubectl-create/"}
    assert entries_of(_object("Namespace", status={"phase": "Terminating"})) == ()


def test_nothing_is_recorded_of_what_follows_from_the_object_but_its_maker() -> None:
    pod = _object("Pod", {"ownerReferences": [RS]}, spec=POD, status={"phase": "Running"})
    told = entries_of(pod)
    assert set(_told(told)) == {"kube-controller-manager/", "kubelet/status"}
    recorded = to_record(told, pod)
    assert set(_told(recorded)) == {"kube-controller-manager/"}
    again = _with(pod, recorded)
    assert entries_of(again) == told
    assert to_record(entries_of(again), again) == recorded
    assert shown(again).metadata.managed_fields == told
