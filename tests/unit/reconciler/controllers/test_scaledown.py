"""The order of https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset."""

from datetime import timedelta

import pytest
from msgspec import structs

from reconciler.controllers.scaledown import to_delete
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus
from tests.unit.reconciler.controllers.builders import pod
from tests.unit.reconciler.controllers.world import START, with_phase

NOW = START + timedelta(days=1)


def running(
    name: str, *, node: str = "n1", seconds: int = 3600, restarts: int = 0, cost: str = "", age: int = 7200
) -> Pod:
    found = with_phase(pod(name, node=node), "Running", NOW - timedelta(seconds=seconds), ready=True)
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}
    metadata = structs.replace(
        found.metadata, uid=name, annotations=annotations, creation_timestamp=NOW - timedelta(seconds=age)
    )
    statuses = (ContainerStatus(image="", image_id="", name="c", ready=True, restart_count=restarts),)
    return structs.replace(found, metadata=metadata, status=structs.replace(found.status, container_statuses=statuses))


def unbound(name: str) -> Pod:
    found = pod(name)
    return structs.replace(found, metadata=structs.replace(found.metadata, uid=name))


def pending(name: str) -> Pod:
    found = running(name)
    return structs.replace(found, status=structs.replace(found.status, phase="Pending", conditions=()))


def unready(name: str) -> Pod:
    return with_phase(running(name), "Running", NOW, ready=False)


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        pytest.param(unbound("z"), pending("a"), id="unassigned before pending"),
        pytest.param(pending("z"), unready("a"), id="pending before running"),
        pytest.param(unready("z"), running("a"), id="not ready before ready"),
        pytest.param(running("z", cost="-5"), running("a"), id="cheaper first"),
        pytest.param(running("z", seconds=10), running("a"), id="ready for a shorter time"),
        pytest.param(running("z", restarts=3), running("a", restarts=1), id="restarted more often"),
        pytest.param(running("z", age=10), running("a"), id="newer"),
        pytest.param(running("a", seconds=3601), running("z", seconds=3600), id="about as old: by uid"),
    ],
)
def test_the_one_that_is_missed_least_goes_first(goes: Pod, stays: Pod) -> None:
    assert to_delete([stays, goes], (), 1, NOW) == [goes]


def test_a_node_that_has_several_gives_one() -> None:
    pods = [running("a", node="n1"), running("b", node="n2"), running("c", node="n2")]
    assert to_delete(pods, pods, 1, NOW)[0].spec.node_name == "n2"
