"""What runs when an agent begins: adopted, ended, or left alone, in whatever order the agent learns of it."""

from collections.abc import Callable
from typing import Any

import pytest

from nodeagent.runtime.interface import Container, Unavailable
from tests.unit.nodeagent.pods.builders import Node, deleted, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]


async def found_by_the_first_look(node: Node) -> None:
    await until(lambda: node.workers.statistics().available)


async def begun_with_a_pod(node: Node) -> list[Container]:
    """A pod runs, and an agent that has accepted nothing yet has had its first look."""
    node.accept(pod())
    await until(node.is_ready)
    before = await node.containers()
    await node.restart_agent()
    await found_by_the_first_look(node)
    return before


def test_what_is_accepted_after_the_first_look_starts_at_once(play: Play) -> None:
    async def scene(node: Node) -> None:
        await found_by_the_first_look(node)
        begun = node.clock.monotonic()
        node.accept(pod())
        await until(node.is_ready)
        assert node.clock.monotonic() - begun < 1

    play(scene)


def test_what_runs_is_adopted_when_it_is_accepted_after_the_first_look(play: Play) -> None:
    async def scene(node: Node) -> None:
        before = await begun_with_a_pod(node)
        node.accept(pod())
        await until(node.is_ready)
        assert await node.containers() == before

    play(scene)


def test_what_runs_and_is_not_accepted_after_the_first_look_ends_at_once(play: Play) -> None:
    async def scene(node: Node) -> None:
        await begun_with_a_pod(node)
        begun = node.clock.monotonic()
        node.accept()
        await until(lambda: "u1" in node.reporter.forgotten)
        assert node.clock.monotonic() - begun < 60
        assert not await node.containers()

    play(scene)


@pytest.mark.parametrize("first", [pytest.param(True, id="before the first look"), pytest.param(False, id="after it")])
def test_a_pod_whose_body_was_lost_runs_on_until_it_comes_and_is_adopted_then(play: Play, first: bool) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(), pod("u2", "other"))
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        before = await node.containers()
        await node.restart_agent()
        if not first:
            await found_by_the_first_look(node)
        node.accept(pod("u2", "other"), damaged=["u1"])
        await until(lambda: node.is_ready("u2"))
        assert await node.containers() == before
        assert (node.directories.pods_run / "u1").exists()
        assert "u1" not in node.reporter.statuses
        node.accept(pod(), pod("u2", "other"))
        await until(node.is_ready)
        assert await node.containers() == before

    play(scene)


def test_a_pod_whose_body_was_lost_ends_when_the_digest_names_it_no_more(play: Play) -> None:
    async def scene(node: Node) -> None:
        await begun_with_a_pod(node)
        node.accept(damaged=["u1"])
        await found_by_the_first_look(node)
        assert len(await node.running()) == 1
        node.accept()
        await until(lambda: "u1" in node.reporter.forgotten)
        assert not await node.containers()

    play(scene)


def test_a_pod_whose_body_was_lost_ends_when_it_comes_as_deleted(play: Play) -> None:
    async def scene(node: Node) -> None:
        await begun_with_a_pod(node)
        node.accept(damaged=["u1"])
        node.accept(deleted(pod()))
        await until(lambda: "u1" in node.reporter.removed)
        assert not await node.containers()

    play(scene)


def test_a_pod_that_runs_here_and_whose_body_goes_missing_runs_on(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        before = await node.containers()
        node.accept(damaged=["u1"])
        node.accept(pod())
        assert await node.containers() == before
        assert node.is_ready()

    play(scene)


def test_a_call_that_takes_too_long_does_not_make_the_agent_deaf(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of events stands all the time, and tells of nothing."""

    async def scene(node: Node) -> None:
        create, times = node.runtime.create_container, []

        async def slow(*arguments: Any) -> str:  # noqa: ANN401 - passed on
            times.append(node.clock.monotonic())
            if len(times) == 1:
                raise Unavailable("did not answer in time")
            return await create(*arguments)

        monkeypatch.setattr(node.runtime, "create_container", slow)
        node.accept(pod())
        await until(node.is_ready)
        assert times[1] - times[0] < 5

    play(scene)
