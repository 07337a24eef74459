from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.apply import Element, apply, owned_fields, owns
from schemas.apps import Deployment
from schemas.core.config import ConfigMap
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.fieldsets import FieldSet


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": list(containers), **spec},
    }


def test_what_is_declared_holds_and_what_nobody_declares_stays() -> None:
    live = pod({"name": "c", "image": "old", "imagePullPolicy": "Always"}, nodeName="n1")
    found, owned = apply(Pod, live, pod({"name": "c", "image": "new"}), {})
    assert found == pod({"name": "c", "image": "new", "imagePullPolicy": "Always"}, nodeName="n1")
    assert owned == {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:image": {}}}}}


def test_what_is_no_longer_declared_goes() -> None:
    first = {"data": {"a": "1", "b": "2"}, "metadata": {"name": "m", "labels": {"l": "1"}}}
    live, owned = apply(ConfigMap, None, first, {})
    live["metadata"]["labels"]["mine"] = "x"
    live, owned = apply(ConfigMap, live, {"data": {"b": "2"}, "metadata": {"name": "m"}}, owned)
    assert live == {"data": {"b": "2"}, "metadata": {"name": "m", "labels": {"mine": "x"}}}
    assert owned == {"f:data": {"f:b": {}}}


def test_an_element_that_is_no_longer_declared_goes_with_its_defaults() -> None:
    live, owned = apply(Pod, None, pod({"name": "a", "image": "x"}, {"name": "b", "image": "y"}), {})
    live["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    live["spec"]["containers"].append({"name": "injected", "image": "z"})
    live, _ = apply(Pod, live, pod({"name": "b", "image": "y"}), owned)
    assert [container["name"] for container in live["spec"]["containers"]] == ["b", "injected"]


def test_a_probe_that_is_no_longer_declared_goes_with_its_defaults() -> None:
    probe = {"httpGet": {"port": 80}}
    live, owned = apply(Pod, None, pod({"name": "a", "livenessProbe": probe}), {})
    live["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 10}
    live, _ = apply(Pod, live, pod({"name": "a"}), owned)
    assert live == pod({"name": "a"})


def test_a_handler_may_be_changed_for_another() -> None:
    live, owned = apply(Pod, None, pod({"name": "a", "livenessProbe": {"httpGet": {"port": 80}}}), {})
    live["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 10}
    live, _ = apply(Pod, live, pod({"name": "a", "livenessProbe": {"exec": {"command": ["x"]}}}), owned)
    assert live["spec"]["containers"][0]["livenessProbe"] == {"exec": {"command": ["x"]}, "periodSeconds": 10}


@pytest.mark.parametrize(
    ("live", "declared", "expected"),
    [
        pytest.param({"emptyDir": {}}, {"configMap": {"name": "x"}}, {"configMap": {"name": "x"}}, id="a default goes"),
        pytest.param(
            {"configMap": {"name": "x", "defaultMode": 420}},
            {"configMap": {"name": "y"}},
            {"configMap": {"name": "y", "defaultMode": 420}},
            id="a default of the same source stays",
        ),
    ],
)
def test_a_volume_keeps_one_source(live: dict[str, Any], declared: dict[str, Any], expected: dict[str, Any]) -> None:
    found, _ = apply(Pod, pod(volumes=[{"name": "v", **live}]), pod(volumes=[{"name": "v", **declared}]), {})
    assert found["spec"]["volumes"] == [{"name": "v", **expected}]


def test_a_strategy_may_be_changed_although_defaults_were_filled_in() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    found, _ = apply(Deployment, live, {"spec": {"strategy": {"type": "Recreate"}}}, {})
    assert found == {"spec": {"strategy": {"type": "Recreate"}}}


def test_a_replica_count_that_is_left_out_belongs_to_others() -> None:
    live, owned = apply(Deployment, None, {"spec": {"replicas": 2, "paused": True}}, {})
    live, owned = apply(Deployment, live, {"spec": {"paused": True}}, owned)
    live["spec"]["replicas"] = 7
    live, owned = apply(Deployment, live, {"spec": {"paused": True}}, owned)
    assert live == {"spec": {"paused": True, "replicas": 7}}


def test_a_selector_is_replaced_as_a_whole() -> None:
    live = {"spec": {"selector": {"matchLabels": {"a": "1"}}}}
    found, owned = apply(Deployment, live, {"spec": {"selector": {"matchLabels": {"b": "2"}}}}, {})
    assert found == {"spec": {"selector": {"matchLabels": {"b": "2"}}}}
    assert owned == {"f:spec": {"f:selector": {}}}


def test_a_port_is_known_by_its_number_and_protocol() -> None:
    live = {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}, {"port": 80, "protocol": "UDP"}]}}
    found, owned = apply(Service, live, {"spec": {"ports": [{"port": 80, "name": "web"}]}}, {})
    assert found["spec"]["ports"][0] == {"port": 80, "protocol": "TCP", "nodePort": 30000, "name": "web"}
    assert owns(owned, ("spec", "ports", {"port": 80, "protocol": "TCP"}, "name"))
    assert not owns(owned, ("spec", "ports", {"port": 80, "protocol": "UDP"}))


def test_a_list_that_names_an_element_twice_is_taken_as_a_whole() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    live, owned = apply(Pod, pod({"name": "c", "env": [{"name": "B"}]}), pod({"name": "c", "env": twice}), {})
    assert live["spec"]["containers"][0]["env"] == twice
    live, _ = apply(Pod, live, pod({"name": "c", "env": twice[:1]}), owned)
    assert live["spec"]["containers"][0]["env"] == twice[:1]


def test_an_element_without_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the field `name`"):
        apply(Pod, None, pod({"image": "x"}), {})


def test_finalizers_merge_as_a_set() -> None:
    live = {"metadata": {"finalizers": ["a/x", "b/y"]}}
    found, owned = apply(ConfigMap, live, {"metadata": {"finalizers": ["c/z", "b/y"]}}, {})
    assert sorted(found["metadata"]["finalizers"]) == ["a/x", "b/y", "c/z"]
    assert owns(owned, ("metadata", "finalizers", Element("c/z")))
    assert not owns(owned, ("metadata", "finalizers", Element("a/x")))


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        pytest.param(("spec", "replicas"), True, id="a field"),
        pytest.param(("spec", "paused"), False, id="another field"),
        pytest.param(("spec",), True, id="what contains it"),
        pytest.param(("spec", "selector", "matchLabels", "a"), True, id="a part of a whole"),
        pytest.param(("status",), False, id="nothing of it"),
        pytest.param((), True, id="the object"),
    ],
)
def test_ownership_is_told_by_path(path: tuple[str, ...], owned: bool) -> None:
    fields = owned_fields(Deployment, {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "1"}}}})
    assert owns(fields, path) is owned


