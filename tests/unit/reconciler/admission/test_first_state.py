"""What an object is given when it comes, of the state that it is in."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from reconciler.admission import nodes, pods, storage
from reconciler.store.cache import Cache
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume
from schemas.core.pod import Pod
from schemas.kinds import BY_NAME

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = Cache()


def _object(kind: str, **fields: Any) -> Any:  # noqa: ANN401
    return msgspec.convert({"metadata": {"name": "a", "creationTimestamp": NOW}, **fields}, BY_NAME[kind].type)


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
    node = nodes.tainted(_object("Node", status={"conditions": conditions}))
    assert isinstance(node, Node)
    assert bool(node.spec.taints) == tainted
    assert nodes.tainted(node) == node
