"""A container whose image is changed in its pod runs on until the new one is there."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from nodeagent.images import progress
from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import Download
from schemas.core.podstatus import ContainerStateWaiting
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]

OLD, NEW, MISSING = ([{"name": "main", "image": image}] for image in ("app:1", "app:2", "missing:1"))


def waiting(node: Node) -> ContainerStateWaiting | None:
    state = node.container().state
    return state.waiting if state is not None else None


def test_the_old_container_runs_while_the_new_image_is_pulled(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(containers=OLD))
        await until(node.is_ready)
        (old,) = await node.running()
        node.accept(pod(containers=NEW, generation=2))
        await asyncio.sleep(90)
        assert await node.running() == [old]
        assert node.is_ready()
        await until(lambda: node.container().image.endswith("app:2") and node.is_ready())
        pulls = [event.message for event in node.reporter.events if "Successfully pulled" in event.message]
        assert len(pulls) == 2

    play(scene, FakeRuntime(pull_seconds=100))


def test_an_image_that_cannot_be_had_holds_nothing_up(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(containers=OLD))
        await until(node.is_ready)
        node.accept(pod(containers=MISSING, generation=2))
        await until(lambda: waiting(node) is not None)
        assert await node.running() == []

    play(scene, FakeRuntime(pull_seconds=1))


def test_a_pull_that_takes_long_shows_in_the_status_of_the_container(play: Play) -> None:
    class Slow(FakeRuntime):
        async def downloads(self) -> Sequence[Download]:
            return [Download(3 * 1024 * 1024, 12 * 1024 * 1024)]

    async def scene(node: Node) -> None:
        node.accept(pod(containers=OLD))
        await asyncio.sleep(progress.FIRST_WORD + 1)
        assert waiting(node) == ContainerStateWaiting(
            'pulling image "app:1": 3.0 MiB of 12.0 MiB of the layers under way fetched after 15s',
            "ContainerCreating",
        )
        await until(node.is_ready)
        told = [event for event in node.reporter.events if event.reason == "Pulling"]
        assert len(told) == 1 + 3  # at 15, 30 and 60 seconds

    play(scene, Slow(pull_seconds=100))


@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_an_image_that_is_there_is_not_waited_for(play: Play, policy: str) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(containers=[{**OLD[0], "imagePullPolicy": policy}]))
        await until(node.is_ready)
        node.accept(pod(containers=[{**NEW[0], "imagePullPolicy": policy}], generation=2))
        await until(lambda: node.container().image.endswith("app:2") and node.is_ready())

    play(scene)
