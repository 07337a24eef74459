"""A node that nobody can reach: an agent with its own containerd, no broker, and pods from its checkpoint alone.

What runs is read from `/proc` and the cgroups, so that it can be told whatever of agent and containerd is dead: each
container is a `sleep` of a number that no other has.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from nodeagent.accepted import NOTHING_ACCEPTED, Accepted
from nodeagent.checkpoint import Checkpoint
from nodeagent.network import cni
from nodeagent.network.forwarding import Forwarding
from nodeagent.runtime import cgroups, processes
from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.cri import CriRuntime
from nodeagent.volumes import mounts
from schemas.core.pod import Pod
from schemas.messages import Assignment, Digest
from tests.lab.containerd import BUSYBOX, images, power_off
from tests.waiting import PATIENCE

FIRST = 3_000_000
"""Seconds that the first container sleeps; each other one a second more."""
SIZE = 700
"""MiB of the disk that the node's data lie on."""


class Alone:
    """`directory` is a small disk of its own, with all that a power cut leaves."""

    def __init__(self, directory: Path, pod_cidr: str) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.run = directory.with_suffix(".run")  # memory, on a node
        self.log = directory.with_suffix(".log")
        self.pod_cidr = pod_cidr
        self.own = OwnContainerd(self.data)
        self.runtime = CriRuntime(self.own.address, "alone", self.own.cgroup_root)
        self.accepted = NOTHING_ACCEPTED
        self.agent: subprocess.Popen[bytes] | None = None
        self.config = directory.with_suffix(".yaml")
        self.config.write_text(
            json.dumps(
                {
                    "node": "alone",
                    "broker": {"url": f"mqtt://127.0.0.1:{_free_port()}"},
                    "containerd": "own",
                    "data": str(self.data),
                    "run": str(self.run),
                    "address": "127.0.0.1",
                }
            )
        )

    # what shall run

    def accept(self, pods: Iterable[Pod]) -> None:
        """As if the agent had taken these on just before it was killed."""
        bodies = {one.metadata.uid: Assignment(one) for one in pods}
        digest = Digest(
            "lab",
            self.accepted.digest.revision + 1,
            {uid: body.pod.metadata.generation for uid, body in bodies.items()},
            pod_cidr=self.pod_cidr,
        )
        checkpoint = Checkpoint(self.data / "accepted")
        old = checkpoint.load()
        checkpoint.save(Accepted(digest, bodies), old)
        self.accepted = Accepted(digest, bodies)

    def wanted(self) -> Counter[int]:
        numbers = (_number(one.pod) for one in self.accepted.pods.values())
        return Counter(numbers)

    # what runs

    def running(self) -> Counter[int]:
        """How many processes there are of each container."""
        found: Counter[int] = Counter()
        for pid in self.pids():
            number = _sleeps(pid)
            if number >= FIRST:
                found[number] += 1
        return found

    def pids(self) -> list[int]:
        return cgroups.processes_in(self.own.cgroup_root)

    def shims(self) -> list[int]:
        return processes.find(
            lambda arguments: "shim" in Path(arguments[0]).name and str(self.own.address) in arguments
        )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    # its parts

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "nodeagent", "--config", str(self.config)]
            self.agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_agent(self) -> None:
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait(30)
            self.agent = None

    async def cut_power(self) -> None:
        """Every process dies, and what was in memory is gone; what is on the disk stays as it is."""
        self.kill_agent()
        await power_off(self.own)
        for point in mounts.mounted_below(self.run):
            mounts.unmount(point)
        shutil.rmtree(self.run, ignore_errors=True)

    async def all_run(self, limit: float = 60) -> None:
        """Until all runs that shall, once, and nothing else."""
        await self.until(lambda: self.running() == self.wanted(), limit, "every pod runs exactly once")

    async def until(self, condition: object, limit: float, what: str) -> None:
        assert callable(condition)
        try:
            async with asyncio.timeout(limit * PATIENCE):
                while not condition():
                    assert self.agent is None or self.agent.poll() is None, f"the agent ended:\n{self.said()[-4000:]}"
                    await asyncio.sleep(0.05)
        except TimeoutError:
            lacking, surplus = self.wanted() - self.running(), self.running() - self.wanted()
            raise AssertionError(
                f"not within {limit} s: {what}; lacking {lacking}, too many {surplus}; the agent says:\n"
                + self.said()[-4000:]
            ) from None


def pod(number: int, **spec: object) -> Pod:
    """A pod of one container, the only one that sleeps so long."""
    name = f"p{number}"
    container = {"name": "main", "image": BUSYBOX, "command": ["sleep", str(FIRST + number)]}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "default", "uid": name, "generation": 1},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
        },
        Pod,
    )


def _number(of: Pod) -> int:
    return int(of.spec.containers[0].command[1])


def _sleeps(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[0] == b"sleep":
            return int(words[1])
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def alone() -> AsyncIterator[Alone]:
    """With its images, and nothing that runs."""
    directory = Path(tempfile.mkdtemp(prefix="wherry-alone-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "wherry-lab", str(directory)], check=True)
    node = Alone(directory, f"10.{random.randrange(150, 190)}.{random.randrange(256)}.0/24")
    try:
        bridge = cni.PodNetwork(bridge=node.own.bridge, pod_cidr=node.pod_cidr, data_directory=node.own.layout.cni_data)
        cni.lay(bridge, node.own.layout.cni_conf)
        await Forwarding("alone", node.own.bridge, ()).lay([node.pod_cidr])
        await node.own.start()
        for archive in sorted(images().glob("*.tar")):
            await node.runtime.load_archive(archive)
        yield node
    finally:
        node.kill_agent()
        node.runtime.close()
        await node.own.cleanup()
        for point in mounts.mounted_below(node.run):
            mounts.unmount(point)
        shutil.rmtree(node.run, ignore_errors=True)
        subprocess.run(["umount", "-l", str(directory)], check=True)
        directory.rmdir()
        node.log.unlink(missing_ok=True)
        node.config.unlink()


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
