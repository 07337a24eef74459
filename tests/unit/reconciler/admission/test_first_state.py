"""What an object is given when it comes, of the state that it is in."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from reconciler.admission import daemonsets, nodes, pods, storage
from reconciler.store.cache import Cache
from schemas.apps import DaemonSet
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume
from schemas.core.pod import Pod
from schemas.defaults import defaulted
from schemas.defaults.workloads import TEMPLATE_GENERATION
from schemas.kinds import BY_NAME

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = Cache()


def _object(kind: str, **fields: Any) -> Any:  # noqa: ANN401
    return msgspec.convert({"metadata": {"name": "a", "creationTimestamp": NOW}, **fields}, BY_NAME[kind].type)


def _daemon_set(image: str, generation: str = "") -> DaemonSet:
    template = {"spec": {"containers": [{"name": "c", "image": image}]}}
    annotations = {TEMPLATE_GENERATION: generation} if generation else {}
    found = defaulted(_object("DaemonSet", spec={"selector": {}, "template": template}))
    assert isinstance(found, DaemonSet)
    metadata = msgspec.structs.replace(found.metadata, annotations=found.metadata.annotations | annotations)
    return msgspec.structs.replace(found, metadata=metadata)


def test_a_pod_with_gates_says_from_the_first_that_it_waits() -> None:
    gated = pods.complete(_object("Pod", spec={"containers": [], "schedulingGates": [{"name": "a"}]}), NOTHING)
    assert isinstance(gated, Pod)
    assert [(one.type, one.status, one.reason, one.last_transition_time) for one in gated.status.conditions] == [
        ("PodScheduled", "False", "SchedulingGated", NOW)
    ]
    assert pods.complete(gated, NOTHING) == gated


def test_a_volume_tells_since_when_it_is_in_its_phase() -> None:
    volume = storage.complete(_object("PersistentVolume"), NOTHING)
    assert isinstance(volume, PersistentVolume)
    assert volume.status.last_phase_transition_time == NOW


@pytest.mark.parametrize(("ready", "tainted"), [("True", False), ("False", True), ("", True)])
def test_a_node_takes_no_pods_until_it_is_ready(ready: str, tainted: bool) -> None:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    node = nodes.complete(_object("Node", status={"conditions": conditions}), NOTHING)
    assert isinstance(node, Node)
    assert bool(node.spec.taints) == tainted
    assert nodes.complete(node, NOTHING) == node


@pytest.mark.parametrize(
    ("old", "new", "number"),
    [
        pytest.param(_daemon_set("a"), _daemon_set("a"), "1", id="as it was"),
        pytest.param(_daemon_set("a", "4"), _daemon_set("b"), "5", id="another template"),
        pytest.param(_daemon_set("a", "4"), _daemon_set("a", "9"), "4", id="a writer's own number"),
    ],
)
def test_the_templates_of_a_daemon_set_are_counted(old: DaemonSet, new: DaemonSet, number: str) -> None:
    assert daemonsets.counted(new, old).metadata.annotations[TEMPLATE_GENERATION] == number
