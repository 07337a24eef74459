"""Ephemeral containers, on the simulated runtime in virtual time."""

import asyncio
from collections.abc import Callable

from schemas.core.podstatus import ContainerStatus
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
DEBUGGER = {"name": "dbg", "image": "tools:1"}


def told(node: Node, name: str = "dbg") -> ContainerStatus | None:
    return next((one for one in node.status().ephemeral_container_statuses if one.name == name), None)


def is_running(node: Node) -> bool:
    found = told(node)
    return found is not None and found.state is not None and found.state.running is not None


def test_a_debugger_starts_in_a_pod_that_runs_and_runs_but_once(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        main = node.container().container_id
        node.accept(pod(generation=2, ephemeralContainers=[DEBUGGER]))
        await until(lambda: is_running(node))
        assert node.reporter.events[-1].field_path == "spec.ephemeralContainers{dbg}"
        debugger = next(one for one in await node.running() if one.name == "dbg")
        node.runtime.crash(debugger.id, 1)
        await until(lambda: not is_running(node))
        await asyncio.sleep(600)
        found = told(node)
        assert found is not None
        assert found.state is not None
        assert found.state.terminated is not None
        assert (found.state.terminated.exit_code, found.restart_count, found.ready) == (1, 0, False)
        assert node.is_ready()
        assert node.container().container_id == main
        assert node.container().restart_count == 0

    play(scene)


def test_a_debugger_does_not_wait_for_a_pod_that_is_not_initialised(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(initContainers=[{"name": "slow", "image": "app:1"}], ephemeralContainers=[DEBUGGER]))
        await until(lambda: is_running(node))
        assert node.status().phase == "Pending"

    play(scene)


def test_a_target_that_does_not_run_keeps_a_debugger_waiting(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        node.accept(pod(generation=2, ephemeralContainers=[DEBUGGER | {"targetContainerName": "nosuch"}]))
        await until(lambda: "Failed" in node.reporter.reasons())
        await until(lambda: told(node) is not None)
        assert 'unable to find target container "nosuch"' in node.reporter.events[-1].message
        assert node.is_ready()

    play(scene)


def test_how_a_container_ended_before_is_told_after_it_has_been_removed(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        for attempt in (1, 2):
            node.runtime.crash((await node.running())[0].id, attempt)
            await until(lambda attempt=attempt: node.container().restart_count == attempt)  # type: ignore[misc]
            await until(lambda: node.container().state.running is not None)  # type: ignore[union-attr]
        node.runtime.crash((await node.running())[0].id, 3)
        await asyncio.sleep(1)
        ended = [
            (one.state.terminated.exit_code, one.last_state.terminated.exit_code)
            for _, status in node.reporter.history
            for one in status.container_statuses
            if one.state and one.state.terminated and one.last_state and one.last_state.terminated
        ]
        assert all(before == now - 1 for now, before in ended)

    play(scene)
