"""https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/ and …/disruptions (budgets)."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from msgspec import structs

from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod
from schemas.meta import Object
from schemas.policy import PodDisruptionBudget
from tests.oracles.scheduler.chance import made
from tests.oracles.scheduler.reference.decide import decide
from tests.oracles.scheduler.reference.world import World
from tests.unit.reconciler.scheduler.plugins.asking import asking, node, pod

N1, N2 = node("n1"), node("n2")


def less(name: str, on: str, cpu: str, priority: int = 0, minute: int = 0, **labels: str) -> Pod:
    found = pod(name, on, labels, containers=[asking(cpu=cpu)], priority=priority)
    began = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
    return structs.replace(found, status=structs.replace(found.status, phase="Running", start_time=began))


def budget(allowed: int, **labels: str) -> Object:
    metadata = {"name": "-".join(labels.values()), "namespace": "default"}
    spec = {"selector": {"matchLabels": labels}}
    return made(PodDisruptionBudget, {"metadata": metadata, "spec": spec, "status": {"disruptionsAllowed": allowed}})


def important(cpu: str = "4", policy: str = "") -> Pod:
    return pod("important", containers=[asking(cpu=cpu)], priority=1000, preemptionPolicy=policy)


class Outcome(NamedTuple):
    nominated: str
    victims: set[str]
    preemption: str


def decided(asked: Pod, *objects: Object) -> Outcome:
    """By the scheduler, and so by the reference."""
    (found,) = schedule((asked,), Snapshot(objects))
    theirs = decide(asked, World(objects))
    victims = {one.metadata.name for one in found.victims}
    assert (found.nominated_node, frozenset(f"default/{name}" for name in victims)) == (
        theirs.nominated,
        theirs.victims,
    )
    assert found.message == theirs.message
    return Outcome(found.nominated_node, victims, found.message.partition(" preemption: ")[2])


@pytest.mark.parametrize(
    ("there", "nominated", "victims"),
    [
        pytest.param([less("a", "n1", "3"), less("b", "n2", "3", 10)], "n1", {"a"}, id="the lowest priority leaves"),
        pytest.param(
            [less("a", "n1", "2"), less("b", "n1", "2"), less("c", "n2", "4")], "n2", {"c"}, id="the fewest leave"
        ),
        pytest.param(
            [less("a", "n1", "4", minute=1), less("b", "n2", "4", minute=9)], "n2", {"b"}, id="the youngest leaves"
        ),
        pytest.param([less("a", "n1", "4"), less("b", "n2", "4")], "n1", {"a"}, id="of equal ones the first by name"),
        pytest.param(
            [less("a", "n1", "4", app="db"), budget(0, app="db"), less("b", "n2", "4", 10)],
            "n2",
            {"b"},
            id="a budget counts for more than priority",
        ),
        pytest.param(
            [less("a", "n1", "4", app="db"), budget(1, app="db"), less("b", "n2", "4", 10)],
            "n1",
            {"a"},
            id="unless it allows it",
        ),
        pytest.param(
            [less("a", "n1", "4", app="db"), budget(0, app="db"), less("b", "n2", "4", 2000)],
            "n1",
            {"a"},
            id="where nothing else helps a budget is broken",
        ),
    ],
)
def test_who_leaves(there: list[Object], nominated: str, victims: set[str]) -> None:
    assert decided(important(), N1, N2, *there)[:2] == (nominated, victims)


def test_whoever_can_stay_stays_the_important_first() -> None:
    there = [less("low", "n1", "1"), less("mid", "n1", "1", 10), less("high", "n1", "1", 100)]
    assert decided(important("2"), N1, *there)[:2] == ("n1", {"low"})


def test_whose_budget_would_be_broken_stays_before_others() -> None:
    there = [less("kept", "n1", "2", app="db"), less("gone", "n1", "2", 10), budget(0, app="db")]
    assert decided(important("2"), N1, *there)[:2] == ("n1", {"gone"})


def test_why_it_does_not_help() -> None:
    equal = less("equal", "n1", "4", 1000)
    nobody = "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    assert decided(important(), N1, equal) == ("", set(), nobody)
    lasting = "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    assert decided(important("5"), N1, less("a", "n1", "4")) == ("", set(), lasting)
    still = "0/1 nodes are available: 1 Insufficient cpu."
    assert decided(important(), N1, equal, less("a", "n1", "0")) == ("", set(), still)
    never = "not eligible due to preemptionPolicy=Never."
    assert decided(important(policy="Never"), N1, less("a", "n1", "4")) == ("", set(), never)


def test_a_place_that_is_kept_is_not_given_to_a_lesser_pod() -> None:
    snapshot = Snapshot((N1, less("a", "n1", "4")))
    (first,) = schedule((important(),), snapshot)
    assert first.nominated_node == "n1"
    snapshot.drop(less("a", "n1", "4"))
    lesser, kept = schedule((pod("lesser", containers=[asking(cpu="1")]), important()), snapshot)
    assert lesser.message.startswith("0/1 nodes are available: 1 Insufficient cpu.")
    assert kept.node == "n1"
