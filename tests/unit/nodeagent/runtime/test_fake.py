import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import ExecResult, PullFailed, RuntimeEvent, State, Unavailable
from tests.unit.nodeagent.runtime.archives import docker_archive
from tests.unit.nodeagent.runtime.contract import *  # noqa: F403
from tests.unit.nodeagent.runtime.contract import Bench


async def execute(container_id: str, command: Sequence[str]) -> ExecResult:
    """As a shell would, for the commands of the contract."""
    if command[0] == "sleep":
        await asyncio.sleep(float(command[1]))
    if "head" in command[-1]:
        return ExecResult(0, bytes(100_000))
    return ExecResult(4, b"hello\n")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    runtime = FakeRuntime(execute=execute)

    async def end(container_id: str, code: int) -> None:
        runtime.crash(container_id, code)

    return Bench(runtime, "example.org/app:1", docker_archive(tmp_path / "app.tar"), end, ("app",), tmp_path)


async def test_a_pulled_image_takes_its_time_and_stays() -> None:
    runtime = FakeRuntime(pull_seconds=0.01)
    assert await runtime.image_id("busybox") is None
    pulled = await runtime.pull_image("busybox")
    image = await runtime.image_id("busybox")
    assert image is not None
    assert (image.id, image.tags) == (pulled, ("docker.io/library/busybox:latest",))
    await runtime.remove_image(pulled)
    assert await runtime.image_id("busybox") is None
    with pytest.raises(PullFailed):
        await runtime.pull_image("example.org/missing")


async def test_a_runtime_that_goes_ends_its_streams_and_keeps_its_containers(bench: Bench) -> None:
    runtime = bench.runtime
    assert isinstance(runtime, FakeRuntime)
    _, container_id = await bench.running("stays")
    async with aclosing(runtime.events()) as events:
        assert await anext(events) == RuntimeEvent()
        runtime.set_available(False)
        with pytest.raises(Unavailable):
            await anext(events)
    with pytest.raises(Unavailable):
        await runtime.list_containers()
    runtime.set_available(True)
    assert (await bench.look(container_id)).state is State.RUNNING


async def test_after_a_reboot_nothing_runs_and_all_is_known(bench: Bench) -> None:
    runtime = bench.runtime
    assert isinstance(runtime, FakeRuntime)
    sandbox, container_id = await bench.running("off")
    runtime.reboot()
    assert [each.ready for each in await runtime.list_sandboxes(sandbox.id)] == [False]
    ended = await bench.look(container_id)
    assert (ended.state, ended.exit_code) == (State.EXITED, 255)


async def test_a_container_stopped_while_it_starts_is_gone() -> None:
    runtime = FakeRuntime(start_seconds=0.01)
    bench = Bench(runtime, "app", Path(), lambda _, __: asyncio.sleep(0), (), Path())
    config = bench.sandbox("short")
    sandbox = await runtime.run_sandbox(config)
    container_id = await bench.container(sandbox, config)
    starting = asyncio.create_task(runtime.start_container(container_id))
    await asyncio.sleep(0)
    await runtime.remove_sandbox(sandbox.id)
    with pytest.raises(Exception, match="is not here"):
        await starting


async def test_addresses_are_given_out_until_none_is_left_and_then_again() -> None:
    runtime = FakeRuntime(pod_cidr="10.1.0.0/29")
    bench = Bench(runtime, "app", Path(), lambda _, __: asyncio.sleep(0), (), Path())
    made = [await runtime.run_sandbox(bench.sandbox(f"p{number}")) for number in range(5)]
    assert {each.ips[0] for each in made} == {f"10.1.0.{last}" for last in range(2, 7)}
    with pytest.raises(Exception, match="no address is free"):
        await runtime.run_sandbox(bench.sandbox("full"))
    await runtime.remove_sandbox(made[2].id)
    assert (await runtime.run_sandbox(bench.sandbox("again"))).ips == made[2].ips


async def test_pods_wait_for_the_network_and_have_addresses_of_its_range() -> None:
    runtime = FakeRuntime(pod_cidr="")
    bench = Bench(runtime, "app", Path(), lambda _, __: asyncio.sleep(0), (), Path())
    with pytest.raises(Exception, match="cni plugin not initialized"):
        await runtime.run_sandbox(bench.sandbox("early"))
    runtime.lay_network("10.2.3.0/24")
    assert (await runtime.run_sandbox(bench.sandbox("a"))).ips == ("10.2.3.2",)
    runtime.lay_network("10.2.3.0/24")
    assert (await runtime.run_sandbox(bench.sandbox("b"))).ips == ("10.2.3.3",)
