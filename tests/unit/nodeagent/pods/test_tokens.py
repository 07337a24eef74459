"""Pods that are told before their tokens: all is made that can be, and no container runs without its token."""

from collections.abc import Callable
from pathlib import Path

from nodeagent.pods.lifecycle import TOKEN_SECONDS
from schemas.core.pod import Pod
from schemas.messages import Config
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
TOKEN = Config("Token", "default", "u1", {"3607:": b"signed"})


def bearer() -> Pod:
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]
    mounts = [{"name": "access", "mountPath": "/access"}]
    return pod(
        containers=[{"name": "main", "image": "app:1", "volumeMounts": mounts}],
        volumes=[{"name": "access", "projected": {"sources": sources}}],
    )


def shown(node: Node) -> set[bytes]:
    return {path.read_bytes() for path in Path(node.directories.run).rglob("token") if path.is_file()}


def has_sandbox(node: Node) -> bool:
    return ("PodReadyToStartContainers", "True") in [(one.type, one.status) for one in node.status().conditions]


def test_a_pod_whose_token_is_late_has_its_sandbox_and_no_container(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(bearer())
        await until(lambda: has_sandbox(node))
        assert len(await node.runtime.list_sandboxes()) == 1
        assert not await node.containers()
        assert "FailedMount" not in node.reporter.reasons()
        node.accept(bearer(), configs=[TOKEN])
        await until(node.is_ready)
        assert len(await node.runtime.list_sandboxes()) == 1
        assert shown(node) == {b"signed"}

    play(scene)


def test_a_token_that_does_not_come_is_told_and_still_waited_for(play: Play) -> None:
    async def scene(node: Node) -> None:
        began = node.clock.monotonic()
        node.accept(bearer())
        await until(lambda: "FailedMount" in node.reporter.reasons())
        assert node.clock.monotonic() - began >= TOKEN_SECONDS - 1
        assert not await node.containers()
        node.accept(bearer(), configs=[TOKEN])
        await until(node.is_ready)

    play(scene)


def test_a_pod_whose_token_is_there_waits_for_nothing(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(bearer(), configs=[TOKEN])
        await until(node.is_ready)
        assert "FailedMount" not in node.reporter.reasons()

    play(scene)


def test_an_agent_that_lost_the_token_of_a_running_pod_leaves_it_alone(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(bearer(), configs=[TOKEN])
        await until(node.is_ready)
        (before,) = await node.running()
        await node.restart_agent()
        node.accept(bearer())
        await until(lambda: "FailedMount" in node.reporter.reasons())
        node.accept(bearer(), configs=[TOKEN])
        await until(node.is_ready)
        assert [one.id for one in await node.containers()] == [before.id]

    play(scene)
