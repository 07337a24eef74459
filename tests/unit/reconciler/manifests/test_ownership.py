from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.manifests.documents import load
from reconciler.manifests.ledger import Declared
from reconciler.manifests.ownership import Outcome, differs, fingerprint, owned_fields, settle
from reconciler.provenance import COMMIT, SOURCE
from reconciler.store.changes import Create, Update
from schemas.defaults import defaulted
from schemas.meta import Object
from tests.unit.reconciler.manifests.builders import NOW, config_map, deployment

AnyLive: TypeAlias = Any
"""A live object, whose kind the test knows."""


def declared(text: str, file: str = "a.yaml") -> Declared:
    (claim,) = load(file, text.encode()).claims
    assert claim.data is not None, load(file, text.encode()).faults
    return Declared(claim.ref, file, claim.line, claim.data)


def apply(text: str, live: Object | None, *, file: str = "a.yaml", commit: str = "c1") -> Outcome:
    return settle(declared(text, file), live, defaulted, commit, NOW)


def written(outcome: Outcome) -> AnyLive:
    assert isinstance(outcome.change, Create | Update), outcome
    return outcome.change.object


def edited(live: Object, **paths: object) -> AnyLive:
    """The object with fields set through the API: `spec__replicas=5`."""
    data = msgspec.to_builtins(live)
    for path, value in paths.items():
        *steps, last = path.split("__")
        at = data
        for step in steps:
            at = at.setdefault(step, {})
        at[last] = value
    return msgspec.convert(data, type(live))


def test_a_declared_object_that_is_not_there_is_created_with_where_it_comes_from() -> None:
    new = written(apply(deployment("web"), None, file="shop/web.yaml", commit="abc"))
    assert new.metadata.annotations == {SOURCE: "shop/web.yaml:1", COMMIT: "abc"}
    assert owned_fields(new) is not None


def test_what_is_as_declared_is_left_alone_whatever_file_line_or_commit() -> None:
    live = written(apply(deployment("web"), None))
    assert apply("# note\n\n" + deployment("web"), live, file="other.yaml", commit="c2") == Outcome()


def test_a_real_change_renews_where_it_comes_from() -> None:
    live = written(apply(deployment("web"), None))
    new = written(apply("# note\n" + deployment("web", "web:2"), live, file="b.yaml", commit="c2"))
    assert new.metadata.annotations == {SOURCE: "b.yaml:2", COMMIT: "c2"}
    assert new.spec.template.spec.containers[0].image == "web:2"


def test_a_service_changes_its_type_without_the_leftovers_of_the_old_one() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
    live = written(apply(text, None))
    assert live.spec.allocate_load_balancer_node_ports
    new = written(apply(text.replace("LoadBalancer", "ClusterIP"), live))
    assert (new.spec.type, new.spec.allocate_load_balancer_node_ports) == ("ClusterIP", None)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param({"spec__replicas": 5}, False, id="a declared field is put back"),
        pytest.param({"spec__paused": True}, True, id="a field left out keeps what the API set"),
        pytest.param(
            {"spec__template__metadata__annotations": {"kubectl.kubernetes.io/restartedAt": "now"}},
            True,
            id="rollout restart",
        ),
        pytest.param({"metadata__labels": {"team": "x"}}, True, id="a label of someone else"),
        pytest.param({"spec__minReadySeconds": 5}, True, id="a default that was changed"),
    ],
)
def test_declared_fields_hold_and_the_others_are_free(change: dict[str, object], kept: bool) -> None:
    live = edited(written(apply(deployment("web"), None)), **change)
    outcome = apply(deployment("web"), live)
    assert (outcome == Outcome()) is kept
    if not kept:
        assert written(outcome).spec.replicas == 2


def test_replicas_left_out_belong_to_the_autoscaler_and_given_up_they_fall_to_the_default() -> None:
    live = edited(written(apply(deployment("web", replicas=None), None)), spec__replicas=7)
    assert apply(deployment("web", replicas=None), live) == Outcome()
    live = written(apply(deployment("web", replicas=4), live))
    assert live.spec.replicas == 4
    assert written(apply(deployment("web", replicas=None), live)).spec.replicas == 1


def test_a_key_that_is_declared_no_more_goes_and_one_of_the_api_stays() -> None:
    live = written(apply(config_map("x") + "binaryData: {a: eA==}\n", None))
    live = edited(live, data={"value": "1", "mine": "2"})
    new = written(apply(config_map("x"), live))
    assert (new.data, new.binary_data) == ({"value": "1", "mine": "2"}, {})


def test_a_live_object_of_the_name_is_adopted() -> None:
    live = edited(written(apply(config_map("x"), None)), metadata__managedFields=[], metadata__annotations={})
    new = written(apply(config_map("x"), live))
    assert owned_fields(new) is not None
    assert apply(config_map("x"), new) == Outcome()


def test_an_immutable_field_is_a_fault_that_says_what_to_do() -> None:
    live = written(apply(deployment("web"), None))
    outcome = apply(deployment("web").replace("{app: web}", "{app: other}"), live, file="shop/w.yaml")
    assert outcome.change is None
    (fault,) = outcome.faults
    assert str(fault).startswith("shop/w.yaml:1: Deployment/web: spec.selector: ")
    assert fault.message.endswith("rename the object, or delete it first (take it out of the folder, then put it back)")


def test_a_declared_object_that_only_with_the_live_fields_is_wrong_is_a_fault() -> None:
    live = written(apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nimmutable: true\ndata: {a: b}\n", None))
    assert apply(config_map("x"), live).faults


def test_a_status_is_no_difference() -> None:
    live = written(apply(deployment("web"), None))
    counted = replace(
        live, status=replace(live.status, replicas=2), metadata=replace(live.metadata, resource_version="9")
    )
    assert not differs(live, counted)
    assert differs(live, replace(live, spec=replace(live.spec, replicas=9)))
    assert fingerprint(declared(deployment("web")), live) == fingerprint(declared(deployment("web")), counted)


IMAGES = st.sampled_from(["web:1", "web:2"])
EXTRAS = st.sampled_from(["", "          env: [{name: A, value: '1'}]\n", "          ports: [{containerPort: 80}]\n"])
TEXTS = st.builds(deployment, st.just("web"), IMAGES, st.sampled_from([None, 1, 3]), EXTRAS)


@given(st.lists(TEXTS, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_applying_the_last_of_any_declarations_again_changes_nothing(history: list[str]) -> None:
    live: Object | None = None
    for text in history:
        outcome = apply(text, live)
        live = live if outcome.change is None else written(outcome)
    assert apply(history[-1], live) == Outcome()
    fresh = written(apply(history[-1], None))
    assert live is not None
    assert not differs(replace(live, metadata=fresh.metadata), fresh)
