"""What every `Runtime` does. Modules import these tests and bring the fixture `bench`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    Missing,
    PullFailed,
    Runtime,
    RuntimeEvent,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    State,
)

LIMIT = 60.0


class Bench(msgspec.Struct, frozen=True):
    """`end` has a container's process end by itself, with this code. `image` is on the node, as is `archive`'s."""

    runtime: Runtime
    image: str
    archive: Path
    end: Callable[[str, int], Awaitable[None]]
    command: tuple[str, ...]
    logs: Path

    def sandbox(self, name: str, attempt: int = 0) -> SandboxConfig:
        return SandboxConfig(
            uid=f"uid-{name}",
            namespace="default",
            name=name,
            attempt=attempt,
            hostname=name,
            log_directory=self.logs / name,
            labels={"app": name},
            annotations={"note": "a: b"},
        )

    async def container(self, sandbox: Sandbox, config: SandboxConfig, name: str = "main", attempt: int = 0) -> str:
        image = await self.runtime.image_id(self.image)
        assert image is not None
        wanted = ContainerConfig(
            name=name, attempt=attempt, image=image.id, command=self.command, labels={"part": name}, log_path="0.log"
        )
        return await self.runtime.create_container(sandbox.id, wanted, config)

    async def running(self, name: str) -> tuple[Sandbox, str]:
        config = self.sandbox(name)
        sandbox = await self.runtime.run_sandbox(config)
        container_id = await self.container(sandbox, config)
        await self.runtime.start_container(container_id)
        return sandbox, container_id

    async def look(self, container_id: str) -> Container:
        return next(each for each in await self.runtime.list_containers() if each.id == container_id)

    async def ended(self, container_id: str) -> Container:
        """The container, once the runtime's own books tell its end; the event may come before."""
        async with asyncio.timeout(LIMIT):
            while (found := await self.look(container_id)).state is not State.EXITED or found.provisional:
                await asyncio.sleep(0.01)
        return found


async def heard(events: AsyncIterator[RuntimeEvent], wanted: str) -> None:
    async with asyncio.timeout(LIMIT):
        async for event in events:
            if event.id == wanted:
                return
    raise AssertionError("the stream ended")


async def test_a_sandbox_is_listed_as_it_was_asked_for(bench: Bench) -> None:
    made = await bench.runtime.run_sandbox(bench.sandbox("listed"))
    assert [made] == await bench.runtime.list_sandboxes(made.id)
    assert made in await bench.runtime.list_sandboxes()
    assert (made.uid, made.namespace, made.name, made.attempt) == ("uid-listed", "default", "listed", 0)
    assert made.ready
    assert len(made.ips) == 1
    assert made.labels["app"] == "listed"
    assert made.annotations == {"note": "a: b"}


async def test_a_stopped_sandbox_stays_until_it_is_removed(bench: Bench) -> None:
    made = await bench.runtime.run_sandbox(bench.sandbox("stopped"))
    await bench.runtime.stop_sandbox(made.id)
    assert [each.ready for each in await bench.runtime.list_sandboxes(made.id)] == [False]
    await bench.runtime.stop_sandbox(made.id)
    await bench.runtime.remove_sandbox(made.id)
    assert await bench.runtime.list_sandboxes(made.id) == []
    await bench.runtime.remove_sandbox(made.id)
    await bench.runtime.stop_sandbox(made.id)


async def test_sandboxes_have_addresses_of_their_own(bench: Bench) -> None:
    first = await bench.runtime.run_sandbox(bench.sandbox("first"))
    second = await bench.runtime.run_sandbox(bench.sandbox("second"))
    assert first.ips != second.ips


async def test_the_same_sandbox_is_not_made_twice(bench: Bench) -> None:
    config = bench.sandbox("twice")
    await bench.runtime.run_sandbox(config)
    with pytest.raises(RuntimeFailure):
        await bench.runtime.run_sandbox(config)
    await bench.runtime.run_sandbox(bench.sandbox("twice", attempt=1))


async def test_a_container_is_created_runs_and_ends_with_its_code(bench: Bench) -> None:
    config = bench.sandbox("life")
    sandbox = await bench.runtime.run_sandbox(config)
    container_id = await bench.container(sandbox, config)
    created = await bench.look(container_id)
    assert (created.state, created.started_at, created.finished_at) == (State.CREATED, None, None)
    assert (created.sandbox_id, created.name, created.attempt) == (sandbox.id, "main", 0)
    assert created.labels["part"] == "main"

    await bench.runtime.start_container(container_id)
    running = await bench.look(container_id)
    assert running.state is State.RUNNING
    assert running.started_at is not None
    assert running.started_at >= running.created_at

    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        await bench.end(container_id, 3)
        await heard(events, container_id)
    ended = await bench.ended(container_id)
    assert (ended.state, ended.exit_code, ended.reason) == (State.EXITED, 3, "Error")
    assert ended.finished_at is not None
    assert ended.finished_at >= running.started_at


async def test_a_container_that_ends_well_is_completed(bench: Bench) -> None:
    _, container_id = await bench.running("well")
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        await bench.end(container_id, 0)
        await heard(events, container_id)
    ended = await bench.ended(container_id)
    assert (ended.state, ended.exit_code, ended.reason) == (State.EXITED, 0, "Completed")


