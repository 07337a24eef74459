"""How an object of each kind fares, by what its status says."""

from typing import Any

import msgspec
import pytest

from reconciler.health import MISSING, NOT_ACTED_ON, Health, State, health, judged
from reconciler.store.cache import Cache
from schemas.kinds import BY_NAME, KINDS
from schemas.meta import Object, ref_of

POD = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": POD}, "selector": {"matchLabels": {"a": "b"}}}
BARE: dict[str, dict[str, Any]] = {
    "ClusterRoleBinding": {"roleRef": {"apiGroup": "", "kind": "ClusterRole", "name": "r"}},
    "ControllerRevision": {"revision": 1},
    "CronJob": {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE["template"]}}}},
    "DaemonSet": {"spec": TEMPLATE},
    "CertificateSigningRequest": {"spec": {"request": "", "signerName": "example.com/mine"}},
    "Deployment": {"spec": TEMPLATE},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": []},
    "Event": {"involvedObject": {}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}},
    "Job": {"spec": {"template": TEMPLATE["template"]}},
    "LimitRange": {"spec": {"limits": []}},
    "Pod": {"spec": POD},
    "PriorityClass": {"value": 1},
    "ReplicaSet": {"spec": TEMPLATE},
    "ReplicationController": {"spec": {"template": TEMPLATE["template"]}},
    "RoleBinding": {"roleRef": {"apiGroup": "", "kind": "Role", "name": "r"}},
    "RuntimeClass": {"handler": "runc"},
    "StatefulSet": {"spec": TEMPLATE},
    "StorageClass": {"provisioner": "p"},
    "VolumeAttachment": {"spec": {"attacher": "a", "nodeName": "n", "source": {}}},
}


def made(kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **more: object) -> Object:
    document = {"apiVersion": BY_NAME[kind].api_version, "kind": kind, **BARE.get(kind, {})}
    document["metadata"] = {"name": "x", "uid": f"uid-{kind}", "namespace": "n", "generation": 2}
    document["spec"] = {**document.get("spec", {}), **(spec or {})}
    return msgspec.convert({**document, "status": status or {}, **more}, BY_NAME[kind].type)


def found(object_: Object, *others: Object) -> tuple[str, str]:
    cache = Cache(1)
    cache.push(2, [(ref_of(one), one) for one in (object_, *others)], 1, 0.0)
    told = judged(object_, cache)
    return told.state.value, told.reason


