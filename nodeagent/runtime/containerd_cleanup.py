"""Takes away everything that a containerd of our own has made, in whatever state it was left.

First the orderly way, through CRI, so that CNI undoes what it did. Then by force what is left: processes by the
cgroup and the arguments that are this containerd's alone, mounts, sockets, cgroups, devices, files. Each step finds
what there is, so that an interrupted cleanup is finished by the next one.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.network import removal
from nodeagent.runtime import cgroups, processes
from nodeagent.runtime.connection import Connection
from nodeagent.runtime.interface import RuntimeFailure
from nodeagent.runtime.proto import cri_pb2 as cri
from nodeagent.runtime.proto.cri_grpc import RuntimeServiceStub

if TYPE_CHECKING:
    from nodeagent.runtime.containerd import OwnContainerd

log = logging.getLogger(__name__)

ORDERLY_SECONDS = 120.0
AT_ONCE = 8
"""Sandboxes that are taken down side by side."""


async def clean(own: "OwnContainerd") -> None:
    layout = own.layout
    if layout.content.exists():
        try:
            await own.start()
            await _remove_sandboxes(own.address)
        except RuntimeFailure as error:
            log.warning("containerd does not help to clean up, going on without it: %s", error)
    await own.stop()
    await end_all(own)
    cgroups.remove_cgroup(own.cgroup_root)
    await removal.remove(own.bridge, own.enter)
    if layout.root.exists():
        await asyncio.to_thread(shutil.rmtree, layout.root)
    log.info("removed containerd and all that it made directory=%s", layout.root)


async def end_all(own: "OwnContainerd") -> None:
    """Without containerd's help: every process and mount of its containers. What is on disk stays."""
    await _kill_containers(own)
    await processes.kill(processes.find(lambda arguments: _is_shim(arguments, own.address)))
    _remove_shim_sockets(own.layout.tasks)
    await _unmount_below(own.layout.root)


async def _remove_sandboxes(address: Path) -> None:
    """All of them, whatever their labels: this containerd is ours."""
    connection = Connection(address)
    try:
        stub = RuntimeServiceStub(connection.channel)
        found = await connection.call(stub.ListPodSandbox, cri.ListPodSandboxRequest(), 30)
        gate = asyncio.Semaphore(AT_ONCE)

        async def remove(sandbox_id: str) -> None:
            async with gate:
                request = cri.SandboxRequest(pod_sandbox_id=sandbox_id)
                await connection.call(stub.StopPodSandbox, request, 60)
                await connection.call(stub.RemovePodSandbox, request, 60)

        async with asyncio.timeout(ORDERLY_SECONDS):
            await asyncio.gather(*(remove(item.id) for item in found.items))
    except TimeoutError:
        log.warning("sandboxes take longer than %.0f s to go, removing them by force", ORDERLY_SECONDS)
    finally:
        connection.close()


async def _kill_containers(own: "OwnContainerd") -> None:
    """By their cgroup, until it stays empty: a process may be forked while others are being killed."""
    for _ in range(20):
        pids = cgroups.processes_in(own.cgroup_root)
        if not pids:
            return
        await processes.kill(pids)
    log.warning("processes keep appearing in cgroup=%s", own.cgroup_root)


def _is_shim(arguments: Sequence[str], address: Path) -> bool:
    if Path(arguments[0]).name != "containerd-shim-runc-v2" or "-address" not in arguments[:-1]:
        return False
    return arguments[list(arguments).index("-address") + 1] == str(address)


def _remove_shim_sockets(tasks: Path) -> None:
    """They lie outside, in a folder that all containerds share; each task's files name its own."""
    for file in tasks.glob("*/address"):
        with suppress(OSError):
            Path(file.read_text().strip().removeprefix("unix://")).unlink()


async def _unmount_below(root: Path) -> None:
    for _ in range(5):  # mounts may lie on each other
        mounts = mounts_below(root)
        if not mounts:
            return
        process = await asyncio.create_subprocess_exec("umount", "--lazy", *map(str, mounts))
        await process.wait()
    raise RuntimeFailure(f"still mounted below {root}: {', '.join(map(str, mounts))}; nothing there is deleted")


def mounts_below(root: Path) -> list[Path]:
    """The innermost first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [line.split(" ")[4] for line in file]
    decoded = [Path(os.fsdecode(point.encode().decode("unicode_escape").encode("latin-1"))) for point in points]
    return sorted(
        (path for path in decoded if path.is_relative_to(root)), key=lambda path: len(path.parts), reverse=True
    )
