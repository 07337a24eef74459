"""Pods whose volumes are claims: they wait for them, find them again, and leave the data where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nodeagent.pods.actions import CleanUp
from nodeagent.pods.lifecycle import decide
from nodeagent.pods.memory import PodMemory
from nodeagent.pods.observed import Observed
from nodeagent.pods.situation import Situation
from schemas.core.pod import Pod
from schemas.messages import ClaimedVolume, Config
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
DIRECTORY = "/disk/pvc-1_default_data"


def user() -> Pod:
    mounts = [{"name": "data", "mountPath": "/data"}]
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    return pod(containers=[{"name": "main", "image": "app:1", "volumeMounts": mounts}], volumes=[claim])


def bound(**volume: object) -> Config:
    return Config("PersistentVolumeClaim", "default", "data", volume=ClaimedVolume(name="pvc-1", **volume))  # type: ignore[arg-type]


def test_a_pod_starts_when_its_claim_is_bound_and_its_directory_outlives_it(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(user())
        await until(lambda: "FailedMount" in node.reporter.reasons())
        assert not await node.containers()
        node.accept(user(), configs=[bound(local=DIRECTORY, provisioned=True)])
        await until(node.is_ready)
        made = node.directories.data / "volumes" / Path(DIRECTORY).name
        (made / "kept").touch()
        node.accept()
        await until(lambda: "u1" in node.reporter.forgotten)
        assert (made / "kept").exists()

    play(scene)


def test_a_directory_is_removed_when_the_digest_says_so_and_no_pod_uses_it(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(user(), configs=[bound(local=DIRECTORY, provisioned=True)])
        await until(node.is_ready)
        made = node.directories.data / "volumes" / Path(DIRECTORY).name
        node.accept(user(), configs=[bound(local=DIRECTORY, provisioned=True)], discard={"pv": DIRECTORY})
        await node.restart_agent()
        node.accept(user(), configs=[bound(local=DIRECTORY, provisioned=True)], discard={"pv": DIRECTORY})
        await until(node.is_ready)
        assert node.reporter.gone == ()
        assert made.exists()
        node.accept(discard={"pv": DIRECTORY})
        await until(lambda: node.reporter.gone == ("pv",))
        assert not made.exists()

    play(scene)


@pytest.mark.parametrize(("under_way", "actions"), [({"volumes": 0.0}, ()), ({}, (CleanUp(),))])
def test_nothing_of_a_pod_is_cleaned_up_while_a_share_may_still_be_mounted(
    under_way: dict[str, float], actions: tuple[CleanUp, ...]
) -> None:
    situation = Situation(pod=user(), observed=Observed(), memory=PodMemory(), now=1.0, ending=True, busy=under_way)
    assert decide(situation).actions == actions