async def test_what_an_event_names_has_ended_when_one_looks(bench: Bench) -> None:
    ids = [(await bench.running(f"many-{number}"))[1] for number in range(3)]
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        for container_id in ids:
            await bench.end(container_id, 1)
        left = set(ids)
        async with asyncio.timeout(LIMIT):
            while left:
                event = await anext(events)
                if event.id in left:
                    assert (await bench.look(event.id)).state is State.EXITED
                    left.remove(event.id)


async def test_a_container_starts_once(bench: Bench) -> None:
    _, container_id = await bench.running("once")
    with pytest.raises(RuntimeFailure):
        await bench.runtime.start_container(container_id)


async def test_a_name_is_taken_once_per_attempt(bench: Bench) -> None:
    config = bench.sandbox("names")
    sandbox = await bench.runtime.run_sandbox(config)
    await bench.container(sandbox, config)
    with pytest.raises(RuntimeFailure):
        await bench.container(sandbox, config)
    await bench.container(sandbox, config, attempt=1)
    await bench.container(sandbox, config, name="side")
    assert {(each.name, each.attempt) for each in await bench.runtime.list_containers(sandbox.id)} == {
        ("main", 0),
        ("main", 1),
        ("side", 0),
    }


async def test_stopping_a_container_is_harmless_when_it_has_ended(bench: Bench) -> None:
    _, container_id = await bench.running("stops")
    await bench.runtime.stop_container(container_id, 5)
    ended = await bench.look(container_id)
    assert ended.state is State.EXITED
    assert ended.exit_code != 0
    await bench.runtime.stop_container(container_id, 5)
    await bench.runtime.remove_container(container_id)
    await bench.runtime.remove_container(container_id)
    await bench.runtime.stop_container(container_id, 0)
    assert container_id not in [each.id for each in await bench.runtime.list_containers()]


async def test_a_running_container_can_be_removed(bench: Bench) -> None:
    sandbox, container_id = await bench.running("removed")
    await bench.runtime.remove_container(container_id)
    assert await bench.runtime.list_containers(sandbox.id) == []


async def test_stopping_a_sandbox_ends_its_containers(bench: Bench) -> None:
    sandbox, container_id = await bench.running("falls")
    await bench.runtime.stop_sandbox(sandbox.id)
    assert (await bench.look(container_id)).state is State.EXITED
    config = bench.sandbox("falls")
    with pytest.raises(RuntimeFailure):
        await bench.container(sandbox, config, attempt=1)


async def test_removing_a_sandbox_removes_its_containers(bench: Bench) -> None:
    sandbox, container_id = await bench.running("whole")
    other, _ = await bench.running("other")
    await bench.runtime.remove_sandbox(sandbox.id)
    assert container_id not in [each.id for each in await bench.runtime.list_containers()]
    assert len(await bench.runtime.list_containers(other.id)) == 1


async def test_exec_answers_with_output_and_code(bench: Bench) -> None:
    _, container_id = await bench.running("exec")
    result = await bench.runtime.exec_sync(container_id, ["sh", "-c", "echo hello; exit 4"], 10)
    assert (result.exit_code, result.output) == (4, b"hello\n")


async def test_exec_output_is_bounded(bench: Bench) -> None:
    _, container_id = await bench.running("loud")
    result = await bench.runtime.exec_sync(container_id, ["sh", "-c", "head -c 100000 /dev/zero"], 10)
    assert len(result.output) == 16 * 1024


async def test_exec_that_takes_too_long_times_out(bench: Bench) -> None:
    _, container_id = await bench.running("slow")
    with pytest.raises(TimeoutError):
        await bench.runtime.exec_sync(container_id, ["sleep", "30"], 0.2)


async def test_what_is_not_there_is_missing(bench: Bench) -> None:
    config = bench.sandbox("nowhere")
    sandbox = await bench.runtime.run_sandbox(config)
    await bench.runtime.remove_sandbox(sandbox.id)
    with pytest.raises(Missing):
        await bench.container(sandbox, config)
    with pytest.raises(Missing):
        await bench.runtime.exec_sync("0" * 64, ["true"], 1)
    with pytest.raises(Missing):
        await bench.runtime.start_container("0" * 64)


async def test_an_image_is_found_by_name_and_by_id(bench: Bench) -> None:
    image = await bench.runtime.image_id(bench.image)
    assert image is not None
    assert image.size > 0
    assert await bench.runtime.image_id(image.id) == image
    assert image in await bench.runtime.list_images()


async def test_an_image_that_nobody_has_is_none_and_cannot_be_pulled(bench: Bench) -> None:
    reference = "127.0.0.1:1/missing:1"
    assert await bench.runtime.image_id(reference) is None
    with pytest.raises(PullFailed):
        await bench.runtime.pull_image(reference)


async def test_an_archive_is_loaded_as_often_as_one_likes(bench: Bench) -> None:
    for _ in range(2):
        references = await bench.runtime.load_archive(bench.archive)
        assert len(references) == 1
        assert await bench.runtime.image_id(references[0]) is not None


async def test_what_is_no_archive_is_said_so(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "notes.tar"
    path.write_text("not a tar")
    with pytest.raises(ValueError, match=r"notes\.tar is not a tar"):
        await bench.runtime.load_archive(path)


async def test_a_running_container_uses_something(bench: Bench) -> None:
    _, container_id = await bench.running("uses")
    usage = {each.container_id: each for each in await bench.runtime.usage()}[container_id]
    assert usage.memory_bytes > 0
    assert usage.cpu_nanoseconds >= 0
