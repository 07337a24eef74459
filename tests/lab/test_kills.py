"""`kill -9` of each part: it recovers, nothing else restarts, nothing is lost, doubled or left over."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import Fleet
from tests.lab.manifests import deployment
from tests.lab.test_following_the_folder import settled
from tests.waiting import eventually, holds


def containers(fleet: Fleet) -> dict[str, int]:
    """Every running container of the fleet, with its process."""
    return {name: pid for node in fleet.nodes for name, pid in fleet.running(node).items()}


def restarts(fleet: Fleet, app: str) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in fleet.pods(f"app={app}")
    }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Fleet]:
    """No pod leaves a node while a busy machine takes its time to start an agent."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), ["a", "b"], images, toleration_seconds=300)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture(scope="module", autouse=True)
def workload(fleet: Fleet) -> None:
    fleet.write("other.yaml", deployment("other", replicas=0))  # an empty folder would hold deletions back
    fleet.write("steady.yaml", deployment("steady", replicas=4))
    settled(fleet, "steady", 4)


def test_a_killed_container_is_restarted_alone(fleet: Fleet) -> None:
    before = containers(fleet)
    victim, pid = next(iter(fleet.running("a").items()))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: sum(restarts(fleet, "steady").values()) == 1, 30, "one restart is counted")
    settled(fleet, "steady", 4)
    after = containers(fleet)
    assert len(after) == 4
    assert {name: pid for name, pid in before.items() if name != victim} == {
        name: pid for name, pid in after.items() if name in before
    }
    assert sorted(restarts(fleet, "steady").values()) == [0, 0, 0, 1]


def kill_agent(fleet: Fleet) -> None:
    fleet.kill("a")
    fleet.start_agent("a")


def kill_reconciler(fleet: Fleet) -> None:
    fleet.kill("reconciler")
    fleet.start_reconciler()


def kill_broker(fleet: Fleet) -> None:
    fleet.kill("broker")
    fleet.start_broker()


def kill_containerd(fleet: Fleet) -> None:
    old = fleet.containerd_pid("a")
    os.kill(old, signal.SIGKILL)
    eventually(lambda: fleet.containerd_pid("a") != old, 20, "containerd runs again")


KILLS = [kill_agent, kill_reconciler, kill_broker, kill_containerd]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.__name__)
def test_no_container_restarts_when_another_part_is_killed(fleet: Fleet, kill: Callable[[Fleet], None]) -> None:
    before, counts = eventually(lambda: containers(fleet)), restarts(fleet, "steady")
    kill(fleet)
    eventually(lambda: sorted(fleet.ready_nodes()) == ["a", "b"], 40, "both nodes Ready")
    settled(fleet, "steady", 4)
    fleet.write("after.yaml", deployment("after", replicas=2))
    settled(fleet, "after", 2)
    fleet.delete("after.yaml")
    eventually(lambda: not fleet.pods("app=after"), 40, "the change after the kill is undone")
    assert eventually(lambda: containers(fleet) == before, 20, "the same containers as before")
    assert restarts(fleet, "steady") == counts


def test_a_container_killed_while_the_agent_is_away_is_restarted_when_it_is_back(fleet: Fleet) -> None:
    counts = restarts(fleet, "steady")
    fleet.kill("b")
    victim, pid = next(iter(fleet.running("b").items()))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: victim not in fleet.running("b"), 10, "the container is dead")
    fleet.start_agent("b")
    eventually(lambda: sum(restarts(fleet, "steady").values()) == sum(counts.values()) + 1, 30, "one restart more")
    settled(fleet, "steady", 4)
    assert len(containers(fleet)) == 4


def test_everything_killed_at_once_comes_back_to_the_same_containers(fleet: Fleet) -> None:
    before, counts = containers(fleet), restarts(fleet, "steady")
    containerd = fleet.containerd_pid("b")
    for part in ("broker", "reconciler", "a", "b"):
        fleet.kill(part)
    os.kill(containerd, signal.SIGKILL)
    fleet.start_agent("a")
    fleet.start_agent("b")
    fleet.start_broker()
    fleet.start_reconciler()
    eventually(lambda: sorted(fleet.ready_nodes()) == ["a", "b"], 40, "both nodes Ready")
    settled(fleet, "steady", 4)
    assert eventually(lambda: containers(fleet) == before, 20, "the same containers as before")
    assert restarts(fleet, "steady") == counts


def test_nothing_is_left_over_when_all_is_deleted(fleet: Fleet) -> None:
    fleet.delete("steady.yaml")
    eventually(lambda: not fleet.get("pods", "-A")["items"], 60, "no pods")
    eventually(lambda: not containers(fleet), 30, "no containers")
    eventually(lambda: not any(fleet.sandboxes(node) for node in fleet.nodes), 30, "no sandboxes")
    holds(lambda: not containers(fleet), 1.0)
