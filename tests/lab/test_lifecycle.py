"""What may be asked of a pod in the middle of its life, on a real containerd: resources, restarts, signals, files."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from nodeagent.pods import memory
from nodeagent.pods.context import SystemClock
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.interface import State
from nodeagent.volumes import mounts
from schemas.core.pod import Pod
from schemas.messages import Config
from tests.lab.containerd import Lab, containerd
from tests.lab.test_pods import Agent, pod, until
from tests.unit.nodeagent.pods.builders import Recorder
from tests.waiting import PATIENCE

NODE = NodeFacts(name="node", addresses=("10.0.0.1",), memory_capacity=1 << 34)
CHANGES = 1_000 if os.environ.get("WHERRY_SOAK_SECONDS") else 200
MIB = 1 << 20


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        context = containerd(pod_cidr="10.191.7.0/24")
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


class JumpingClock(SystemClock):
    """The monotonic clock goes on as it does; the other one is set."""

    jumped = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.jumped


class LabAgent(Agent):
    """With a clock that can be set."""

    def start(self) -> None:
        self.clock = JumpingClock()
        self.reporter = Recorder()
        self.workers = PodWorkers(
            self.runtime, self.reporter, directories=self.directories, node=NODE, clock=self.clock
        )
        self._task = asyncio.create_task(self.workers.run())


@pytest.fixture
async def agent(lab: Lab) -> AsyncIterator[LabAgent]:
    one = LabAgent(lab)
    try:
        yield one
        one.accept()
        await until(lambda: one.workers.statistics().workers == 0, 30 * PATIENCE)
        assert not await one.runtime.list_sandboxes()
    finally:
        await one.stop()
        one.runtime.close()
        for point in mounts.mounted_below(one.directories.run):
            mounts.unmount(point)


def sized(cpu: str, memory: str, *, generation: int = 1, **fields: Any) -> Pod:  # noqa: ANN401 - as YAML
    amounts = {"cpu": cpu, "memory": memory}
    told = pod("sized", more={"resources": {"requests": amounts, "limits": amounts}, **fields})
    return replace(told, metadata=replace(told.metadata, generation=generation))


def limit(lab: Lab, name: str, container_id: str) -> int:
    """What the kernel holds the container to, with cgroups of either version."""
    for hierarchy in Path("/sys/fs/cgroup").glob("*"):
        for file in (hierarchy / lab.own.cgroup_root.lstrip("/")).glob(f"**/{container_id}/{name}"):
            return int(file.read_text().split()[0])
    file = next(Path("/sys/fs/cgroup").glob(f"{lab.own.cgroup_root}/**/{container_id}/{name}"))
    return int(file.read_text().split()[0])


def first(lab: Lab, names: tuple[str, ...], container_id: str) -> int:
    for name in names:
        try:
            return limit(lab, name, container_id)
        except StopIteration:
            continue
    raise AssertionError(f"no cgroup of {container_id} has any of {names}")


def has(agent: LabAgent, cpu: str, memory: str) -> bool:
    resources = agent.main("sized").resources
    return resources is not None and (resources.limits.get("cpu"), resources.limits.get("memory")) == (cpu, memory)


async def test_a_running_container_is_given_other_resources(agent: LabAgent, lab: Lab) -> None:
    agent.accept(sized("100m", "32Mi"))
    await until(lambda: agent.is_ready("sized"), 30 * PATIENCE)
    (before,) = await agent.containers()
    for generation, (cpu, size) in enumerate([("300m", "64Mi"), ("200m", "48Mi")], 2):  # more, then less
        agent.accept(sized(cpu, size, generation=generation))
        await until(partial(has, agent, cpu, size), 30 * PATIENCE)
    (after,) = await agent.containers()
    assert (after.id, after.state) == (before.id, State.RUNNING)
    assert first(lab, ("cpu.cfs_quota_us", "cpu.max"), after.id) == 20_000
    assert first(lab, ("memory.limit_in_bytes", "memory.max"), after.id) == 48 * MIB
    assert not [one for one in agent.status("sized").conditions if "Resize" in one.type]


async def test_a_container_is_stopped_by_the_signal_that_it_names(agent: LabAgent, tmp_path: Path) -> None:
    script = (
        "trap 'echo usr1 > /out/said; exit 0' USR1; trap 'echo term > /out/said' TERM; while :; do sleep 0.05; done"
    )
    more: dict[str, object] = {
        "lifecycle": {"stopSignal": "SIGUSR1"},
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    volumes = [{"name": "out", "hostPath": {"path": str(tmp_path)}}]
    agent.accept(pod("signalled", script, more, volumes=volumes, terminationGracePeriodSeconds=60))
    await until(lambda: agent.is_ready("signalled"), 30 * PATIENCE)
    assert agent.main("signalled").stop_signal == "SIGUSR1"
    agent.accept()
    await until(lambda: "signalled" in agent.reporter.forgotten, 30 * PATIENCE)
    assert (tmp_path / "said").read_text() == "usr1\n"


async def test_the_exit_code_decides_whether_a_container_runs_again(agent: LabAgent, tmp_path: Path) -> None:
    more: dict[str, object] = {
        "restartPolicy": "Never",
        "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}],
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    script = "test -e /out/again && exit 3; touch /out/again; exit 42"
    volumes = [{"name": "out", "hostPath": {"path": str(tmp_path)}}]
    agent.accept(pod("ruled", script, more, volumes=volumes, restartPolicy="Never"))
    await until(lambda: agent.status("ruled").phase == "Failed", 30 * PATIENCE)
    main = agent.main("ruled")
    assert main.restart_count == 1
    assert main.state
    assert main.state.terminated
    assert main.state.terminated.exit_code == 3


async def test_a_container_that_takes_too_much_memory_is_told_to_have_done_so(agent: LabAgent) -> None:
    """Its end is heard of before its reason is; what is told in the end has it."""
    more: dict[str, object] = {"resources": {"limits": {"memory": "16Mi"}}}
    agent.accept(pod("greedy", "x=a; while :; do x=$x$x; done", more, restartPolicy="Never"))
    await until(lambda: agent.status("greedy").phase == "Failed", 30 * PATIENCE)
    state = agent.main("greedy").state
    assert state
    assert state.terminated
    assert (state.terminated.reason, state.terminated.exit_code) == ("OOMKilled", 137)


async def test_a_clock_that_jumps_changes_no_back_off_and_restarts_nothing(
    agent: LabAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FIRST_DELAY", 3.0)
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    pods = [
        pod("steady", more={"livenessProbe": probe, "readinessProbe": probe}),
        pod("timed", activeDeadlineSeconds=3600),
        pod("crashing", "exit 1"),
    ]
    agent.accept(*pods)
    await until(lambda: agent.is_ready("steady") and agent.is_ready("timed") and _is_backing_off(agent), 30 * PATIENCE)
    told = {name: agent.main(name).container_id for name in ("steady", "timed")}
    for years in (10, -10):
        agent.clock.jumped = timedelta(days=365 * years)
        agent.workers.images_came()  # which wakes every worker, to decide by the new time
        await until(lambda: not agent.workers.statistics().busy, 30 * PATIENCE)
    await until(lambda: agent.main("crashing").restart_count >= 2, 30 * PATIENCE)  # when it would have been
    assert agent.is_ready("steady")
    assert {name: agent.main(name).container_id for name in told} == told
    assert agent.status("timed").phase == "Running"


def _is_backing_off(agent: LabAgent) -> bool:
    state = agent.main("crashing").state if agent.status("crashing").container_statuses else None
    return state is not None and state.waiting is not None and state.waiting.reason == "CrashLoopBackOff"


READER = """
last=-1
while :; do
  a=$(cat /settings/a) && b=$(cat /settings/b) || echo missing >> /out/bad
  n=$(echo "$a" | cut -d' ' -f1)
  test "$n" -ge "$last" || echo "back $last $n" >> /out/bad
  last=$n
  echo "$n" > /out/seen.new && mv /out/seen.new /out/seen
