"""Updates wait for nodes that are fetching the new image, and for no longer."""

import msgspec
import pytest
from msgspec import structs

from reconciler.controllers import daemonset, deployment, replicaset, statefulset
from reconciler.controllers.imagewait import NOT_TOLD, STATES
from reconciler.link.readying import PREPULL, changes_prepulls, concerned, prepulls, readying
from reconciler.store.changes import Update, UpdateStatus
from reconciler.store.view import Event
from schemas.apps import DaemonSet, Deployment, StatefulSet
from schemas.core.config import ServiceAccount
from schemas.core.event import Event as Told
from schemas.core.node import ContainerImage, Node, NodeCondition, NodeSpec, NodeSystemInfo, Taint
from schemas.core.reference import LocalObjectReference
from schemas.messages import WantedImage
from schemas.meta import ObjectMeta, Ref
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.setbuilders import bind, converge, daemon_set, edit, image_of, stateful_set
from tests.unit.reconciler.controllers.world import World

NEW = "db:2"


def cluster(*workloads: StatefulSet | DaemonSet | Deployment, nodes: int = 1) -> World:
    controllers = (statefulset.CONTROLLER, daemonset.CONTROLLER, deployment.CONTROLLER, replicaset.CONTROLLER)
    world = World(controllers)
    world.create(*(builders.node(f"n{number}") for number in range(1, nodes + 1)), *workloads)
    converge(world)
    for number in range(1, nodes + 1):
        stand(world, f"n{number}", {})
    return world


def stand(world: World, name: str, states: dict[str, str], ready: str = "True") -> None:
    """The node tells how its images stand."""
    found = world.get(Node, "", name)
    metadata = structs.replace(found.metadata, annotations={STATES: msgspec.json.encode(states).decode()})
    conditions = (NodeCondition(ready, "Ready", reason="x"),)
    world.apply((Update(structs.replace(found, metadata=metadata)),))
    found = world.get(Node, "", name)
    world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, conditions=conditions))),))
    world.settle()


def running(world: World) -> list[str]:
    return sorted(image_of(pod) for pod in world.pods() if pod.metadata.deletion_timestamp is None)


def warnings(world: World) -> list[str]:
    return [one.message for one in world.cache.list(Told) if one.reason == "ImageNotReady"]


WORKLOADS = [
    pytest.param(stateful_set(1), id="StatefulSet"),
    pytest.param(daemon_set(), id="DaemonSet"),
    pytest.param(builders.deployment(1, image="db:1", strategy="Recreate"), id="Deployment that recreates"),
    pytest.param(builders.deployment(1, image="db:1", surge=0, unavailable=1), id="Deployment without surge"),
]


def update(world: World, workload: StatefulSet | DaemonSet | Deployment) -> None:
    if isinstance(workload, Deployment):
        found = world.get(Deployment, "default", "web")
        spec = structs.replace(found.spec, template=builders.template(NEW))
        world.apply((Update(structs.replace(found, spec=spec)),))
    else:
        edit(world, type(workload), image=NEW)
    world.settle()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_an_old_pod_runs_until_its_node_has_the_new_image(workload: StatefulSet | DaemonSet | Deployment) -> None:
    world = cluster(workload)
    update(world, workload)
    assert running(world) == ["db:1"]  # the node has not spoken yet
    stand(world, "n1", {NEW: "pulling"})
    assert running(world) == ["db:1"]
    stand(world, "n1", {NEW: "present"})
    converge(world)
    assert running(world) == [NEW]
    assert warnings(world) == []


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_node_that_cannot_get_the_image_holds_nothing_up_and_it_is_said(
    workload: StatefulSet | DaemonSet | Deployment,
) -> None:
    world = cluster(workload)
    update(world, workload)
    stand(world, "n1", {NEW: "failed: not found"})
    converge(world)
    assert running(world) == [NEW]
    if isinstance(workload, Deployment) and workload.spec.strategy.type == "RollingUpdate":
        return  # it is a new pod that is waited for there, and that pod says what it lacks
    assert warnings(world)[0].endswith(f'although node n1 cannot pull image "{NEW}": not found')


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("ready", ["False", "Unknown"])
def test_a_node_that_is_not_ready_holds_nothing_up(workload: StatefulSet | DaemonSet | Deployment, ready: str) -> None:
    world = cluster(workload)
    stand(world, "n1", {}, ready)
    update(world, workload)
    converge(world)
    assert running(world) == [NEW]


def test_an_agent_that_tells_nothing_of_images_and_an_image_that_is_there_hold_nothing_up() -> None:
    for annotations, images in (
        ({}, ()),
        ({STATES: NOT_TOLD}, ()),
        ({STATES: "no JSON"}, ()),
        ({STATES: "{}"}, ("docker.io/library/db:2",)),
    ):
        world = cluster(stateful_set(1))
        found = world.get(Node, "", "n1")
        world.apply(
            (Update(structs.replace(found, metadata=structs.replace(found.metadata, annotations=annotations))),)
        )
        found = world.get(Node, "", "n1")
        status = structs.replace(found.status, images=(ContainerImage(names=images),))
        world.apply((UpdateStatus(structs.replace(found, status=status)),))
        update(world, stateful_set(1))
        converge(world)
        assert running(world) == [NEW]


