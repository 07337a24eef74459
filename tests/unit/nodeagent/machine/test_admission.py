"""What a node that is short of something takes."""

import pytest

from nodeagent.machine.admission import refusal
from schemas.core.affinity import Toleration
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod, PodSpec
from schemas.meta import ObjectMeta

MEMORY = frozenset({"MemoryPressure"})
DISK = frozenset({"DiskPressure"})


def pod(asks: dict[str, str] | None = None, priority: int = 0, *tolerations: Toleration) -> Pod:
    container = Container(name="main", image="x", resources=ResourceRequirements(requests=dict(asks or {})))
    return Pod(
        metadata=ObjectMeta(name="a", namespace="default", uid="a"),
        spec=PodSpec(containers=(container,), priority=priority, tolerations=tolerations),
    )


TOLERANT = pod(None, 0, Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule"))


@pytest.mark.parametrize(
    ("what", "conditions", "taken"),
    [
        pytest.param(pod(), frozenset(), True, id="nothing is short"),
        pytest.param(pod(), MEMORY, False, id="best effort, of memory"),
        pytest.param(pod({"memory": "1Mi"}), MEMORY, True, id="one that asks for something, of memory"),
        pytest.param(TOLERANT, MEMORY, True, id="one that tolerates it"),
        pytest.param(TOLERANT, DISK, False, id="what it tolerates is another"),
        pytest.param(pod({"memory": "1Mi"}), DISK, False, id="of disk"),
        pytest.param(pod({"memory": "1Mi"}), MEMORY | DISK, False, id="of both"),
        pytest.param(pod(None, 2_000_000_000), MEMORY | DISK, True, id="a critical one"),
    ],
)
def test_a_node_that_is_short_of_something_takes_as_a_kubelet_does(
    what: Pod, conditions: frozenset[str], taken: bool
) -> None:
    failure = refusal(what, conditions)
    assert (failure is None) is taken
    if failure is not None:
        shown = " ".join(sorted(conditions))
        assert (failure.reason, failure.message) == (
            "Evicted",
            f"Pod was rejected: The node had condition: [{shown}]. ",
        )
