"""Pods on a real containerd, by the workers alone: what containers see, how they end, what is left of them."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeagent.pods.logs import LogLimits, rotate
from nodeagent.pods.node import Directories, NodeFacts
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import Container, State
from nodeagent.volumes import mounts
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStateTerminated, ContainerStatus, PodStatus
from schemas.messages import Config
from tests.lab.containerd import BUSYBOX, BUSYBOX_2, Lab, containerd
from tests.unit.nodeagent.pods.builders import Recorder, accepted
from tests.unit.nodeagent.pods.builders import pod as any_pod

pytestmark = pytest.mark.lab

WAIT = "trap 'exit 0' TERM; while true; do sleep 0.05; done"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        context = containerd()
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


class Agent:
    """The pods of an agent on the lab's containerd."""

    def __init__(self, lab: Lab) -> None:
        self.runtime = CriRuntime(lab.own.address, "node", lab.own.cgroup_root)
        self.directories = Directories(lab.directory / "data", lab.directory / "run", lab.directory / "logs")
        self.start()

    def start(self) -> None:
        self.reporter = Recorder()
        node = NodeFacts(name="node", addresses=("10.0.0.1",), memory_capacity=1 << 34)
        self.workers = PodWorkers(self.runtime, self.reporter, directories=self.directories, node=node)
        self._task = asyncio.create_task(self.workers.run())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def accept(self, *pods: Pod, configs: Iterable[Config] = ()) -> None:
        self.workers.accept(accepted(pods, configs))

    def status(self, uid: str) -> PodStatus:
        return self.reporter.statuses.get(uid, PodStatus())

    def main(self, uid: str) -> ContainerStatus:
        return self.status(uid).container_statuses[0]

    def is_ready(self, uid: str) -> bool:
        return any(one.type == "Ready" and one.status == "True" for one in self.status(uid).conditions)

    async def containers(self, name: str = "main") -> list[Container]:
        return [one for one in await self.runtime.list_containers() if one.name == name]

    async def inside(self, script: str, name: str = "main") -> str:
        running = next(one for one in await self.containers(name) if one.state is State.RUNNING)
        result = await self.runtime.exec_sync(running.id, ["sh", "-c", script], 10)
        return result.output.decode()


async def until(condition: Callable[[], bool], limit: float = 120) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def agent(lab: Lab) -> AsyncIterator[Agent]:
    one = Agent(lab)
    try:
        yield one
        one.accept()
        await until(lambda: one.workers.statistics().workers == 0)
        assert not await one.runtime.list_sandboxes()
        assert mounts.mounted_below(one.directories.run) == [one.directories.run]
        for folder in (one.directories.pods, one.directories.pods_run, one.directories.logs):
            assert not folder.exists() or not list(folder.iterdir())
    finally:
        await one.stop()
        one.runtime.close()
        for point in mounts.mounted_below(one.directories.run):
            mounts.unmount(point)


def pod(uid: str, script: str = WAIT, more: dict[str, object] | None = None, **spec: Any) -> Pod:  # noqa: ANN401
    spec.setdefault("terminationGracePeriodSeconds", 2)
    container = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", script], **(more or {})}
    return any_pod(uid, uid, containers=[container], **spec)


def terminated(status: ContainerStatus) -> ContainerStateTerminated:
    assert status.state
    assert status.state.terminated
    return status.state.terminated


async def test_a_container_sees_its_environment_and_its_volumes(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "host.txt").write_text("of the host")
    more: dict[str, object] = {
        "env": [
            {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "BOTH", "value": "$(COLOUR)-$(NOBODY)"},
        ],
        "volumeMounts": [
            {"name": "settings", "mountPath": "/settings"},
            {"name": "secret", "mountPath": "/secret"},
            {"name": "scratch", "mountPath": "/scratch"},
            {"name": "memory", "mountPath": "/memory"},
            {"name": "host", "mountPath": "/host", "readOnly": True},
            {"name": "scratch", "mountPath": "/part", "subPath": "deep/er"},
            {"name": "settings", "mountPath": "/colour", "subPath": "colour"},
        ],
        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
        "securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
    }
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "key", "defaultMode": 0o444}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
    ]
    configs = [
        Config("ConfigMap", "default", "settings", {"colour": b"green"}),
        Config("Secret", "default", "key", {"word": b"sesame"}),
    ]
    wanted = pod("view", more=more, volumes=volumes, hostAliases=[{"ip": "10.1.1.1", "hostnames": ["printer"]}])
    agent.accept(wanted, configs=configs)
    await until(lambda: agent.is_ready("view"))
    assert await agent.inside("echo $COLOUR $BOTH") == "green green-$(NOBODY)\n"
    assert await agent.inside("echo $ME") == agent.status("view").pod_ip + "\n"
    assert await agent.inside("cat /settings/colour /secret/word /colour") == "greensesamegreen"
    assert await agent.inside("cat /host/host.txt; echo x > /host/y") != "of the host"
    assert await agent.inside("echo a > /scratch/deep/er/a; cat /part/a; id -u; hostname") == "a\n1000\nview\n"
    assert "tmpfs" in await agent.inside("grep ' /memory ' /proc/mounts")
    assert "tmpfs" in await agent.inside("grep ' /secret ' /proc/mounts")
    assert "10.1.1.1\tprinter" in await agent.inside("cat /etc/hosts")
    changed = [Config("ConfigMap", "default", "settings", {"colour": b"blue"}), configs[1]]
    agent.accept(wanted, configs=changed)
    assert await agent.inside("cat /settings/colour /colour") == "bluegreen"