def condition(type_: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": type_, "status": status, "reason": reason, "message": message}]}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    status = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    return {"containerStatuses": [status | {"state": {"waiting": {"reason": reason, "message": message}}}]}


def ended(code: int) -> dict[str, Any]:
    status = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    return {"containerStatuses": [status | {"state": {"terminated": {"exitCode": code}}}]}


READY = condition("Ready")
SEEN = {"observedGeneration": 2}
DEPLOYED = SEEN | {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
STATEFUL = DEPLOYED | {"currentRevision": "1", "updateRevision": "1"}
ON_NODES = SEEN | {
    "desiredNumberScheduled": 3,
    "numberReady": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
    "currentNumberScheduled": 3,
    "numberMisscheduled": 0,
}
THREE = {"replicas": 3}
LATE = condition("Progressing", "False", "ProgressDeadlineExceeded", "it took too long")
FAILING = condition("ReplicaFailure", "True", "FailedCreate", "quota")
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
UNPLACED = condition("PodScheduled", "False", "Unschedulable", "0/1 nodes")


@pytest.mark.parametrize(
    ("object_", "expected"),
    [
        pytest.param(made("Pod", status={"phase": "Pending"}), ("Progressing", "not ready"), id="pod starts"),
        pytest.param(
            made("Pod", status={"phase": "Pending"} | UNPLACED),
            ("Progressing", "Unschedulable: 0/1 nodes"),
            id="pod fits nowhere yet",
        ),
        pytest.param(
            made("Pod", status={"phase": "Pending"} | waits("ContainerCreating")),
            ("Progressing", "not ready"),
            id="pod is being made",
        ),
        pytest.param(
            made("Pod", status={"phase": "Pending"} | waits("ImagePullBackOff", "no such image")),
            ("Degraded", "ImagePullBackOff: no such image"),
            id="pod without its image",
        ),
        pytest.param(
            made("Pod", status={"phase": "Pending"} | waits("CreateContainerConfigError", "no secret s")),
            ("Degraded", "CreateContainerConfigError: no secret s"),
            id="pod without its Secret",
        ),
        pytest.param(
            made("Pod", status={"phase": "Running"} | waits("CrashLoopBackOff")),
            ("Degraded", "CrashLoopBackOff"),
            id="pod that crashes",
        ),
        pytest.param(made("Pod", status={"phase": "Running"} | READY), ("Healthy", ""), id="pod ready"),
        pytest.param(made("Pod", status={"phase": "Succeeded"}), ("Healthy", ""), id="pod succeeded"),
        pytest.param(
            made("Pod", status={"phase": "Failed", "reason": "Evicted", "message": "disk"}),
            ("Degraded", "Evicted: disk"),
            id="pod evicted",
        ),
        pytest.param(
            made("Pod", status={"phase": "Failed"} | ended(3)),
            ("Degraded", "container c ended with exit code 3"),
            id="pod failed",
        ),
        pytest.param(made("CertificateSigningRequest"), ("Progressing", "waits for approval"), id="request undecided"),
        pytest.param(
            made("CertificateSigningRequest", status=condition("Approved")),
            ("Progressing", "waits for its signer"),
            id="request approved",
        ),
        pytest.param(
            made("CertificateSigningRequest", status=condition("Approved") | {"certificate": "YQ=="}),
            ("Healthy", ""),
            id="request signed",
        ),
        pytest.param(
            made("CertificateSigningRequest", status=condition("Denied", message="who is this")),
            ("Degraded", "Denied: who is this"),
            id="request denied",
        ),
        pytest.param(made("Deployment", THREE, {"observedGeneration": 1}), ("Progressing", "just changed"), id="new"),
        pytest.param(made("Deployment", THREE, DEPLOYED), ("Healthy", ""), id="deployed"),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"readyReplicas": 1}),
            ("Progressing", "1 of 3 pods ready"),
            id="deployment not ready",
        ),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"updatedReplicas": 2}),
            ("Progressing", "2 of 3 pods updated"),
            id="deployment rolls",
        ),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"availableReplicas": 2}),
            ("Progressing", "2 of 3 pods available"),
            id="deployment within minReadySeconds",
        ),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"replicas": 4}),
            ("Progressing", "1 old pods not gone yet"),
            id="deployment with old pods",
        ),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"readyReplicas": 1} | LATE),
            ("Degraded", "ProgressDeadlineExceeded: 1 of 3 pods ready"),
            id="deployment too late",
        ),
        pytest.param(
            made("Deployment", THREE, DEPLOYED | {"readyReplicas": 1} | FAILING),
            ("Degraded", "FailedCreate: quota"),
            id="deployment that may make no pods",
        ),
        pytest.param(
            made("Deployment", THREE | {"paused": True}, DEPLOYED), ("Suspended", "paused"), id="deployment paused"
        ),
        pytest.param(made("Deployment", {"replicas": 0}, SEEN), ("Healthy", ""), id="deployment of none"),
        pytest.param(
            made("ReplicaSet", THREE, {"observedGeneration": 1}), ("Progressing", "just changed"), id="rs new"
        ),
        pytest.param(made("ReplicaSet", THREE, DEPLOYED), ("Healthy", ""), id="rs complete"),
        pytest.param(
            made("ReplicaSet", THREE, DEPLOYED | {"replicas": 5}),
            ("Progressing", "2 pods too many"),
            id="rs shrinks",
        ),
        pytest.param(
            made("ReplicaSet", None, SEEN), ("Progressing", "0 of 1 pods ready"), id="rs of one, unless it says else"
        ),
        pytest.param(
            made("ReplicationController", THREE, DEPLOYED | {"readyReplicas": 0} | FAILING),
            ("Degraded", "FailedCreate: quota"),
            id="rc that may make no pods",
        ),
        pytest.param(made("StatefulSet", THREE, STATEFUL), ("Healthy", ""), id="sts complete"),
        pytest.param(
            made("StatefulSet", THREE, STATEFUL | {"observedGeneration": 1}),
            ("Progressing", "just changed"),
            id="sts new",
        ),
        pytest.param(
            made("StatefulSet", THREE, STATEFUL | {"updateRevision": "2", "updatedReplicas": 1}),
            ("Progressing", "1 of 3 pods updated"),
            id="sts rolls",
        ),
        pytest.param(
            made("StatefulSet", THREE, STATEFUL | {"updateRevision": "2"}),
            ("Progressing", "old pods not gone yet"),
            id="sts at its last pod",
        ),
        pytest.param(
            made(
                "StatefulSet",
                THREE | {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
                STATEFUL | {"updateRevision": "2", "updatedReplicas": 1},
            ),
            ("Healthy", ""),
            id="sts rolled as far as its partition",
        ),
        pytest.param(
            made(
                "StatefulSet",
                THREE | {"updateStrategy": {"type": "OnDelete"}},
                STATEFUL | {"updateRevision": "2", "updatedReplicas": 0},
            ),
            ("Healthy", ""),
            id="sts that rolls when told",
        ),
        pytest.param(made("DaemonSet", None, ON_NODES), ("Healthy", ""), id="ds complete"),
        pytest.param(
            made("DaemonSet", None, ON_NODES | {"numberReady": 2}), ("Progressing", "2 of 3 pods ready"), id="ds starts"
        ),
        pytest.param(
            made("DaemonSet", None, ON_NODES | {"updatedNumberScheduled": 2}),
            ("Progressing", "2 of 3 pods updated"),
            id="ds rolls",
        ),
        pytest.param(
            made("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, ON_NODES | {"updatedNumberScheduled": 2}),
            ("Healthy", ""),
            id="ds that rolls when told",
        ),
        pytest.param(
            made("Job", {"completions": 2}, {"succeeded": 1}), ("Progressing", "1 of 2 pods succeeded"), id="job runs"
        ),
        pytest.param(made("Job", None, condition("Complete")), ("Healthy", ""), id="job complete"),
        pytest.param(
            made("Job", None, condition("Failed", "True", "BackoffLimitExceeded", "three times")),
            ("Degraded", "BackoffLimitExceeded: three times"),
            id="job failed",
        ),
        pytest.param(made("Job", {"suspend": True}), ("Suspended", "suspended"), id="job suspended"),
        pytest.param(made("CronJob"), ("Healthy", ""), id="cronjob"),
        pytest.param(made("CronJob", {"suspend": True}), ("Suspended", "suspended"), id="cronjob suspended"),
        pytest.param(made("PersistentVolumeClaim", None, {"phase": "Bound"}), ("Healthy", ""), id="pvc bound"),
        pytest.param(
            made("PersistentVolumeClaim", None, {"phase": "Pending"}),
            ("Progressing", "not bound to a volume yet"),
            id="pvc pending",
        ),
        pytest.param(
            made("PersistentVolumeClaim", {"volumeName": "v"}, {"phase": "Lost"}),
            ("Degraded", "its volume v is gone"),
            id="pvc lost",
        ),
        pytest.param(made("PersistentVolume", None, {"phase": "Available"}), ("Healthy", ""), id="pv available"),
        pytest.param(
            made("PersistentVolume", None, {"phase": "Failed", "message": "no"}), ("Degraded", "no"), id="pv failed"
        ),
        pytest.param(made("PersistentVolume"), ("Progressing", "not available yet"), id="pv new"),
        pytest.param(made("Service"), ("Healthy", ""), id="service"),
        pytest.param(
            made("Service", {"type": "LoadBalancer"}),
            ("Progressing", "no address of a load balancer yet"),
            id="service without its load balancer",
        ),
        pytest.param(made("Service", {"type": "LoadBalancer"}, ADDRESS), ("Healthy", ""), id="service with it"),
        pytest.param(made("Ingress"), ("Healthy", ""), id="ingress"),
        pytest.param(
            made(
                "Ingress",
                None,
                {"loadBalancer": {"ingress": [{"ports": [{"port": 80, "protocol": "TCP", "error": "InUse"}]}]}},
            ),
            ("Degraded", "port 80: InUse"),
            id="ingress with a fault",
        ),
        pytest.param(
            made("HorizontalPodAutoscaler"), ("Progressing", "no measurement yet"), id="hpa that has not measured"
        ),
        pytest.param(
            made("HorizontalPodAutoscaler", None, {"desiredReplicas": 1} | condition("AbleToScale")),
            ("Healthy", ""),
            id="hpa",
        ),
        pytest.param(
            made(
                "HorizontalPodAutoscaler",
                None,
                {"desiredReplicas": 1} | condition("AbleToScale", "False", "FailedGetScale", "no such thing"),
            ),
            ("Degraded", "FailedGetScale: no such thing"),
            id="hpa without its target",
        ),
        pytest.param(
            made(
                "PodDisruptionBudget",
                None,
                SEEN | {"currentHealthy": 1, "desiredHealthy": 2, "disruptionsAllowed": 0, "expectedPods": 2},
            ),
            ("Progressing", "1 of 2 pods healthy"),
            id="pdb not met",
        ),
        pytest.param(
            made(
                "PodDisruptionBudget",
                None,
                SEEN | {"currentHealthy": 2, "desiredHealthy": 2, "disruptionsAllowed": 0, "expectedPods": 2},
            ),
            ("Healthy", ""),
            id="pdb met",
        ),
        pytest.param(made("Namespace", None, {"phase": "Active"}), ("Healthy", ""), id="namespace"),
        pytest.param(
            made("Namespace", None, {"phase": "Terminating"}), ("Progressing", "being deleted"), id="namespace ends"
        ),
        pytest.param(made("Node"), ("Progressing", "it has not reported yet"), id="node new"),
        pytest.param(made("Node", None, READY), ("Healthy", ""), id="node ready"),
        pytest.param(
            made("Node", None, condition("Ready", "Unknown", "NodeStatusUnknown", "gone")),
            ("Degraded", "NodeStatusUnknown: gone"),
            id="node away",
        ),
        pytest.param(made("Node", {"unschedulable": True}, READY), ("Healthy", "cordoned"), id="node cordoned"),
    ],
)
def test_an_object_fares_as_its_status_says(object_: Object, expected: tuple[str, str]) -> None:
    assert found(object_) == expected


