"""https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ (nodeSelector, node affinity, operators)."""

import pytest

from reconciler.scheduler.schedule import schedule
from reconciler.scheduler.snapshot import Snapshot
from tests.unit.reconciler.scheduler.plugins.asking import (
    HOSTNAME,
    PREFERRED,
    REQUIRED,
    Json,
    asking,
    fits,
    node,
    pod,
    refusals,
    scores,
)

NODES = (
    node("east", {"zone": "east", "cores": "8"}),
    node("west", {"zone": "west", "cores": "16"}),
    node("bare", {"cores": "many"}),
)
ALL = {"east", "west", "bare"}


def one(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def required(*terms: Json) -> Json:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


@pytest.mark.parametrize(
    ("expression", "goes"),
    [
        pytest.param(one("zone", "In", "east", "north"), {"east"}, id="In"),
        pytest.param(one("zone", "NotIn", "east"), {"west", "bare"}, id="NotIn also where there is no label"),
        pytest.param(one("zone", "Exists"), {"east", "west"}, id="Exists"),
        pytest.param(one("zone", "DoesNotExist"), {"bare"}, id="DoesNotExist"),
        pytest.param(one("cores", "Gt", "8"), {"west"}, id="Gt, and what is no number is not greater"),
        pytest.param(one("cores", "Lt", "9"), {"east"}, id="Lt"),
    ],
)
def test_operators(expression: Json, goes: set[str]) -> None:
    assert fits(pod(affinity=required({"matchExpressions": [expression]})), *NODES) == goes


@pytest.mark.parametrize(
    ("spec", "goes"),
    [
        pytest.param({"nodeSelector": {"zone": "east"}}, {"east"}, id="nodeSelector"),
        pytest.param({"nodeSelector": {"zone": "east", "cores": "16"}}, set(), id="all labels of nodeSelector"),
        pytest.param(
            {
                "affinity": required(
                    {"matchExpressions": [one("zone", "In", "east")]}, {"matchExpressions": [one("zone", "In", "west")]}
                )
            },
            {"east", "west"},
            id="terms are alternatives",
        ),
        pytest.param(
            {"affinity": required({"matchExpressions": [one("zone", "Exists"), one("cores", "Gt", "8")]})},
            {"west"},
            id="expressions of a term all have to hold",
        ),
        pytest.param(
            {"nodeSelector": {"zone": "east"}, "affinity": required({"matchExpressions": [one("cores", "Gt", "8")]})},
            set(),
            id="nodeSelector and affinity both have to hold",
        ),
        pytest.param({"affinity": required({})}, set(), id="an empty term matches nothing"),
        pytest.param(
            {"affinity": required({"matchFields": [one("metadata.name", "In", "bare")]})}, {"bare"}, id="a node by name"
        ),
        pytest.param(
            {"affinity": required({"matchFields": [one("metadata.name", "NotIn", "bare")]})},
            {"east", "west"},
            id="all but a node",
        ),
    ],
)
def test_selectors_and_terms(spec: Json, goes: set[str]) -> None:
    assert fits(pod(**spec), *NODES) == goes


def test_where_nodes_are_named_the_others_are_not_even_asked() -> None:
    cordoned = node("east", taints=[{"key": "k", "effect": "NoSchedule"}])
    named = pod(affinity=required({"matchFields": [one("metadata.name", "In", "west")]}))
    assert refusals(named, cordoned, node("west")) == {
        "east": "NodeAffinity: node(s) didn't satisfy plugin(s) [NodeAffinity]"
    }


def test_nor_asked_later_because_a_pod_holds_a_place_there() -> None:
    apart = {"podAntiAffinity": {REQUIRED: [{"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"a": "b"}}}]}}
    named = required({"matchFields": [one("metadata.name", "In", "west")]}) | apart
    snapshot = Snapshot([node("east"), node("west", cpu="0")])
    asked = [pod(name, containers=[asking(cpu="1")], affinity=named) for name in ("first", "second")]
    told = "1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    assert told in schedule(asked[:1], snapshot)[0].message
    snapshot.nominate(pod("important"), "east")
    assert told in schedule(asked[1:], snapshot)[0].message


def test_preferred_terms_add_up_and_the_best_has_all() -> None:
    preferred = [
        {"weight": 1, "preference": {"matchExpressions": [one("zone", "In", "east")]}},
        {"weight": 50, "preference": {"matchExpressions": [one("zone", "In", "west")]}},
        {"weight": 10, "preference": {}},
    ]
    asked = pod(affinity={"nodeAffinity": {PREFERRED: preferred}})
    assert scores("NodeAffinity", asked, *NODES) == {"east": 4, "west": 200, "bare": 0}
    assert fits(asked, *NODES) == ALL
