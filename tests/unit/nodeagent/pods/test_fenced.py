"""A fenced pod runs only while its lease does."""

import asyncio
from collections.abc import Callable
from typing import Any

from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import Node, deleted, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
LEASE = 20


def fenced(**spec: Any) -> Pod:  # noqa: ANN401 - as YAML
    spec.setdefault("terminationGracePeriodSeconds", 5)
    annotations = {"wherry.dev/on-node-loss": "fence", "wherry.dev/lease-seconds": str(LEASE)}
    return pod(metadata={"annotations": annotations}, **spec)


def renew(node: Node) -> None:
    node.lease.renew(node.clock.monotonic())


async def running_until(node: Node) -> float:
    """When nothing runs any more."""
    while await node.running():
        await asyncio.sleep(0.1)
    return node.clock.monotonic()


def test_it_starts_when_there_is_a_lease_and_no_earlier(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(fenced())
        await asyncio.sleep(60)
        assert not await node.containers()
        renew(node)
        await until(node.is_ready)

    play(scene)


def test_it_stops_by_itself_when_its_lease_runs_out_and_starts_again_with_the_next(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(fenced(), pod("u2", "other"))
        begun = node.clock.monotonic()
        renew(node)
        await until(node.is_ready)
        await until(lambda: node.is_ready("u2"))
        while await alive(node, "u1"):
            await asyncio.sleep(0.1)
        assert LEASE <= node.clock.monotonic() - begun < LEASE + 2
        assert "LeaseExpired" in node.reporter.reasons()
        assert await alive(node, "u2")
        await asyncio.sleep(600)
        assert not await alive(node, "u1")
        assert node.reporter.reasons().count("LeaseExpired") == 1
        renew(node)
        await until(lambda: node.container().state.running is not None)  # type: ignore[union-attr]
        assert node.container().restart_count == 1

    play(scene)


async def sandboxes(node: Node, uid: str) -> set[str]:
    return {one.id for one in await node.runtime.list_sandboxes() if one.uid == uid}


async def alive(node: Node, uid: str) -> bool:
    held = await sandboxes(node, uid)
    return any(one.sandbox_id in held for one in await node.running())


def test_it_runs_on_while_its_lease_is_renewed(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(fenced())
        for _ in range(40):
            renew(node)
            await asyncio.sleep(LEASE * 0.9)
        assert node.container().restart_count == 0
        assert await node.running()

    play(scene)


def test_an_agent_that_is_started_again_stops_nothing_before_the_lease_runs_out(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(fenced())
        renew(node)
        begun = node.clock.monotonic()
        await until(node.is_ready)
        await asyncio.sleep(10)
        await node.restart_agent()
        node.accept(fenced())
        await asyncio.sleep(5)
        assert await node.running()
        assert LEASE <= await running_until(node) - begun < LEASE + 2

    play(scene)


def test_one_that_never_starts_again_has_failed(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(fenced(restartPolicy="Never"))
        renew(node)
        await until(node.is_ready)
        await until(lambda: node.status().phase == "Failed")

    play(scene)


def test_one_that_is_deleted_ends_without_a_lease(play: Play) -> None:
    async def scene(node: Node) -> None:
        web = fenced()
        node.accept(web)
        renew(node)
        await until(node.is_ready)
        await asyncio.sleep(LEASE + 10)
        node.accept(deleted(web))
        await until(lambda: "u1" in node.reporter.removed)

    play(scene)