def test_nobody_owns_what_identifies_an_object() -> None:
    declared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", "uid": "c"}}
    assert owned_fields(ConfigMap, declared) == {}


texts = st.sampled_from(["x", "y", "z"])
containers = st.lists(
    st.fixed_dictionaries(
        {"name": texts},
        optional={
            "image": texts,
            "env": st.lists(st.fixed_dictionaries({"name": texts}, optional={"value": texts}), max_size=3),
            "command": st.lists(texts, max_size=2),
            "livenessProbe": st.fixed_dictionaries({}, optional={"periodSeconds": st.integers(1, 3)}),
        },
    ),
    max_size=3,
    unique_by=lambda container: str(container["name"]),
)
pods = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({}, optional={"labels": st.dictionaries(texts, texts)}),
        "spec": st.fixed_dictionaries(
            {"containers": containers}, optional={"nodeSelector": st.dictionaries(texts, texts)}
        ),
    }
)


@settings(max_examples=60, deadline=None)
@given(pods, pods, pods)
def test_applying_twice_changes_nothing(live: dict[str, Any], before: dict[str, Any], declared: dict[str, Any]) -> None:
    owned: FieldSet = owned_fields(Pod, before)
    once, owned = apply(Pod, live, declared, owned)
    assert apply(Pod, once, declared, owned) == (once, owned)


@settings(max_examples=60, deadline=None)
@given(pods, pods)
def test_a_declaration_on_top_of_nothing_is_itself(before: dict[str, Any], declared: dict[str, Any]) -> None:
    found, _ = apply(Pod, before, declared, owned_fields(Pod, before))
    again, _ = apply(Pod, found, before, owned_fields(Pod, declared))
    assert apply(Pod, None, declared, {})[0] == declared
    assert {c["name"] for c in again["spec"]["containers"]} == {c["name"] for c in before["spec"]["containers"]}


@settings(max_examples=60, deadline=None)
@given(pods, pods)
def test_the_order_of_fields_does_not_matter(live: dict[str, Any], declared: dict[str, Any]) -> None:
    turned = {name: declared[name] for name in reversed(declared)}
    assert apply(Pod, live, declared, {}) == apply(Pod, live, turned, {})