async def test_a_killed_container_runs_again_at_once(agent: Agent) -> None:
    seconds = 10_000 + os.getpid()  # so that no other test's is killed
    agent.accept(pod("killed", f"sleep {seconds}"))
    await until(lambda: agent.is_ready("killed"))
    pids = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and (entry / "cmdline").exists() and _command(entry) == f"sleep\0{seconds}\0".encode()
    ]
    begun = time.monotonic()
    os.kill(int(pids[0]), signal.SIGKILL)
    await until(lambda: agent.main("killed").restart_count == 1 and agent.is_ready("killed"))
    assert time.monotonic() - begun < 9, "one that is held back waits ten seconds"
    last = agent.main("killed").last_state
    assert last
    assert last.terminated
    assert last.terminated.exit_code == 137


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


async def test_a_pod_that_runs_out_tells_its_message_and_keeps_its_log(agent: Agent) -> None:
    script = "echo from the log; echo from the file > /dev/termination-log; exit 3"
    agent.accept(pod("message", script, restartPolicy="Never"))
    await until(lambda: agent.status("message").phase == "Failed")
    ended = terminated(agent.main("message"))
    assert (ended.exit_code, ended.reason, ended.message) == (3, "Error", "from the file\n")
    logs = agent.directories.logs / "default_message_message"
    assert "from the log" in (logs / "main" / "0.log").read_text()
    await until(lambda: (agent.directories.pod_data("message") / "finished.json").exists())
    assert not (await agent.runtime.list_sandboxes())[0].ready


async def test_without_a_message_the_end_of_the_log_tells(agent: Agent) -> None:
    more: dict[str, object] = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    agent.accept(pod("fallback", "echo one; echo two; exit 1", more, restartPolicy="Never"))
    await until(lambda: agent.status("fallback").phase == "Failed")
    assert terminated(agent.main("fallback")).message == "one\ntwo\n"


async def test_a_pod_ends_by_its_hook_and_its_grace(agent: Agent, tmp_path: Path) -> None:
    script = "trap 'echo term >> /out/said; exit 0' TERM; while true; do sleep 0.05; done"
    more: dict[str, object] = {
        "lifecycle": {
            "postStart": {"exec": {"command": ["sh", "-c", "echo begun >> /out/said"]}},
            "preStop": {"exec": {"command": ["sh", "-c", "echo stopping >> /out/said"]}},
        },
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    agent.accept(pod("hooked", script, more, volumes=[{"name": "out", "hostPath": {"path": str(tmp_path)}}]))
    await until(lambda: agent.is_ready("hooked"))
    agent.accept()
    await until(lambda: "hooked" in agent.reporter.forgotten)
    assert (tmp_path / "said").read_text() == "begun\nstopping\nterm\n"


async def test_a_container_that_cannot_be_started_says_why(agent: Agent) -> None:
    agent.accept(pod("badcmd", more={"command": ["/nosuch"]}, restartPolicy="Never"))
    await until(lambda: agent.status("badcmd").phase == "Failed")
    ended = terminated(agent.main("badcmd"))
    assert (ended.reason, ended.exit_code) == ("StartError", 128)
    assert "/nosuch" in ended.message


async def test_probes_reach_the_pod_and_a_new_image_takes_over(agent: Agent) -> None:
    serve = "mkdir /tmp/www; echo hello > /tmp/www/page; exec httpd -f -p 8080 -h /tmp/www"
    more: dict[str, object] = {
        "ports": [{"name": "web", "containerPort": 8080}],
        "startupProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1},
        "readinessProbe": {"httpGet": {"path": "/page", "port": "web"}},
        "livenessProbe": {"exec": {"command": ["cat", "/tmp/www/page"]}},
    }
    agent.accept(pod("probed", serve, more))
    await until(lambda: agent.is_ready("probed"))
    agent.accept(pod("probed", serve, {**more, "image": BUSYBOX_2}))
    await until(lambda: agent.main("probed").image == BUSYBOX_2 and agent.is_ready("probed"))
    assert len([one for one in await agent.containers() if one.state is State.RUNNING]) == 1


async def test_an_agent_that_was_killed_adopts_what_runs(agent: Agent) -> None:
    agent.accept(pod("adopted", volumes=[{"name": "memory", "emptyDir": {"medium": "Memory"}}]))
    await until(lambda: agent.is_ready("adopted"))
    before = await agent.containers()
    await agent.stop()
    agent.start()
    agent.accept(pod("adopted", volumes=[{"name": "memory", "emptyDir": {"medium": "Memory"}}]))
    await until(lambda: agent.is_ready("adopted"))
    assert await agent.containers() == before


async def test_a_link_in_a_volume_does_not_lead_a_sub_path_out_of_it(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    more: dict[str, object] = {"volumeMounts": [{"name": "host", "mountPath": "/x", "subPath": "out"}]}
    agent.accept(pod("escape", more=more, volumes=[{"name": "host", "hostPath": {"path": str(tmp_path)}}]))
    await until(lambda: bool(agent.status("escape").phase) and _waits(agent.main("escape")))
    assert not await agent.containers()


def _waits(status: ContainerStatus) -> bool:
    return bool(status.state and status.state.waiting and status.state.waiting.reason == "CreateContainerConfigError")


async def test_a_log_that_grows_too_large_is_rotated(agent: Agent) -> None:
    agent.accept(pod("noisy", "trap 'exit 0' TERM; while true; do echo a line of some length; sleep 0.01; done"))
    await until(lambda: agent.is_ready("noisy"))
    path = agent.directories.logs / "default_noisy_noisy" / "main" / "0.log"
    await until(lambda: path.exists() and path.stat().st_size > 2000)
    running = (await agent.containers())[0]
    assert await rotate(agent.runtime, running.id, path, LogLimits(max_bytes=2000))
    await until(lambda: path.exists() and path.stat().st_size > 0)
    assert path.with_name("0.log.1").exists()
