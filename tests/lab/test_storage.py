"""Claims on real nodes: a directory is made where the pod goes, outlives the pod, and goes with the claim."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.manifests import deployment
from tests.waiting import eventually, holds

APPEND = "id -g >> /data/starts; exec httpd -f -p 8080 -h /data"


@pytest.fixture(scope="module", autouse=True)
def other(fleet: Fleet) -> None:
    """An empty folder would hold deletions back."""
    fleet.write("other.yaml", deployment("other", replicas=0))


def storage_class(path: Path) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "disk"},
        "provisioner": "wherry.dev/local-path",
        "parameters": {"path": str(path)},
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def stateful_set(name: str) -> dict[str, Any]:
    """One pod that writes a line at each start."""
    container = {
        "name": "main",
        "image": "wherry.local/busybox:1",
        "command": ["sh", "-c", APPEND],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "data", "mountPath": "/deep", "subPath": "a/b"},
            {"name": "data", "mountPath": "/look", "readOnly": True},
        ],
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000},
        "containers": [container],
    }
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "disk",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "serviceName": name,
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        },
    }


def ready(fleet: Fleet, app: str) -> dict[str, Any]:
    return eventually(lambda: fleet.ready_pods(f"app={app}"), 60, f"{app} is ready")[0]


def directories(path: Path) -> list[Path]:
    return sorted(path.glob("pvc-*"))


def test_the_data_of_a_claim_outlives_its_pod_and_goes_with_the_claim(fleet: Fleet, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    fleet.write("class.yaml", storage_class(disk))
    fleet.write("db.yaml", stateful_set("db"))
    first = ready(fleet, "db")
    (made,) = directories(disk)
    assert made.name.endswith("_default_data-db-0")
    assert (made.stat().st_gid, made.stat().st_mode & 0o2777) == (3000, 0o2777)
    assert (made / "a" / "b").is_dir()
    assert (made / "starts").read_text() == "2000\n"
    inside = fleet.kubectl("exec", "db-0", "--", "sh", "-c", "touch /deep/x; touch /look/y || cat /look/starts")
    assert inside == "2000\n"
    assert (made / "a" / "b" / "x").exists()

    fleet.kubectl("delete", "pod", "db-0", "--wait=true")
    eventually(lambda: (made / "starts").read_text() == "2000\n2000\n", 60, "the next pod found the data")
    second = ready(fleet, "db")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["spec"]["nodeName"] == first["spec"]["nodeName"]

    fleet.kubectl("delete", "pvc", "data-db-0", "--wait=false")
    holds(lambda: fleet.get("pvc", "data-db-0")["status"]["phase"] == "Bound", 1.0, "in use")
    fleet.delete("db.yaml")
    eventually(lambda: not fleet.pods("app=db"), 60, "the pod has gone")
    eventually(lambda: not directories(disk), 30, "the directory has gone")
    eventually(lambda: not fleet.get("pv")["items"], 30, "the volume has gone")


def test_a_node_that_was_away_removes_what_was_deleted_meanwhile(fleet: Fleet, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    fleet.write("class.yaml", {**storage_class(disk), "metadata": {"name": "away"}})
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "away",
        },
    }
    fleet.write("claim.yaml", claim)
    user = deployment("user", replicas=1, volumeMounts=[{"name": "kept", "mountPath": "/data"}])
    user["spec"]["template"]["spec"]["volumes"] = [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]
    fleet.write("user.yaml", user)
    node = ready(fleet, "user")["spec"]["nodeName"]
    fleet.delete("user.yaml")
    eventually(lambda: not fleet.pods("app=user"), 60, "the pod has gone")
    (made,) = directories(disk)
    fleet.kill(node)
    fleet.delete("claim.yaml")
    eventually(lambda: fleet.get("pv")["items"][0]["metadata"].get("deletionTimestamp"), 30, "the volume is to go")
    assert made.exists()
    fleet.kill("reconciler")
    fleet.start_reconciler()
    fleet.start_agent(node)
    eventually(lambda: not directories(disk), 60, "the directory has gone")
    eventually(lambda: not fleet.get("pv")["items"], 30, "the volume has gone")
