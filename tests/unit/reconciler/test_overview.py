"""How far a cluster is from what it shall be."""

import pytest
from msgspec import structs

from reconciler.overview import NodeState, Overview, Waiting, overview
from reconciler.store.cache import Cache
from schemas.apps import Deployment, DeploymentStatus
from schemas.core.pod import Pod
from schemas.core.podstatus import (
    ContainerState,
    ContainerStateWaiting,
    ContainerStatus,
    PodCondition,
    PodStatus,
)
from schemas.meta import Object, OwnerReference, ref_of
from tests.unit.reconciler.controllers.builders import deployment, node, pod, replica_set

READY = PodStatus(phase="Running", conditions=(PodCondition(type="Ready", status="True"),))
UNPLACED = PodStatus(
    phase="Pending",
    conditions=(PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message="0/0 nodes"),),
)


def waits_for(reason: str, message: str = "") -> PodStatus:
    waiting = ContainerState(waiting=ContainerStateWaiting(message=message, reason=reason))
    return PodStatus(phase="Pending", container_statuses=(ContainerStatus("", "", "c", False, 0, state=waiting),))


def of(*objects: Object) -> Overview:
    cache = Cache(1)
    cache.push(2, [(ref_of(one), one) for one in objects], 1, 0.0)
    return overview(cache)


def test_an_empty_cluster_waits_for_nothing() -> None:
    assert of() == Overview()


def test_nodes_tell_whether_they_are_ready_and_why_not() -> None:
    found = of(node("a"), node("b", cordoned=True), node("c", ready="Unknown")).nodes
    assert found[0] == NodeState("a", True)
    assert found[1] == NodeState("b", True, "cordoned")
    assert (found[2].name, found[2].ready, found[2].reason) == ("c", False, "NodeStatusUnknown")


def with_status(one: Pod, status: PodStatus) -> Pod:
    return structs.replace(one, status=status)


@pytest.mark.parametrize(
    ("status", "waiting"),
    [
        pytest.param(READY, (), id="ready"),
        pytest.param(PodStatus(phase="Succeeded"), (), id="ended"),
        pytest.param(PodStatus(), (Waiting("Pod default/p", "not ready"),), id="new"),
        pytest.param(UNPLACED, (Waiting("Pod default/p", "Unschedulable: 0/0 nodes"),), id="fits nowhere"),
        pytest.param(
            waits_for("ErrImagePull", "not found"),
            (Waiting("Pod default/p", "ErrImagePull: not found"),),
            id="no image",
        ),
        pytest.param(waits_for("ContainerCreating"), (Waiting("Pod default/p", "not ready"),), id="only starts"),
    ],
)
def test_a_pod_of_nobody_waits_until_it_is_ready(status: PodStatus, waiting: tuple[Waiting, ...]) -> None:
    assert of(with_status(pod(), status)).waiting == waiting


def test_pods_are_counted_that_have_not_ended() -> None:
    found = of(
        with_status(pod("a"), READY),
        with_status(pod("b"), PodStatus()),
        with_status(pod("c"), PodStatus(phase="Failed")),
    )
    assert (found.ready_pods, found.pods) == (1, 2)


def deployed(generation: int = 1, **status: int) -> Deployment:
    one = deployment(3)
    meta = structs.replace(one.metadata, uid="d", generation=generation)
    return structs.replace(one, metadata=meta, status=DeploymentStatus(observed_generation=1, **status))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(deployed(2), "just changed", id="not seen yet"),
        pytest.param(deployed(ready_replicas=1), "1 of 3 pods ready", id="not ready"),
        pytest.param(deployed(ready_replicas=3, updated_replicas=2), "2 of 3 pods updated", id="rolling"),
        pytest.param(
            deployed(ready_replicas=3, updated_replicas=3, available_replicas=0), "0 of 3 pods available", id="too new"
        ),
        pytest.param(
            deployed(ready_replicas=4, updated_replicas=3, available_replicas=4, replicas=4),
            "1 old pods not gone yet",
            id="old pods",
        ),
    ],
)
def test_a_deployment_says_what_is_missing(found: Deployment, reason: str) -> None:
    assert of(found).waiting == (Waiting("Deployment default/web", reason),)


def test_a_deployment_that_is_complete_does_not_wait() -> None:
    assert of(deployed(ready_replicas=3, updated_replicas=3, available_replicas=3, replicas=3)).waiting == ()


def test_a_deployment_says_what_its_pods_wait_for() -> None:
    owned = replica_set("web-1", 3)
    by = OwnerReference("apps/v1", "Deployment", "web", "d", controller=True)
    owned = structs.replace(owned, metadata=structs.replace(owned.metadata, owner_references=(by,)))
    of_set = OwnerReference("apps/v1", "ReplicaSet", "web-1", owned.metadata.uid, controller=True)
    stuck = with_status(pod("web-1-x", owner=of_set), waits_for("ImagePullBackOff"))
    assert of(deployed(ready_replicas=2), owned, stuck).waiting == (
        Waiting("Deployment default/web", "2 of 3 pods ready; ImagePullBackOff"),
    )


def test_a_replica_set_of_nobody_waits_for_its_pods() -> None:
    assert of(replica_set("alone", 2)).waiting == (Waiting("ReplicaSet default/alone", "0 of 2 pods ready"),)
