"""A node without its link: it runs on, it boots, it comes back."""

from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.manifests import deployment
from tests.lab.test_following_the_folder import settled
from tests.waiting import eventually, holds


@pytest.fixture(scope="module", autouse=True)
def other(fleet: Fleet) -> None:
    """An empty folder would hold deletions back."""
    fleet.write("other.yaml", deployment("other", replicas=0))


def pods_on(fleet: Fleet, app: str) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in fleet.pods(f"app={app}")}


def test_a_node_cut_off_runs_on_is_replaced_and_drops_the_doubles_when_it_returns(fleet: Fleet) -> None:
    fleet.write("cut.yaml", deployment("cut", replicas=4))
    settled(fleet, "cut", 4)
    on_b = fleet.running("b")
    assert on_b
    stayed = fleet.running("a")
    fleet.network.cut("b")
    eventually(lambda: fleet.ready_nodes() == ["a"], 30, "the node is not Ready")
    taints = [taint["key"] for taint in fleet.get("node", "b")["spec"]["taints"]]
    assert "node.kubernetes.io/unreachable" in taints
    eventually(lambda: len(fleet.ready_pods("app=cut")) == 4, 60, "replaced elsewhere")
    assert {pod["spec"]["nodeName"] for pod in fleet.ready_pods("app=cut")} == {"a"}
    assert fleet.running("b") == on_b
    fleet.network.heal("b")
    eventually(lambda: sorted(fleet.ready_nodes()) == ["a", "b"], 60, "the node is Ready again")
    eventually(lambda: not fleet.running("b"), 60, "the doubles have stopped")
    settled(fleet, "cut", 4)
    assert stayed.items() <= fleet.running("a").items()
    assert not [taint for taint in fleet.get("node", "b")["spec"].get("taints", [])]
    fleet.delete("cut.yaml")
    eventually(lambda: not fleet.pods("app=cut"), 60)


def test_an_agent_restarted_with_the_broker_away_keeps_its_containers(fleet: Fleet) -> None:
    fleet.write("keep.yaml", deployment("keep", replicas=2))
    settled(fleet, "keep", 2)
    before = fleet.running("a")
    fleet.kill("broker")
    fleet.kill("a")
    fleet.start_agent("a")
    eventually(lambda: "adopted" in fleet.log("a"), 20, "the agent has looked at what runs")
    holds(lambda: fleet.running("a") == before, 2.0)
    fleet.start_broker()
    settled(fleet, "keep", 2)
    assert fleet.running("a") == before


def test_a_machine_rebooted_with_the_broker_away_runs_all_its_pods_again(fleet: Fleet) -> None:
    fleet.write("boot.yaml", deployment("boot", replicas=4))
    settled(fleet, "boot", 4)
    names = {name for name, node in pods_on(fleet, "boot").items() if node == "b"}
    count = len(fleet.running("b"))
    assert names
    fleet.kill("broker")
    fleet.reboot("b")
    fleet.start_agent("b")
    eventually(lambda: len(fleet.running("b")) == count, 60, "all containers run again, with no broker")
    again = fleet.running("b")
    fleet.start_broker()
    eventually(lambda: len(fleet.ready_pods("app=boot")) == 4, 60, "known to be ready")
    assert names <= pods_on(fleet, "boot").keys()
    assert fleet.running("b") == again


TICK = 'while :; do echo "$NODE $(cut -d" " -f1 /proc/uptime)" >> /shared/ticks; usleep 50000; done'
"""Each tick tells the node, and the time since the boot of the machine, which all nodes of the lab share."""


def stateful_set(name: str, shared: Path, annotations: dict[str, str]) -> dict[str, Any]:
    """One pod that ticks into a folder of the machine; on node `b` as long as it can."""
    on_b = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}
    container = {
        "name": "main",
        "image": "wherry.local/busybox:1",
        "command": ["sh", "-c", TICK],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": on_b}]}
    spec = {
        "affinity": {"nodeAffinity": preferred},
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "shared", "hostPath": {"path": str(shared)}}],
    }
    metadata = {"labels": {"app": name}, "annotations": annotations}
    selector = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {"selector": selector, "serviceName": name, "template": {"metadata": metadata, "spec": spec}},
    }


def ticks(shared: Path) -> dict[str, list[float]]:
    """When the pod ticked on each node, in seconds."""
    found: dict[str, list[float]] = {}
    for line in (shared / "ticks").read_text().splitlines():
        node, uptime = line.split()
        found.setdefault(node, []).append(float(uptime))
    return found


def test_a_fenced_pod_that_is_cut_off_stops_by_itself_and_only_then_runs_elsewhere(
    fleet: Fleet, tmp_path: Path
) -> None:
    fenced = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": "6"}
    fleet.write("fence.yaml", stateful_set("fence", tmp_path, fenced))
    eventually(lambda: (tmp_path / "ticks").exists() and len(ticks(tmp_path).get("b", ())) > 5, 60, "it runs on b")
    holds(lambda: float(Path("/proc/uptime").read_text().split()[0]) - ticks(tmp_path)["b"][-1] < 5, 7.0)
    cut_at = float(Path("/proc/uptime").read_text().split()[0])
    fleet.network.cut("b")
    eventually(lambda: len(ticks(tmp_path).get("a", ())) > 5, 60, "it runs on a")
    before, after = ticks(tmp_path)["b"], ticks(tmp_path)["a"]
    assert cut_at + 1 < before[-1] < cut_at + 16, "it outlived its lease, or did not live for it"
    assert before[-1] < after[0], "two at once"
    assert "LeaseExpired" not in fleet.kubectl("get", "events"), "b could not tell anybody"
    fleet.network.heal("b")
    eventually(lambda: "LeaseExpired" in fleet.kubectl("get", "events"), 30, "what happened meanwhile is told")
    eventually(lambda: sorted(fleet.ready_nodes()) == ["a", "b"], 60, "the node is Ready again")
    holds(lambda: ticks(tmp_path)["b"][-1] == before[-1], 2.0)
    assert [pod["spec"]["nodeName"] for pod in fleet.ready_pods("app=fence")] == ["a"]
    fleet.delete("fence.yaml")
    eventually(lambda: not fleet.pods("app=fence"), 60)
