"""Whatever happens, in whatever order, a pod comes to what its spec asks for.

Runtime events, results of probes, changes of the spec, restarts of the agent and of the machine are put in any order.
`WHERRY_EXAMPLES` says how many histories of each sort are played.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nodeagent.runtime.fake import FakeRuntime
from nodeagent.runtime.interface import ExecResult, RuntimeFailure, State
from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import Node, deleted, node, pod
from tests.unit.nodeagent.pods.virtual import VirtualClock, run, until


class WatchedRuntime(FakeRuntime):
    """Fails as it is told, and notes when two containers of one name of a pod live."""

    def __init__(self) -> None:
        super().__init__(now=VirtualClock().now, start_seconds=0.05, execute=self._look)
        self.failures = 0
        self.answer = 0
        """The exit code of every probe."""
        self.doubles: list[list[tuple[str, str]]] = []

    async def _look(self, container_id: str, command: Sequence[str]) -> ExecResult:
        return ExecResult(self.answer, b"")

    async def start_container(self, container_id: str) -> None:
        self._maybe_fail()
        await super().start_container(container_id)
        found = {one.id: one for one in await self.list_containers()}
        uids = {one.id: one.uid for one in await self.list_sandboxes()}
        live = [(uids[one.sandbox_id], one.name) for one in found.values() if one.state is State.RUNNING]
        if len(live) != len(set(live)):
            self.doubles.append(live)

    async def create_container(self, *arguments: Any) -> str:  # noqa: ANN401 - passed on
        made = await super().create_container(*arguments)
        self._maybe_fail()  # it was made, and the answer got lost
        return made

    async def remove_sandbox(self, sandbox_id: str) -> None:
        self._maybe_fail()
        await super().remove_sandbox(sandbox_id)

    def _maybe_fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeFailure("told to fail")


EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "20"))
ASKING = 88
"""By this exit code `main` asks that all containers begin anew."""
RULES = {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [ASKING]}}


def wanted(image: int, policy: str, cpu: int) -> list[dict[str, object]]:
    """`side` is probed by a command."""
    probe = {"exec": {"command": ["look"]}, "periodSeconds": 1, "failureThreshold": 2}
    resources = {"requests": {"cpu": f"{cpu}m"}, "limits": {"cpu": f"{cpu}m"}}
    main = {"name": "main", "image": f"app:{image}", "resources": resources}
    return [
        main | {"restartPolicy": policy, "restartPolicyRules": [RULES]},
        {"name": "side", "image": "side:1", "livenessProbe": probe, "readinessProbe": probe},
    ]


INITS = [
    {"name": "prep", "image": "prep:1"},
    {"name": "car", "image": "car:1", "restartPolicy": "Always"},
]

NAMES = ["main", "side", "car", "prep"]
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("crash"), st.sampled_from(["main", "side", "car", "prep"]), st.sampled_from([0, 1, 137, ASKING])
        ),
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("cpu"), st.sampled_from([100, 300, 900, 5000])),
        st.tuples(st.just("probes"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.01, 0.06, 1.0, 15.0, 400.0])),
        st.tuples(st.sampled_from(["restart", "reboot", "away", "back", "lose-sandbox", "fail", "again"])),
    ),
    max_size=14,
)


class Story:
    """Plays the steps on a node."""

    def __init__(self, one: Node, runtime: WatchedRuntime, policy: str) -> None:
        self.node, self.runtime, self.policy = one, runtime, policy
        self.image, self.cpu, self.generation = 1, 100, 1
        self.accept()

    def pod(self) -> Pod:
        return pod(
            containers=wanted(self.image, self.policy, self.cpu),
            initContainers=INITS,
            restartPolicy=self.policy,
            generation=self.generation,
        )

    def accept(self) -> None:
        self.node.accept(self.pod())

    async def play(self, step: tuple[object, ...]) -> None:
        match step:
            case ("crash", str(name), int(code)):
                self.end(name, code)
            case ("image", int(image)):
                self.image, self.generation = image, self.generation + 1
                self.accept()
            case ("cpu", int(cpu)):
                self.cpu, self.generation = cpu, self.generation + 1
                self.accept()
            case ("probes", int(answer)):
                self.runtime.answer = answer
            case ("wait", float(seconds)):
                await asyncio.sleep(seconds)
            case ("restart",):
                await self.restart()
            case ("reboot",):
                self.runtime.reboot()
                await self.restart()
            case ("away" | "back" as where,):
                self.runtime.set_available(where == "back")
            case ("lose-sandbox",):
                for sandbox in list(self.runtime._sandboxes.values()):
                    self.runtime._end_sandbox(sandbox, 137, "Error")
            case ("fail",):
                self.runtime.failures += 1
            case ("again",):
                self.accept()

    async def restart(self) -> None:
        await self.node.restart_agent()
        self.node.workers.update_node(replace(self.node.facts, allocatable_cpu=1000))
        self.accept()

    def end(self, name: str, code: int) -> None:
        for one in list(self.runtime._containers.values()):
            if one.name == name:
                self.runtime.crash(one.id, code)

    async def calm(self) -> None:
        """Nothing disturbs any more; init containers do what they are for."""
        self.runtime.set_available(True)
        self.runtime.failures = self.runtime.answer = 0
        for _ in range(100):
            await asyncio.sleep(8)
            self.end("prep", 0)

    def refused(self) -> bool:
        """The node has not so much, and the container began with less."""
        has = self.node.container().resources
        return self.cpu > 1000 and has is not None and has.limits["cpu"] != f"{self.cpu}m"

    def live(self) -> list[str]:
        return sorted(one.name for one in self.runtime._containers.values() if one.state is State.RUNNING)


def play(steps: list[tuple[object, ...]], policy: str, finish: object) -> None:
    async def whole(path: Path) -> None:
        runtime = WatchedRuntime()
        async with node(path, runtime) as one:
            one.workers.update_node(replace(one.facts, allocatable_cpu=1000))
            story = Story(one, runtime, policy)
            for step in steps:
                await story.play(step)
            await finish(story)  # type: ignore[operator]
            assert not runtime.doubles

    with tempfile.TemporaryDirectory() as directory:
        run(whole(Path(directory)))


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS)
def test_a_pod_that_shall_always_run_runs_after_whatever_happened(steps: list[tuple[object, ...]]) -> None:
    async def finish(story: Story) -> None:
        await story.calm()
        assert story.live() == ["car", "main", "side"]
        assert story.node.is_ready()
        assert story.node.container().image.endswith(f"app:{story.image}")
        assert len([one for one in story.runtime._sandboxes.values() if one.ready]) == 1
        conditions = {one.type: one.reason for one in story.node.status().conditions}
        assert conditions.get("PodResizePending", "") == ("Infeasible" if story.refused() else "")
        assert "PodResizeInProgress" not in conditions
        assert "AllContainersRestarting" not in conditions
        has = story.node.container().resources
        assert has
        assert story.refused() or has.limits["cpu"] == f"{story.cpu}m"

    play(steps, "Always", finish)


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS, st.sampled_from(["Always", "OnFailure", "Never"]), st.booleans())
def test_a_pod_that_ends_leaves_nothing_and_says_so(steps: list[tuple[object, ...]], policy: str, drop: bool) -> None:
    async def finish(story: Story) -> None:
        if drop:
            story.node.accept()
        else:
            story.node.accept(deleted(story.pod(), 5))
        story.runtime.set_available(True)
        one = story.node
        await until(lambda: one.workers.statistics().available)
        await until(lambda: not one.workers.statistics().workers if drop else "u1" in one.reporter.removed, limit=300)
        assert not story.runtime._sandboxes
        assert not story.runtime._containers
        assert not list(story.node.directories.pods_run.glob("*"))
        await asyncio.sleep(400)
        assert not story.runtime._sandboxes

    play(steps, policy, finish)


@settings(max_examples=EXAMPLES, deadline=None)
@given(STEPS, st.sampled_from([0, 1]))
def test_a_pod_that_runs_once_ends_in_a_phase_that_stays(steps: list[tuple[object, ...]], code: int) -> None:
    async def finish(story: Story) -> None:
        await story.calm()
        for name in ("main", "side"):
            story.end(name, code)
        await until(lambda: story.node.status().phase in ("Succeeded", "Failed"), limit=300)
        phase = story.node.status().phase
        await story.node.restart_agent()
        story.accept()
        await asyncio.sleep(700)
        assert story.node.status().phase == phase
        assert story.live() == []

    play(steps, "Never", finish)
