"""https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/, KEP-895, KEP-3022
(minDomains), KEP-3094 (which nodes count), KEP-3243 (matchLabelKeys)."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from schemas.core.service import Service
from tests.oracles.scheduler.chance import made
from tests.unit.reconciler.scheduler.plugins.asking import (
    HOSTNAME,
    ZONE,
    Json,
    fits,
    node,
    pod,
    refusals,
    scores,
    zoned,
)

FOO = {"foo": "bar"}
N1, N2, N3, N4 = (zoned(name, zone) for name, zone in (("n1", "A"), ("n2", "A"), ("n3", "B"), ("n4", "B")))
FLEET = (N1, N2, N3, N4)
THREE = tuple(pod(f"on-{name}", on=name, labels=FOO) for name in ("n1", "n2", "n3"))
"""The documentation's example: two pods in zone A, one in zone B."""


def spread(key: str = ZONE, skew: int = 1, when: str = "DoNotSchedule", **more: object) -> Json:
    return {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": FOO},
    } | more


@pytest.mark.parametrize(
    ("constraints", "goes"),
    [
        pytest.param([spread()], {"n3", "n4"}, id="one constraint: zone B"),
        pytest.param([spread(), spread(HOSTNAME)], {"n4"}, id="two constraints: the empty node of zone B"),
        pytest.param([spread(skew=2)], {"n1", "n2", "n3", "n4"}, id="a skew of two is allowed"),
        pytest.param([spread(minDomains=3)], set(), id="too few domains: the least is taken to be none"),
        pytest.param([spread(minDomains=2)], {"n3", "n4"}, id="as many domains as there have to be"),
        pytest.param([spread(when="ScheduleAnyway")], {"n1", "n2", "n3", "n4"}, id="a wish keeps nobody off"),
        pytest.param([spread("rack")], set(), id="nodes without the key"),
        pytest.param([spread(labelSelector={})], {"n1", "n2", "n3", "n4"}, id="an empty selector counts nobody"),
    ],
)
def test_the_examples_of_the_documentation(constraints: list[Json], goes: set[str]) -> None:
    assert fits(pod(labels=FOO, topologySpreadConstraints=constraints), *FLEET, *THREE) == goes


def test_two_constraints_that_contradict_each_other_leave_no_node() -> None:
    """Zone A has three pods on two nodes, zone B has two on its only node."""
    fleet = (N1, N2, N3)
    there = [pod(f"p{at}", on=name, labels=FOO) for at, name in enumerate(("n1", "n1", "n2", "n3", "n3"))]
    asked = pod(labels=FOO, topologySpreadConstraints=[spread(), spread(HOSTNAME)])
    assert fits(asked, *fleet, *there) == set()


def test_reasons() -> None:
    bare = node("bare")
    found = refusals(pod(labels=FOO, topologySpreadConstraints=[spread()]), *FLEET, bare, *THREE)
    assert found == {
        "n1": "PodTopologySpread: node(s) didn't match pod topology spread constraints",
        "n2": "PodTopologySpread: node(s) didn't match pod topology spread constraints",
        "bare": "PodTopologySpread: node(s) didn't match pod topology spread constraints (missing required label)",
    }


def test_a_pod_that_its_own_selector_does_not_pick_is_not_counted_itself() -> None:
    asked = pod(topologySpreadConstraints=[spread()])
    assert fits(asked, *FLEET, *THREE) == {"n1", "n2", "n3", "n4"}


@pytest.mark.parametrize("what", ["ending", "elsewhere"])
def test_pods_that_end_or_are_of_other_namespaces_do_not_count(what: str) -> None:
    ending = structs.replace(THREE[0].metadata, deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC))
    other = (
        structs.replace(THREE[0], metadata=ending)
        if what == "ending"
        else pod("on-n1", on="n1", labels=FOO, namespace="other")
    )
    asked = pod(labels=FOO, topologySpreadConstraints=[spread()])
    assert fits(asked, *FLEET, other, *THREE[1:]) == {"n1", "n2", "n3", "n4"}


@pytest.mark.parametrize(
    ("policies", "goes"),
    [
        pytest.param({}, {"n1", "n2"}, id="by default nodes that affinity leaves out do not count"),
        pytest.param({"nodeAffinityPolicy": "Ignore"}, set(), id="unless told otherwise: zone B is the emptier"),
    ],
)
def test_which_nodes_count_by_affinity(policies: Json, goes: set[str]) -> None:
    inner = [zoned(name, "A", disk="ssd") for name in ("n1", "n2")]
    asked = pod(labels=FOO, nodeSelector={"disk": "ssd"}, topologySpreadConstraints=[spread(**policies)])
    assert fits(asked, *inner, N3, N4, *THREE[:2]) == goes


@pytest.mark.parametrize(
    ("policies", "goes"),
    [
        pytest.param({}, set(), id="by default tainted nodes count"),
        pytest.param({"nodeTaintsPolicy": "Honor"}, {"n1", "n2"}, id="unless told otherwise"),
    ],
)
def test_which_nodes_count_by_taints(policies: Json, goes: set[str]) -> None:
    closed = node("n3", {ZONE: "B"}, [{"key": "closed", "effect": "NoSchedule"}])
    asked = pod(labels=FOO, topologySpreadConstraints=[spread(**policies)])
    assert fits(asked, N1, N2, closed, *THREE[:2]) == goes


def test_each_revision_is_spread_on_its_own() -> None:
    constraint = spread(matchLabelKeys=["hash"])
    old = [pod(f"old-{name}", on=name, labels=FOO | {"hash": "1"}) for name in ("n1", "n2")]
    assert fits(pod(labels=FOO | {"hash": "2"}, topologySpreadConstraints=[constraint]), *FLEET, *old) == {
        *("n1", "n2", "n3", "n4")
    }


def test_the_emptier_domain_is_the_better() -> None:
    asked = pod(labels=FOO, topologySpreadConstraints=[spread(when="ScheduleAnyway")])
    found = scores("PodTopologySpread", asked, *FLEET, *THREE)
    # Weight ln(2 + 2): two pods are 2.77 and count as 3, one is 1.39 and counts as 1: 100 · (3 + 1 - 3) // 3 = 33
    assert found == {"n1": 66, "n2": 66, "n3": 200, "n4": 200}
    assert scores("PodTopologySpread", asked, *FLEET, node("bare"), *THREE)["bare"] == 0


def test_pods_of_a_service_are_spread_without_a_word() -> None:
    service = made(
        Service,
        {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": FOO, "ports": [{"port": 80}]}},
    )
    found = scores("PodTopologySpread", pod(labels=FOO), *FLEET, *THREE, service)
    assert found["n4"] == max(found.values()) > found["n3"] > found["n1"] == found["n2"]
    assert set(scores("PodTopologySpread", pod(), *FLEET, *THREE, service).values()) == {0}
