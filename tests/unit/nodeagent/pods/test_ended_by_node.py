"""Pods that their node ends by itself: for good, or for as long as the machine is down."""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from nodeagent.machine.amounts import Amounts
from nodeagent.machine.pressure import Pressure
from nodeagent.machine.thresholds import parse
from nodeagent.pods.actions import Failure
from schemas.core.podstatus import PodStatus
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]
GIB = 1024**3
WHY = Failure("Evicted", "The node was low on resource: memory. ", 1.0)


def disruption(status: PodStatus) -> tuple[str, str]:
    found = [one for one in status.conditions if one.type == "DisruptionTarget"]
    return (found[0].reason, found[0].message) if found else ("", "")


def test_an_evicted_pod_fails_and_never_runs_again(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(), pod("u2", "other"))
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        assert node.workers.evict("u1", WHY)
        assert not node.workers.evict("u1", WHY)
        await until(lambda: node.status().phase == "Failed")
        assert (node.status().reason, node.status().message) == (WHY.reason, WHY.message)
        assert disruption(node.status()) == ("TerminationByKubelet", WHY.message)
        assert "Evicted" in node.reporter.reasons()
        await asyncio.sleep(600)
        assert [one.name for one in await node.running()] == ["main"]
        assert node.is_ready("u2")

    play(scene)


def test_an_eviction_outlives_the_agent_that_was_killed_over_it(play: Play) -> None:
    """Whatever it had come to: the first moment already counts."""

    async def scene(node: Node) -> None:
        node.accept(pod(terminationGracePeriodSeconds=30))
        await until(node.is_ready)
        assert node.workers.evict("u1", WHY)
        await node.restart_agent()
        node.accept(pod(terminationGracePeriodSeconds=30))
        await until(lambda: node.status().phase == "Failed")
        assert node.status().reason == "Evicted"
        node.runtime.reboot()
        await node.restart_agent()
        node.accept(pod(terminationGracePeriodSeconds=30))
        await asyncio.sleep(60)
        assert not await node.running()
        assert node.status().reason == "Evicted"

    play(scene)


def test_a_pod_that_does_not_end_has_no_more_than_the_grace_of_its_eviction(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(terminationGracePeriodSeconds=300))
        await until(node.is_ready)
        begun = node.clock.monotonic()
        node.workers.evict("u1", WHY)
        await until(lambda: node.status().phase == "Failed")
        assert node.clock.monotonic() - begun < 10

    play(scene)


