import json

import pytest

from reconciler.api.tables import LAYOUTS
from schemas.defaults import defaulted
from schemas.kinds import KINDS, Kind
from tests.unit.reconciler.api.builders import NOW, ago, object_of, shared, smallest

KUBERNETES = {
    "ConfigMap": "configmap",
    "Deployment": "deployment",
    "Event": "event",
    "Namespace": "namespace",
    "Node": "nodes_real",
    "Pod": "pod",
    "ReplicaSet": "replicaset",
    "Secret": "secret",
    "Service": "service",
    "ServiceAccount": "serviceaccount",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_table_whose_rows_fit_its_columns(kind: Kind) -> None:
    layout = LAYOUTS[kind.name]
    document = smallest(kind)
    document["metadata"]["creationTimestamp"] = ago(seconds=5)
    cells = layout.cells(object_of(document), NOW)
    assert len(cells) == len(layout.columns)
    assert "x" in cells


@pytest.mark.parametrize("kind", sorted(KUBERNETES))
def test_the_columns_are_those_of_kubernetes(kind: str) -> None:
    recorded = json.loads((shared() / "api" / "tables" / f"{KUBERNETES[kind]}.json").read_text())
    ours = [{"name": c.name, "type": c.type, "format": c.format, "priority": c.priority} for c in LAYOUTS[kind].columns]
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
