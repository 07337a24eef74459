"""ImageArchitecture, which is Wherry's own: what containerd and the agent say of an image that is not for a CPU."""

import pytest
from msgspec import structs

from reconciler.scheduler.explain import explain
from reconciler.scheduler.profile import Profile
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.node import ContainerImage, Node
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus
from tests.unit.reconciler.scheduler.plugins.asking import node, pod

_ARCH = "kubernetes.io/arch"
_ARM, _INTEL = node("arm", {_ARCH: "arm64"}), node("intel", {_ARCH: "amd64"})
_NO_MATCH = 'failed to pull image "app:1": no match for platform in manifest: not found'


def _failed(state: ContainerState, on: str = "arm") -> Pod:
    made = pod("failed", on)
    told = ContainerStatus(image="app:1", image_id="", name="c", ready=False, restart_count=0, state=state)
    return structs.replace(made, status=structs.replace(made.status, container_statuses=(told,)))


def _waiting(message: str) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(message=message, reason="ErrImagePull"))


def _feasible(snapshot: Snapshot, profile: Profile | None = None) -> set[str]:
    found = explain(pod(), snapshot, profile) if profile is not None else explain(pod(), snapshot)
    return {name for name, one in found.nodes.items() if one.feasible}


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(_waiting(_NO_MATCH), id="containerd finds no such platform"),
        pytest.param(
            _waiting("it is built for linux/amd64, and this node is linux/arm64"), id="the agent loads no such archive"
        ),
        pytest.param(
            ContainerState(
                terminated=ContainerStateTerminated(exit_code=128, message='exec "/app": exec format error')
            ),
            id="the kernel runs no such program",
        ),
    ],
)
def test_an_image_is_not_tried_again_on_a_cpu_that_it_failed_on(state: ContainerState) -> None:
    snapshot = Snapshot((_ARM, _INTEL, _failed(state)))
    found = explain(pod(), snapshot).nodes["arm"]
    assert (found.plugin, found.reasons) == (
        "ImageArchitecture",
        ("node(s) didn't match the CPU architecture of the image",),
    )
    assert _feasible(snapshot) == {"intel"}


def test_other_faults_of_a_pull_say_nothing_of_the_cpu() -> None:
    snapshot = Snapshot((_ARM, _INTEL, _failed(_waiting("no such host"))))
    assert _feasible(snapshot) == {"arm", "intel"}


def test_what_was_known_goes_with_the_pod_that_showed_it() -> None:
    failed = _failed(_waiting(_NO_MATCH))
    snapshot = Snapshot((_ARM, _INTEL, failed))
    assert _feasible(snapshot) == {"intel"}
    snapshot.drop(failed)
    assert _feasible(snapshot) == {"arm", "intel"}


def test_an_image_that_a_node_of_that_cpu_has_runs_there() -> None:
    images = (ContainerImage(names=("app:1",), size_bytes=1),)
    has: Node = structs.replace(_ARM, status=structs.replace(_ARM.status, images=images))
    assert _feasible(Snapshot((has, _INTEL, _failed(_waiting(_NO_MATCH))))) == {"arm", "intel"}


def test_it_can_be_turned_off() -> None:
    snapshot = Snapshot((_ARM, _INTEL, _failed(_waiting(_NO_MATCH))))
    assert _feasible(snapshot, Profile(architecture=False)) == {"arm", "intel"}