def test_dead_containers_go_and_what_they_were_is_still_told(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        node.workers.evict("u1", WHY)
        await until(lambda: not node.workers.active())
        await node.workers.remove_dead()
        assert not await node.containers()
        await asyncio.sleep(60)
        assert (node.status().phase, node.status().reason) == ("Failed", "Evicted")
        assert not await node.containers()

    play(scene)


def test_pods_end_when_the_machine_goes_down_and_run_again_with_it(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(terminationGracePeriodSeconds=300))
        await until(node.is_ready)
        node.workers.go_down(lambda _: 5.0)
        await until(lambda: not node.workers.live(lambda _: True))
        await until(lambda: node.status().reason == "Terminated")
        assert node.status().phase == "Running"
        assert node.status().message == "Pod was terminated in response to imminent node shutdown."
        await asyncio.sleep(60)
        assert not await node.running()
        node.runtime.reboot()
        await node.restart_agent()
        node.accept(pod(terminationGracePeriodSeconds=300))
        await until(node.is_ready)
        assert node.status().reason == ""

    play(scene)


def test_a_shutdown_that_is_called_off_is_undone(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod())
        await until(node.is_ready)
        node.workers.go_down(lambda _: 5.0)
        await until(lambda: not node.workers.live(lambda _: True))
        node.workers.go_down(lambda _: None)
        await until(node.is_ready)

    play(scene)


def test_a_pod_that_never_restarts_is_over_when_the_machine_goes_down(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(pod(restartPolicy="Never"))
        await until(node.is_ready)
        node.workers.go_down(lambda _: 5.0)
        await until(lambda: node.status().phase == "Failed")
        assert node.status().reason == "Terminated"
        assert disruption(node.status())[0] == "TerminationByKubelet"

    play(scene)


class Machine:
    """What there is of all that can run out."""

    def __init__(self) -> None:
        self.amounts = Amounts(memory=8 * GIB, memory_available=4 * GIB, storage=100 * GIB, storage_free=50 * GIB)
        self.freed = 0
        self.told: list[str] = []

    def short_of_disk(self) -> None:
        self.amounts = replace(self.amounts, storage_free=1)

    async def free_images(self) -> int:
        self.freed += 1
        return 0

    def pressure(self, node: Node) -> Pressure:
        return Pressure(
            parse({}, {}, {}, {}),
            transition=300.0,
            soft_grace=30.0,
            look=lambda: self.amounts,
            pods=node.workers,
            runtime=node.runtime,
            directories=node.directories,
            free_images=self.free_images,
            tell=lambda _, reason, __: self.told.append(reason),
            changed=lambda: None,
        )


def with_request(uid: str, name: str, memory: str, priority: int = 0) -> Any:  # noqa: ANN401 - a Pod
    container = {"name": "main", "image": "app:1", "resources": {"requests": {"memory": memory}}}
    return pod(uid, name, containers=[container], priority=priority)


def test_under_memory_pressure_one_pod_goes_at_a_time(play: Play) -> None:
    async def scene(node: Node) -> None:
        machine = Machine()
        pressure = machine.pressure(node)
        node.accept(with_request("u1", "modest", "1Gi"), pod("u2", "greedy"), pod("u3", "critical", priority=2 * 10**9))
        await until(lambda: all(node.is_ready(uid) for uid in ("u1", "u2", "u3")))
        await pressure.look()
        assert pressure.conditions == frozenset()
        machine.amounts = replace(machine.amounts, memory_available=1)
        await pressure.look()
        assert pressure.conditions == {"MemoryPressure"}
        assert machine.told == ["EvictionThresholdMet"]
        assert not machine.freed  # images are no help
        await until(lambda: node.status("u2").phase == "Failed")
        assert node.status("u1").phase == "Running"
        await pressure.look()
        await until(lambda: node.status("u1").phase == "Failed")
        await pressure.look()
        assert node.is_ready("u3")

    play(scene)


def test_under_disk_pressure_images_go_before_pods(play: Play) -> None:
    async def scene(node: Node) -> None:
        machine = Machine()

        async def free() -> int:
            machine.amounts = replace(machine.amounts, storage_free=50 * GIB)
            return 50 * GIB

        machine.free_images = free  # type: ignore[method-assign]
        pressure = machine.pressure(node)
        node.accept(pod())
        await until(node.is_ready)
        machine.short_of_disk()
        await pressure.look()
        assert pressure.conditions == {"DiskPressure"}
        await asyncio.sleep(60)
        assert node.is_ready()

    play(scene)


def test_a_pod_that_is_still_ending_is_waited_for(play: Play) -> None:
    async def scene(node: Node) -> None:
        machine = Machine()
        pressure = machine.pressure(node)
        node.accept(pod(), pod("u2", "other"))
        await until(lambda: node.is_ready() and node.is_ready("u2"))
        machine.amounts = replace(machine.amounts, memory_available=1)
        await pressure.look()
        await pressure.look()
        failing = [state for state in node.workers.states.values() if state.memory.failure is not None]
        assert len(failing) == 1

    play(scene)


def test_where_nobody_may_be_evicted_it_is_said_once(play: Play) -> None:
    """What nobody needs is removed all the same, whenever there is some."""

    async def scene(node: Node) -> None:
        machine = Machine()
        pressure = machine.pressure(node)
        node.accept(pod(priority=2 * 10**9))
        await until(node.is_ready)
        machine.short_of_disk()
        for _ in range(3):
            await pressure.look()
        assert machine.told == ["EvictionThresholdMet"]
        assert machine.freed == 3
        node.accept(pod(priority=2 * 10**9), pod("u2", "other", priority=2 * 10**9))
        await until(lambda: "u2" in node.workers.states)
        await pressure.look()
        assert machine.told == ["EvictionThresholdMet"] * 2

    play(scene)
