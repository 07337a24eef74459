"""Pods that are given other resources while they run."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from nodeagent.pods.observed import observed
from nodeagent.pods.resizing import RESOURCES, Room, is_asked, weighed
from nodeagent.runtime.interface import RuntimeFailure, Sandbox, State
from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.test_status import one
from tests.unit.nodeagent.pods.virtual import START, until

Play = Callable[..., None]
MIB = 1 << 20


def asking(cpu: str, memory: str = "64Mi", *, generation: int = 1, uid: str = "u1", **fields: Any) -> Pod:  # noqa: ANN401
    amounts = {"cpu": cpu, "memory": memory}
    container = {"name": "main", "image": "app:1", "resources": {"requests": amounts, "limits": amounts}, **fields}
    return pod(uid, uid, generation=generation, containers=[container])


def with_room(node: Node, cpu: int = 1000, memory: int = 1024 * MIB) -> None:
    node.workers.update_node(replace(node.facts, allocatable_cpu=cpu, allocatable_memory=memory))


def pending(node: Node, uid: str = "u1") -> list[tuple[str, str, str]]:
    return [(one.type, one.reason, one.message) for one in node.status(uid).conditions if "Resize" in one.type]


def cpu(node: Node, uid: str = "u1") -> tuple[object, object]:
    """What the container may have, and what it has."""
    status = node.container(uid=uid)
    assert status.resources
    return status.allocated_resources["cpu"], status.resources.limits["cpu"]


def test_resources_are_changed_without_a_restart(play: Play) -> None:
    async def scene(node: Node) -> None:
        with_room(node)
        node.accept(asking("100m"))
        await until(node.is_ready)
        (before,) = await node.containers()
        node.accept(asking("500m", "128Mi", generation=2))
        await until(lambda: cpu(node) == ("500m", "500m"))
        assert pending(node) == []
        assert ("PodResizeInProgress", "", "") in _told(node)
        (after,) = await node.containers()
        assert after.id == before.id
        limits = node.runtime.resized[before.id]
        assert (limits.cpu_shares, limits.cpu_quota, limits.memory_limit) == (512, 50_000, 128 * MIB)
        assert "ResizeCompleted" in node.reporter.reasons()

    play(scene)


def _told(node: Node) -> set[tuple[str, str, str]]:
    every = (one for _, status in node.reporter.history for one in status.conditions)
    return {(one.type, one.reason, one.message) for one in every if "Resize" in one.type}


def test_a_container_may_ask_for_a_new_start(play: Play) -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]

    async def scene(node: Node) -> None:
        with_room(node)
        node.accept(asking("100m", resizePolicy=policy))
        await until(node.is_ready)
        node.accept(asking("200m", resizePolicy=policy, generation=2))
        await until(lambda: cpu(node) == ("200m", "200m"))
        assert node.container().restart_count == 0
        begun = node.clock.monotonic()
        node.accept(asking("200m", "128Mi", resizePolicy=policy, generation=3))
        await until(lambda: node.container().restart_count == 1 and node.is_ready() and not pending(node))
        assert node.clock.monotonic() - begun < 5  # it did not crash, and so it does not wait
        assert node.container().resources.limits["memory"] == "128Mi"  # type: ignore[union-attr]

    play(scene)


def test_what_the_node_can_never_give_is_infeasible(play: Play) -> None:
    async def scene(node: Node) -> None:
        with_room(node)
        node.accept(asking("100m"))
        await until(node.is_ready)
        node.accept(asking("4", generation=2))
        await until(lambda: pending(node) != [])
        text = "Node didn't have enough capacity: cpu, requested: 4000, capacity: 1000"
        assert pending(node) == [("PodResizePending", "Infeasible", text)]
        assert cpu(node) == ("100m", "100m")
        assert node.status().observed_generation == 2
        node.runtime.crash((await node.running())[0].id)
        await until(lambda: node.container().restart_count == 1 and node.is_ready())
        assert cpu(node) == ("100m", "100m")  # it begins with what it may have
        node.accept(asking("200m", generation=3))
        await until(lambda: cpu(node) == ("200m", "200m") and not pending(node))

    play(scene)


def test_what_others_have_is_waited_for(play: Play) -> None:
    async def scene(node: Node) -> None:
        with_room(node)
        other = asking("600m", uid="u2")
        node.accept(asking("100m"), other)
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        node.accept(asking("500m", generation=2), other)
        await until(lambda: pending(node) != [])
        text = "Node didn't have enough resource: cpu, requested: 500, used: 600, capacity: 1000"
        assert pending(node) == [("PodResizePending", "Deferred", text)]
        node.accept(asking("500m", generation=2))
        await until(lambda: cpu(node) == ("500m", "500m") and not pending(node))

    play(scene)


@pytest.mark.parametrize("when", ["before", "while it waits", "after"])
def test_an_agent_that_is_started_again_goes_on_with_a_resize(play: Play, when: str) -> None:
    async def scene(node: Node) -> None:
        with_room(node, cpu=300 if when == "while it waits" else 1000)
        node.accept(asking("100m"))
        await until(node.is_ready)
        (before,) = await node.containers()
        if when == "before":
            await node.stop_agent()
        wanted = asking("500m", generation=2)
        node.accept(wanted)
        if when == "while it waits":
            await until(lambda: pending(node) != [])
        elif when == "after":
            await until(lambda: cpu(node) == ("500m", "500m"))
        node.runtime.resized.clear()
        await node.restart_agent()
        with_room(node)
        node.accept(wanted)
        await until(lambda: node.is_ready() and cpu(node) == ("500m", "500m") and not pending(node))
        assert [one.id for one in await node.containers()] == [before.id]
        assert bool(node.runtime.resized) == (when != "after")

    play(scene)


def test_a_runtime_that_refuses_is_told_and_asked_again(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(node: Node) -> None:
        with_room(node)
        node.accept(asking("100m"))
        await until(node.is_ready)

        async def refuse(*_: object) -> None:
            raise RuntimeFailure("device or resource busy")

        with monkeypatch.context() as patch:
            patch.setattr(node.runtime, "resize", refuse)
            node.accept(asking("500m", generation=2))
            await until(lambda: pending(node) == [("PodResizeInProgress", "Error", "device or resource busy")])
            assert cpu(node) == ("500m", "100m")
        await until(lambda: cpu(node) == ("500m", "500m") and not pending(node))

    play(scene)


@pytest.mark.parametrize(
    ("resources", "had", "asked"),
    [
        pytest.param({}, "{}", False, id="nothing, and it has nothing"),
        pytest.param({"limits": {"cpu": "1"}}, "{}", True, id="a limit, and it has none"),
        pytest.param({"limits": {"cpu": 1}}, '{"limits":{"cpu":"1000m"}}', False, id="written otherwise"),
        pytest.param({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}, '{"limits":{"cpu":"1"}}', False, id="implied"),
        pytest.param({"limits": {"memory": "1Gi"}}, "damaged", False, id="what it has is not known"),
    ],
)
def test_a_resize_is_asked_for_where_amounts_differ(resources: dict[str, Any], had: str, asked: bool) -> None:
    sandbox = Sandbox(id="s", uid="u1", namespace="d", name="web", attempt=0, ready=True, created_at=START)
    found = observed([sandbox], [one("main", State.RUNNING, annotations={RESOURCES: had})])
    told = pod(containers=[{"name": "main", "image": "app:1", "resources": resources}])
    assert is_asked(told, found, {}) is asked
    assert (weighed(told, found, {}, Room({"cpu": 2000})) is not None) is asked
