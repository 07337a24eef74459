import pytest

from reconciler.plan.nodefile import BadNodes, nodes
from schemas import conditions
from schemas.core.node import Node
from tests.unit.reconciler.plan.builders import NOW

SHORT = """
nodes:
  hall:
    {cpu: 4, memory: 4Gi, labels: {room: hall}, taints: ["camera=yes:NoSchedule"], images: {"web:1": 12Mi, db: null}}
  edge: {count: 2, cpu: 500m, memory: 1Gi, pods: 5, resources: {example.com/gpu: 1}}
"""
PRINTED = """
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: n1, uid: u1, creationTimestamp: "2026-01-01T00:00:00Z", labels: {a: b}}
  spec: {podCIDR: 10.0.0.0/24}
  status:
    allocatable: {cpu: "4", memory: 8Gi, pods: "110"}
    conditions: [{type: Ready, status: Unknown, lastTransitionTime: "2026-01-01T00:00:00Z"}]
    images: [{names: ["docker.io/library/web:1"], sizeBytes: 1234}]
- {apiVersion: v1, kind: Node, metadata: {name: n2}}
"""


def read(text: str, name: str = "nodes.yaml") -> dict[str, Node]:
    return {one.metadata.name: one for one in nodes(name, text.encode(), NOW)}


def ready(one: Node) -> str:
    found = conditions.find(one.status.conditions, "Ready")
    assert found is not None
    return found.status


def test_a_few_words_make_nodes() -> None:
    found = read(SHORT)
    assert list(found) == ["hall", "edge-1", "edge-2"]
    hall, edge = found["hall"], found["edge-1"]
    assert hall.status.allocatable == {"cpu": 4, "memory": "4Gi", "pods": "110"}
    assert hall.metadata.labels == {"kubernetes.io/hostname": "hall", "room": "hall"}
    assert [(one.key, one.value, one.effect) for one in hall.spec.taints] == [("camera", "yes", "NoSchedule")]
    assert [(one.names, one.size_bytes) for one in hall.status.images] == [
        (("web:1",), 12 * 1024**2),
        (("db",), None),
    ]
    assert edge.status.allocatable["example.com/gpu"] == 1
    assert edge.status.allocatable["pods"] == "5"
    assert {ready(one) for one in found.values()} == {"True"}
    assert len({one.metadata.uid for one in found.values()}) == 3


def test_what_kubectl_prints_is_taken_as_it_is() -> None:
    found = read(PRINTED)
    assert (found["n1"].metadata.uid, ready(found["n1"]), ready(found["n2"])) == ("u1", "Unknown", "True")
    assert found["n1"].status.images[0].size_bytes == 1234


def test_json_is_read_too() -> None:
    assert list(read('{"nodes": {"a": {"cpu": 1, "memory": "1Gi"}}}', "nodes.json")) == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "nodes.yaml: there are no nodes in it", id="empty"),
        pytest.param("nodes: [", "nodes.yaml:2: this is not YAML", id="no YAML"),
        pytest.param("nodes: {a: {memory: 1Gi}}", "nodes.a: Object missing required field `cpu`", id="no cpu"),
        pytest.param("nodes: {a: {cpu: 1, memory: 1Gi, gpu: 1}}", "unknown field `gpu`", id="unknown field"),
        pytest.param("nodes: {a: {cpu: much, memory: 1Gi}}", "nodes.yaml:1: nodes.a.cpu: ", id="no amount"),
        pytest.param(
            "nodes: {a: {cpu: 1, memory: 1Gi, taints: [x]}}", "expected KEY=VALUE:EFFECT with one of", id="taint"
        ),
        pytest.param("kind: Pod\nmetadata: {name: a}", "found the kind Pod", id="another kind"),
        pytest.param("- a", "expected Node objects or a mapping", id="a list of words"),
        pytest.param("{kind: Node, metadata: {}}", "metadata.name is missing", id="no name"),
        pytest.param(
            "nodes: {a-1: {cpu: 1, memory: 1Gi}, a: {count: 1, cpu: 1, memory: 1Gi}}",
            "the node a-1 is there twice",
            id="twice",
        ),
        pytest.param("nodes: {a: {count: 9000, cpu: 1, memory: 1Gi}}", "more than the 5000", id="too many"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadNodes) as caught:
        read(text)
    assert said in str(caught.value)