done
"""


async def test_a_config_map_that_changes_again_and_again_is_always_read_whole(agent: LabAgent, tmp_path: Path) -> None:
    """Each file is as of one version, never missing, never older than one seen before; directories are never mixed."""
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "out", "hostPath": {"path": str(tmp_path)}},
    ]
    more: dict[str, object] = {
        "volumeMounts": [{"name": "settings", "mountPath": "/settings"}, {"name": "out", "mountPath": "/out"}]
    }
    wanted = pod("reader", READER, more, volumes=volumes)
    agent.accept(wanted, configs=[_version(0)])
    await until((tmp_path / "seen").exists, 30 * PATIENCE)
    folder = next(agent.directories.pods_run.glob("reader/**/..data")).parent
    mixed = []
    for version in range(1, CHANGES + 1):
        agent.accept(wanted, configs=[_version(version)])
        await asyncio.sleep(0)
        there = (folder / "..data").resolve()  # what a reader who holds the directory sees
        if len({(there / name).read_text() for name in ("a", "b")}) != 1:
            mixed.append(version)
    await until(lambda: (tmp_path / "seen").read_text().strip() == str(CHANGES), 30 * PATIENCE)
    assert not mixed
    assert not (tmp_path / "bad").exists(), (tmp_path / "bad").read_text()[:500]
    assert len(list(folder.iterdir())) <= 5  # nothing of the versions before is left


def _version(number: int) -> Config:
    body = f"{number} {'x' * 3000}\n".encode()
    return Config("ConfigMap", "default", "settings", {"a": body, "b": body})
