import json
from typing import Any

import pytest

from reconciler.api.tables import LAYOUTS
from schemas.defaults import defaulted
from schemas.kinds import KINDS, Kind
from tests.unit.reconciler.api.builders import NOW, ago, object_of, shared, smallest

RECORDED = {"CertificateSigningRequest": "csr", "HorizontalPodAutoscaler": "hpa_v2", "Node": "nodes_real"}
"""Where the record does not bear the name of the kind."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_table_whose_rows_fit_its_columns(kind: Kind) -> None:
    layout = LAYOUTS[kind.name]
    document = smallest(kind)
    document["metadata"]["creationTimestamp"] = ago(seconds=5)
    cells = layout.cells(object_of(document), NOW)
    assert len(cells) == len(layout.columns)
    assert "x" in cells


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_columns_are_those_of_kubernetes(kind: Kind) -> None:
    name = RECORDED.get(kind.name, kind.name.lower())
    recorded = json.loads((shared() / "api" / "tables" / f"{name}.json").read_text())
    columns = LAYOUTS[kind.name].columns
    ours = [{"name": c.name, "type": c.type, "format": c.format, "priority": c.priority} for c in columns]
    assert ours == recorded["response"]["body"]["columnDefinitions"]


_SAME = (
    "configmap",
    "secret",
    "namespace",
    "serviceaccount",
    "event",
    "pod_no_token",
    "node",
    "service_headless",
    "service_externalname",
    "service",
    "service_nodeport",
    "service_loadbalancer",
    "service_clientip",
    "clusterrole",
    "clusterrolebinding",
    "cronjob",
    "daemonset",
    "endpointslice",
    "hpa_v2",
    "ingress",
    "ingressclass",
    "lease",
    "limitrange",
    "networkpolicy_egress",
    "poddisruptionbudget",
    "podtemplate",
    "priorityclass",
    "role",
    "rolebinding",
    "statefulset_claims",
    "storageclass",
)


@pytest.mark.parametrize("name", _SAME)
def test_the_cells_are_those_of_kubernetes(name: str) -> None:
    transcripts = shared()
    stored = json.loads((transcripts / "defaults" / f"{name}.json").read_text())["out"]
    table = json.loads((transcripts / "api" / "tables" / f"{name}.json").read_text())["response"]["body"]
    (row,) = table["rows"]
    document = json.loads(json.dumps(stored).replace('"<nodeport>"', "30000").replace('"<time>"', f'"{ago(days=1)}"'))
    document["metadata"].pop("managedFields", None)
    kind = document["kind"]
    if kind == "Pod" and document["spec"].get("schedulingGates"):
        gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
        document["status"]["conditions"] = [gated]
    cells = LAYOUTS[kind].cells(defaulted(object_of(document)), NOW)
    ages = {"Age", "Last Seen", "First Seen"}
    if "Created At" in [column.name for column in LAYOUTS[kind].columns]:
        row["cells"][-1] = ago(days=1)
    shown = [
        "<age>" if column.name in ages else cell.replace("30000", "<nodeport>") if isinstance(cell, str) else cell
        for column, cell in zip(LAYOUTS[kind].columns, cells, strict=True)
    ]
    assert shown == row["cells"]


def test_a_node_shows_its_roles_and_that_it_is_cordoned() -> None:
    info = dict.fromkeys(("bootID", "kubeProxyVersion", "machineID", "operatingSystem", "systemUUID"), "x")
    node = object_of(
        {
            "kind": "Node",
            "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/edge": "", "kubernetes.io/role": "cam"}},
            "spec": {"unschedulable": True},
            "status": {
                "conditions": [{"type": "Ready", "status": "Unknown"}],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": info
                | {"architecture": "arm64", "kernelVersion": "6.1", "kubeletVersion": "v1"}
                | {"osImage": "Debian", "containerRuntimeVersion": "containerd://1.6"},
            },
        }
    )
    assert LAYOUTS["Node"].cells(node, NOW) == (
        "n",
        "NotReady,SchedulingDisabled",
        "cam,edge",
        "<unknown>",
        "v1",
        "10.0.0.1",
        "<none>",
        "Debian",
        "6.1 (arm64)",
        "containerd://1.6",
    )


def test_workloads_show_what_they_have_of_what_they_want() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    status = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1, "replicas": 3}
    deployment = object_of({"kind": "Deployment", "metadata": {"name": "d"}, "spec": spec, "status": status})
    assert LAYOUTS["Deployment"].cells(deployment, NOW)[1:4] == ("1/3", 2, 1)
    del status["updatedReplicas"]
    replica_set = object_of({"kind": "ReplicaSet", "metadata": {"name": "r"}, "spec": spec, "status": status})
    assert LAYOUTS["ReplicaSet"].cells(replica_set, NOW)[1:4] == (3, 3, 1)
    assert LAYOUTS["ReplicaSet"].cells(replica_set, NOW)[5:] == ("a,b", "x:1,y:1", "app=x")


def test_an_event_of_a_series_counts_the_series() -> None:
    event = object_of(
        {
            "kind": "Event",
            "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
            "eventTime": ago(minutes=5),
            "series": {"count": 7, "lastObservedTime": ago(seconds=9)},
            "reportingComponent": "nodeagent",
            "reportingInstance": "n1",
            "type": "Warning",
            "reason": "BackOff",
            "message": "again\n",
        }
    )
    cells = LAYOUTS["Event"].cells(event, NOW)
    assert cells == ("9s", "Warning", "BackOff", "pod/p", "spec.containers{c}", "nodeagent, n1", "again", "5m", 7, "e")


_JOB: dict[str, Any] = {"template": {"spec": {"containers": [{"name": "c", "image": "x:1"}], "restartPolicy": "Never"}}}


def _true(condition: str) -> dict[str, Any]:
    return {"conditions": [{"type": condition, "status": "True"}]}


@pytest.mark.parametrize(
    ("spec", "status", "shown"),
    [
        pytest.param({}, {}, ("Running", "0/1", ""), id="not started"),
        pytest.param({"completions": 3}, {"startTime": ago(seconds=30)}, ("Running", "0/3", "30s"), id="running"),
        pytest.param({"parallelism": 3}, {"succeeded": 1}, ("Running", "1/1 of 3", ""), id="work queue"),
        pytest.param(
            {"completions": 1},
            {
                "succeeded": 1,
                "startTime": ago(minutes=9),
                "completionTime": ago(minutes=7),
            }
            | _true("Complete"),
            ("Complete", "1/1", "2m"),
            id="complete",
        ),
        pytest.param({}, _true("Suspended"), ("Suspended", "0/1", ""), id="suspended"),
        pytest.param({}, _true("Failed"), ("Failed", "0/1", ""), id="failed"),
    ],
)
def test_a_job_shows_how_far_it_is(spec: dict[str, Any], status: dict[str, Any], shown: tuple[str, ...]) -> None:
    job = object_of({"kind": "Job", "metadata": {"name": "j"}, "spec": _JOB | spec, "status": status})
    assert LAYOUTS["Job"].cells(job, NOW)[1:4] == shown


def test_a_bound_claim_shows_what_its_volume_gives() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim: dict[str, Any] = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec}
    assert LAYOUTS["PersistentVolumeClaim"].cells(object_of(claim), NOW)[2:5] == ("", "", "")
    claim["spec"]["volumeName"] = "v"
    claim["status"] = {
        "phase": "Bound",
        "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "capacity": {"storage": "2048Mi"},
    }
    assert LAYOUTS["PersistentVolumeClaim"].cells(object_of(claim), NOW)[1:5] == ("Bound", "v", "2Gi", "RWO,RWX")


def test_an_autoscaler_shows_at_most_two_metrics() -> None:
    def resource(name: str) -> dict[str, Any]:
        target = {"type": "Utilization", "averageUtilization": 80}
        return {"type": "Resource", "resource": {"name": name, "target": target}}

    current = {"averageUtilization": 42, "averageValue": "10m"}
    autoscaler = object_of(
        {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "h"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "maxReplicas": 5,
                "metrics": [resource("cpu"), resource("memory"), resource("disk")],
            },
            "status": {
                "desiredReplicas": 1,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": current}}],
            },
        }
    )
    cells = LAYOUTS["HorizontalPodAutoscaler"].cells(autoscaler, NOW)
    assert cells[1:4] == ("Deployment/web", "cpu: 42%/80%, memory: <unknown>/80% + 1 more...", "<unset>")


def test_a_quota_shows_what_is_used_of_what_is_allowed() -> None:
    status = {"hard": {"pods": "10", "limits.cpu": "4"}, "used": {"pods": "3", "limits.cpu": "500m"}}
    quota = object_of({"kind": "ResourceQuota", "metadata": {"name": "q"}, "status": status})
    assert LAYOUTS["ResourceQuota"].cells(quota, NOW)[1:3] == ("pods: 3/10", "limits.cpu: 500m/4")
