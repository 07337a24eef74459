"""A node without its link: it runs on, it boots, it comes back."""

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
