"""https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity,
KEP-2249 (namespaceSelector), KEP-3633 (matchLabelKeys, mismatchLabelKeys)."""

import pytest

from schemas.core.config import Namespace
from schemas.meta import Object
from tests.oracles.scheduler.chance import made
from tests.unit.reconciler.scheduler.plugins.asking import (
    HOSTNAME,
    PREFERRED,
    REQUIRED,
    ZONE,
    Json,
    fits,
    node,
    pod,
    refusals,
    scores,
    zoned,
)

V1, V2, R = zoned("v1", "V"), zoned("v2", "V"), zoned("r", "R")
WEB, S1 = {"app": "web"}, {"matchLabels": {"security": "S1"}}


def near(key: str = ZONE, selector: Json = S1, **more: object) -> Json:
    return {"podAffinity": {REQUIRED: [{"topologyKey": key, "labelSelector": selector} | more]}}


def apart(key: str = ZONE, selector: Json = S1, **more: object) -> Json:
    return {"podAntiAffinity": {REQUIRED: [{"topologyKey": key, "labelSelector": selector} | more]}}


def preferred(side: str, weight: int, key: str = ZONE) -> Json:
    return {side: {PREFERRED: [{"weight": weight, "podAffinityTerm": {"topologyKey": key, "labelSelector": S1}}]}}


there = pod("there", on="v1", labels={"security": "S1"})


@pytest.mark.parametrize(
    ("affinity", "goes"),
    [
        pytest.param(near(), {"v1", "v2"}, id="in the zone of such a pod"),
        pytest.param(near(HOSTNAME), {"v1"}, id="on the node of such a pod"),
        pytest.param(apart(), {"r"}, id="in no zone of such a pod"),
        pytest.param(apart(HOSTNAME), {"v2", "r"}, id="on no node of such a pod"),
        pytest.param(near("rack"), set(), id="a node without the topology key is in no domain"),
        pytest.param(apart("rack"), {"v1", "v2", "r"}, id="and so nobody is near there"),
        pytest.param(near(selector={"matchLabels": {"security": "S2"}}), set(), id="no such pod anywhere"),
        pytest.param(near() | apart(HOSTNAME), {"v2"}, id="near in one sense, apart in another"),
        pytest.param(near(namespaces=["other"]), set(), id="pods of other namespaces are meant"),
        pytest.param(near(namespaces=["other", "default"]), {"v1", "v2"}, id="pods of several namespaces"),
        pytest.param(near(namespaceSelector={}), {"v1", "v2"}, id="an empty namespaceSelector means all"),
    ],
)
def test_required_terms(affinity: Json, goes: set[str]) -> None:
    assert fits(pod(affinity=affinity), V1, V2, R, there) == goes


def test_the_first_pod_of_its_kind_may_go_where_the_key_is() -> None:
    asked = pod(labels={"security": "S1"}, affinity=near("rack"))
    assert fits(asked, node("with", {"rack": "1"}), node("without")) == {"with"}


def test_all_terms_have_to_be_met_by_the_same_pod() -> None:
    """Two pods that meet one term each do not make one that meets both."""
    terms = [
        {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}},
        {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"tier": "front"}}},
    ]
    asked = pod(affinity={"podAffinity": {REQUIRED: terms}})
    halves = (pod("a", on="v1", labels=WEB), pod("b", on="v1", labels={"tier": "front"}))
    assert fits(asked, V1, V2, R, *halves) == set()
    assert fits(asked, V1, V2, R, pod("c", on="v1", labels=WEB | {"tier": "front"})) == {"v1", "v2"}


def test_anti_affinity_holds_in_both_directions() -> None:
    loner = pod("loner", on="v1", affinity=apart(selector={"matchLabels": WEB}))
    assert refusals(pod(labels=WEB), V1, V2, R, loner) == dict.fromkeys(
        ("v1", "v2"), "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules"
    )
    assert fits(pod(), V1, V2, R, loner) == {"v1", "v2", "r"}


def test_label_keys_tell_one_revision_from_another() -> None:
    others = (
        pod("old", on="v1", labels={"app": "web", "rev": "1"}),
        pod("new", on="r", labels={"app": "web", "rev": "2"}),
    )
    own = {"app": "web", "rev": "2"}
    web = {"matchLabels": WEB}
    assert fits(pod(labels=own, affinity=apart(selector=web, matchLabelKeys=["rev"])), V1, V2, R, *others) == {
        "v1",
        "v2",
    }
    assert fits(pod(labels=own, affinity=apart(selector=web, mismatchLabelKeys=["rev"])), V1, V2, R, *others) == {"r"}


def _namespace(name: str, **labels: str) -> Object:
    return made(Namespace, {"metadata": {"name": name, "labels": labels}})


@pytest.mark.parametrize(
    ("selector", "goes"),
    [
        pytest.param({"matchLabels": {"team": "x"}}, {"v1", "v2"}, id="of a namespace with that label"),
        pytest.param({"matchLabels": {"team": "y"}}, {"r"}, id="of another"),
        pytest.param({"matchLabels": {"team": "z"}}, set(), id="of none"),
        pytest.param(
            {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}]},
            {"v1", "v2", "r"},
            id="as the kube-scheduler has it, what picks no labels at all picks every namespace",
        ),
    ],
)
def test_namespaces_by_label(selector: Json, goes: set[str]) -> None:
    objects = (
        *(_namespace("a", team="x"), _namespace("b", team="y"), V1, V2, R),
        *(pod("pa", "v1", {"security": "S1"}, "a"), pod("pb", "r", {"security": "S1"}, "b")),
    )
    assert fits(pod(affinity=near(namespaceSelector=selector)), *objects) == goes


def test_the_weights_of_both_sides_add_up_and_are_stretched() -> None:
    fond = pod("fond", on="v1", affinity=preferred("podAffinity", 30, HOSTNAME))
    shy = pod("shy", on="v2", affinity=preferred("podAntiAffinity", 10, HOSTNAME))
    asked = pod(labels={"security": "S1"})
    assert scores("InterPodAffinity", asked, V1, V2, R, fond, shy) == {"v1": 200, "v2": 0, "r": 50}
    own = pod(affinity=preferred("podAffinity", 80))
    assert scores("InterPodAffinity", own, V1, V2, R, there) == {"v1": 200, "v2": 200, "r": 0}


def test_a_required_affinity_of_those_that_are_there_counts_a_little() -> None:
    needy = pod("needy", on="v1", affinity=near(HOSTNAME, S1))
    assert scores("InterPodAffinity", pod(labels={"security": "S1"}), V1, V2, R, needy) == {"v1": 200, "v2": 0, "r": 0}