@pytest.mark.parametrize(
    "kind",
    [
        *("ConfigMap", "Secret", "ServiceAccount", "LimitRange", "ResourceQuota", "PodTemplate", "Lease", "Event"),
        *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass", "IngressClass"),
        *("NetworkPolicy", "EndpointSlice"),
    ],
)
def test_what_only_says_something_is_healthy_when_it_is_there(kind: str) -> None:
    assert found(made(kind)) == ("Healthy", "")


def test_the_state_of_pods_behind_a_workload_is_told_with_it() -> None:
    owned = {"name": "x", "uid": "uid-ReplicaSet", "namespace": "n"}
    by = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "uid-Deployment", "controller": True}
    of_set = by | {"kind": "ReplicaSet", "uid": "uid-ReplicaSet"}
    replica_set = made("ReplicaSet", THREE, metadata=owned | {"ownerReferences": [by]})
    stuck = {"phase": "Pending"} | waits("ImagePullBackOff", "no such image")
    pod = made("Pod", status=stuck, metadata=owned | {"uid": "p", "ownerReferences": [of_set]})
    deployment = made("Deployment", THREE, DEPLOYED | {"readyReplicas": 2})
    told = "2 of 3 pods ready; ImagePullBackOff: no such image"
    assert found(deployment, replica_set, pod) == ("Progressing", told)


def test_a_claim_that_waits_for_its_first_pod_keeps_nobody_waiting() -> None:
    class_ = made("StorageClass", volumeBindingMode="WaitForFirstConsumer", metadata={"name": "local"})
    claim = made("PersistentVolumeClaim", {"storageClassName": "local"}, {"phase": "Pending"})
    assert found(claim, class_) == ("Healthy", "bound once a pod that uses it is placed")


def test_what_is_not_there_is_missing() -> None:
    assert health(None, Cache(1)) == MISSING


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_what_is_being_deleted_is_not_healthy(kind: str) -> None:
    ending = made(kind, metadata={"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert health(ending, Cache(1)) == Health(State.PROGRESSING, "being deleted")


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_kind_that_nothing_acts_on_is_healthy_with_a_note_when_it_is_stored(kind: str) -> None:
    object_ = made(kind, {"type": "LoadBalancer"} if kind == "Service" else None)
    note = NOT_ACTED_ON.get(kind)
    assert health(object_, Cache(1)) == (judged(object_, Cache(1)) if note is None else Health(State.HEALTHY, note))
