"""What a container finds in its environment, and what its command becomes."""

from typing import Any

import msgspec
import pytest

from nodeagent.pods.environment import Environment, MissingConfig, environment, expand
from nodeagent.pods.fieldpaths import FieldFault, PodFacts, field, resource
from nodeagent.pods.node import NodeFacts
from schemas.core.container import Container, ResourceFieldSelector
from schemas.messages import Config
from tests.unit.nodeagent.pods.builders import pod

NODE = NodeFacts(
    name="node-1",
    addresses=("10.0.0.1", "fd00::1"),
    allocatable_cpu=4000,
    allocatable_memory=1 << 30,
    memory_capacity=1,
)
CONFIGS = {
    one.key: one
    for one in (
        Config("ConfigMap", "default", "cm", {"a": b"1", "b": b"2", "bad=key": b"3"}),
        Config("Secret", "default", "sec", {"word": b"sesame"}),
    )
}
POD = pod(
    metadata={"labels": {"app": "web", "tier": 'a"b'}, "annotations": {"note": "hello"}},
    nodeName="node-1",
    serviceAccountName="robot",
)
FACTS = PodFacts(POD, NODE, ("10.244.0.5", "fd00::5"))


def container(**fields: Any) -> Container:  # noqa: ANN401 - as YAML
    return msgspec.convert({"name": "main", "image": "app:1", **fields}, Container)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        pytest.param("$(A)", "1", id="known"),
        pytest.param("$(A)$(B)", "12", id="two"),
        pytest.param("$(NOBODY)", "$(NOBODY)", id="unknown stays"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("$$$(A)", "$1", id="escaped, then known"),
        pytest.param("$$$$(A)", "$$(A)", id="twice escaped"),
        pytest.param("$(A", "$(A", id="not closed"),
        pytest.param("$A", "$A", id="shell's own"),
        pytest.param("cost: 5$", "cost: 5$", id="at the end"),
        pytest.param("$()", "$()", id="empty"),
        pytest.param("$(A$(B))", "$(A$(B))", id="nested is no name"),
    ],
)
def test_references_are_expanded_as_the_kubelet_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


@pytest.mark.parametrize(
    ("fields", "variables"),
    [
        pytest.param(
            {"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)y"}]}, {"A": "x", "B": "xy"}, id="earlier"
        ),
        pytest.param(
            {"env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "x"}]}, {"B": "$(A)", "A": "x"}, id="later"
        ),
        pytest.param({"envFrom": [{"secretRef": {"name": "sec"}, "prefix": "P_"}]}, {"P_word": "sesame"}, id="prefix"),
        pytest.param(
            {"envFrom": [{"secretRef": {"name": "sec"}}], "env": [{"name": "word", "value": "own"}]},
            {"word": "own"},
            id="env overrides envFrom",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "x", "optional": True}}}]},
            {},
            id="optional and absent",
        ),
        pytest.param({"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]}, {}, id="optional source"),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "word"}}}]},
            {"A": "sesame"},
            id="secret",
        ),
        pytest.param(
            {
                "resources": {"limits": {"cpu": "1500m"}},
                "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
            },
            {"A": "2"},
            id="resource, rounded up",
        ),
    ],
)
def test_variables_come_from_everywhere_in_their_order(fields: dict[str, Any], variables: dict[str, str]) -> None:
    found = environment(container(**fields), FACTS, CONFIGS)
    assert isinstance(found, Environment)
    assert found.variables == variables


def test_keys_that_cannot_be_names_are_skipped_and_said() -> None:
    found = environment(container(envFrom=[{"configMapRef": {"name": "cm"}}]), FACTS, CONFIGS)
    assert isinstance(found, Environment)
    assert found.variables == {"a": "1", "b": "2"}
    assert "Keys [bad=key] from the EnvFrom configMap default/cm were skipped" in str(found.skipped[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "nosuch", "key": "x"}}}]},
            'configmap "nosuch" not found',
            id="config map",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "x"}}}]},
            "couldn't find key x in Secret default/sec",
            id="key of a secret",
        ),
        pytest.param({"envFrom": [{"secretRef": {"name": "nosuch"}}]}, 'secret "nosuch" not found', id="source"),
    ],
)
def test_what_is_required_and_missing_is_named(fields: dict[str, Any], message: str) -> None:
    found = environment(container(**fields), FACTS, CONFIGS)
    assert isinstance(found, MissingConfig)
    assert str(found) == message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hello"),
        ("metadata.labels", 'app="web"\ntier="a\\"b"'),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "robot"),
        ("status.hostIP", "10.0.0.1"),
        ("status.hostIPs", "10.0.0.1,fd00::1"),
        ("status.podIP", "10.244.0.5"),
        ("status.podIPs", "10.244.0.5,fd00::5"),
    ],
)
def test_a_pod_may_know_itself(path: str, value: str) -> None:
    assert field(path, FACTS) == value


def test_a_field_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(FieldFault, match=r"unsupported fieldPath: spec\.colour"):
        field("spec.colour", FACTS)


@pytest.mark.parametrize(
    ("name", "divisor", "value"),
    [
        pytest.param("limits.cpu", None, "1", id="cpu"),
        pytest.param("limits.cpu", "1m", "250", id="cpu in thousandths"),
        pytest.param("requests.memory", "1Mi", "64", id="memory in MiB"),
        pytest.param("limits.memory", "1Mi", "1024", id="no limit: what the node has"),
        pytest.param("requests.ephemeral-storage", None, "0", id="no request"),
    ],
)
def test_resources_are_told_in_their_divisor(name: str, divisor: str | None, value: str) -> None:
    one = container(resources={"limits": {"cpu": "250m"}, "requests": {"memory": "64Mi"}})
    assert resource(ResourceFieldSelector(name, divisor=divisor), one, FACTS) == value