def test_an_agent_that_has_told_of_no_image_yet_is_waited_for() -> None:
    world = cluster(stateful_set(1))
    found = world.get(Node, "", "n1")
    world.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, annotations={}))),))
    found = world.get(Node, "", "n1")
    version = "v1.36.2-wherry1.0"
    info = NodeSystemInfo("arm64", "", "containerd://1.7", "6.1", "", version, "", "linux", "Linux", "")
    world.apply((UpdateStatus(structs.replace(found, status=structs.replace(found.status, node_info=info))),))
    update(world, stateful_set(1))
    converge(world)
    assert running(world) == ["db:1"]


def test_a_daemon_set_takes_the_nodes_first_that_have_the_image() -> None:
    world = cluster(daemon_set(), nodes=3)
    edit(world, DaemonSet, image=NEW)
    world.settle()
    stand(world, "n1", {NEW: "pulling"})
    stand(world, "n2", {NEW: "present"})
    converge(world)
    assert {pod.spec.node_name for pod in world.pods() if image_of(pod) == NEW} == {"n2"}
    stand(world, "n1", {NEW: "present"})
    stand(world, "n3", {NEW: "present"})
    converge(world)
    assert running(world) == [NEW] * 3


def test_a_rolling_update_goes_on_by_new_pods_alone_while_nodes_fetch() -> None:
    world = cluster(builders.deployment(4, image="db:1", surge=1, unavailable=2))
    update(world, builders.deployment(4))
    assert running(world) == ["db:1"] * 4 + [NEW]
    stand(world, "n1", {NEW: "present"})
    converge(world)
    assert running(world) == [NEW] * 4


def wanted(world: World, node: str = "n1") -> dict[str, WantedImage]:
    return readying(node, world.cache.pods_on(node), prepulls(world.cache), world.cache).images


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_node_is_told_the_images_of_updates_of_its_pods_and_keeps_those_before(
    workload: StatefulSet | DaemonSet | Deployment,
) -> None:
    world = cluster(workload)
    assert wanted(world) == {}
    update(world, workload)
    assert wanted(world)[NEW] == WantedImage(fetch=True)
    stand(world, "n1", {NEW: "present"})
    converge(world)
    bind(world, world.pods())
    assert wanted(world) == {"db:1": WantedImage()}


def test_pods_below_the_partition_and_paused_deployments_need_no_new_image() -> None:
    world = cluster(stateful_set(2, partition=2))
    edit(world, StatefulSet, image=NEW)
    assert NEW not in wanted(world)
    paused = builders.deployment(1, image="db:1")
    world = cluster(paused)
    found = world.get(Deployment, "default", "web")
    spec = structs.replace(found.spec, template=builders.template(NEW), paused=True)
    world.apply((Update(structs.replace(found, spec=spec)),))
    world.settle()
    assert NEW not in wanted(world)


def test_the_annotation_asks_for_images_wherever_a_daemon_set_would_run() -> None:
    asking = builders.deployment(0, image="db:1")
    metadata = structs.replace(asking.metadata, annotations={PREPULL: "true"})
    world = cluster(structs.replace(asking, metadata=metadata))
    world.create(
        ServiceAccount(
            metadata=ObjectMeta(name="default", namespace="default"),
            image_pull_secrets=(LocalObjectReference("pull"),),
        )
    )
    world.create(structs.replace(builders.node("tainted"), spec=NodeSpec(taints=(Taint("NoSchedule", "own"),))))
    away = NodeSpec(taints=(Taint("NoExecute", "node.kubernetes.io/not-ready"),))
    world.create(structs.replace(builders.node("away"), spec=away))
    order = {"db:1": WantedImage(True, ("secret/default/pull",))}
    assert wanted(world) == order
    assert wanted(world, "away") == order
    assert wanted(world, "tainted") == {}
    found = readying("n1", (), prepulls(world.cache), world.cache)
    assert found.secrets == {Ref("Secret", "default", "pull")}


def test_only_changes_of_images_concern_nodes() -> None:
    world = cluster(stateful_set(1))
    old = world.get(StatefulSet, "default", "db")
    scaled = structs.replace(old, spec=structs.replace(old.spec, replicas=2))
    newer = structs.replace(old, spec=structs.replace(old.spec, template=builders.template(NEW)))
    asking = structs.replace(old, metadata=structs.replace(old.metadata, annotations={PREPULL: "true"}))
    assert concerned(Event(1, old, scaled), world.cache) == set()
    assert concerned(Event(1, old, newer), world.cache) == {"n1"}
    assert not changes_prepulls(Event(1, old, newer))
    assert changes_prepulls(Event(1, old, asking))
    assert changes_prepulls(Event(1, asking, None))
    assert not changes_prepulls(Event(1, asking, structs.replace(asking, status=scaled.status)))
