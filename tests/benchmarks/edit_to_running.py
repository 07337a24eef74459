"""From the rename of a manifest to the start of its container, against the same calls straight over CRI.

Both run in the same containerd, one after the other, and in the same run. What is measured ends at the time at which
containerd says that the container was started.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import ContainerConfig, SandboxConfig
from tests.benchmarks.box import Box, box
from tests.benchmarks.output import median, percentile, say

ROUNDS = 30
LIMIT = 30.0

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: wherry.local/busybox:1
          command: [sleep, "1000"]
"""


KEEP = """apiVersion: v1
kind: ConfigMap
metadata: {name: keep}
"""
"""So that the folder never runs empty, which would hold deletions back."""


async def straight(runtime: CriRuntime, image: str, number: int, logs: Path) -> float:
    """Milliseconds of sandbox, container and start, called by hand."""
    sandbox = SandboxConfig(
        uid=f"bench-{number}",
        namespace="default",
        name=f"bench-{number}",
        attempt=0,
        hostname=f"bench-{number}",
        log_directory=logs,
    )
    container = ContainerConfig(
        name="main", attempt=0, image=image, command=("sleep", "1000"), log_path=f"{number}.log"
    )
    began = time.time()
    made = await runtime.run_sandbox(sandbox)
    identifier = await runtime.create_container(made.id, container, sandbox)
    await runtime.start_container(identifier)
    (found,) = await runtime.list_containers(made.id)
    assert found.started_at is not None
    taken = found.started_at.timestamp() - began
    await runtime.remove_sandbox(made.id)
    return taken * 1000


async def through_wherry(running: Box, runtime: CriRuntime, number: int) -> float:
    """Milliseconds from the rename to the container's start."""
    name = f"web-{number}"
    began = time.time()
    running.write(f"{name}.yaml", MANIFEST.format(name=name))
    async with asyncio.timeout(LIMIT):
        while not (started := await _started(runtime, name)):
            await asyncio.sleep(0.02)
    (running.manifests / f"{name}.yaml").unlink()
    async with asyncio.timeout(LIMIT):
        while await _started(runtime, name):
            await asyncio.sleep(0.02)
    return (started[0].timestamp() - began) * 1000


async def _started(runtime: CriRuntime, name: str) -> Sequence[datetime]:
    return [
        container.started_at.astimezone(UTC)
        for sandbox in await runtime.list_sandboxes()
        if sandbox.name.startswith(f"{name}-")
        for container in await runtime.list_containers(sandbox.id)
        if container.started_at is not None
    ]


async def measure(running: Box) -> None:
    own = OwnContainerd(running.data / "agent")
    (node,) = running.get("nodes")
    agents = CriRuntime(own.address, node["metadata"]["name"], own.cgroup_root)
    by_hand = CriRuntime(own.address, "benchmark", own.cgroup_root)
    image = await by_hand.image_id("wherry.local/busybox:1")
    assert image is not None
    bare, whole = [], []
    for number in range(ROUNDS + 2):  # the first of each warms up
        logs = running.directory / "logs" / str(number)
        logs.mkdir(parents=True)
        bare.append(await straight(by_hand, image.id, number, logs))
        whole.append(await through_wherry(running, agents, number))
    agents.close()
    by_hand.close()
    bare, whole = bare[2:], whole[2:]
    peer = median(bare)
    say("edit_to_running_median_ms", median(whole), "ms", peer="cri_calls", peer_value=peer)
    say("edit_to_running_p95_ms", percentile(whole, 0.95), "ms", peer="cri_calls", peer_value=percentile(bare, 0.95))
    overhead = [value - peer for value in whole]
    say("edit_to_running_overhead_median_ms", median(overhead), "ms", peer="cri_calls", peer_value=peer)
    say("edit_to_running_overhead_p95_ms", percentile(overhead, 0.95), "ms", peer="cri_calls", peer_value=peer)


def main() -> None:
    with box() as running:
        running.up()
        running.wait(lambda: _ready(running), 60, "the node is Ready and has its images")
        running.write("keep.yaml", KEEP)
        asyncio.run(measure(running))


def _ready(running: Box) -> bool:
    nodes = running.get("nodes")
    return any(
        "wherry.local/busybox:1" in name
        for node in nodes
        for image in node["status"].get("images", [])
        for name in image["names"]
    ) and all(("Ready", "True") in [(c["type"], c["status"]) for c in node["status"]["conditions"]] for node in nodes)


if __name__ == "__main__":
    main()
