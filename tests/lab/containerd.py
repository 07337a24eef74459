"""A real containerd for one test or one module, alone on temporary paths, and nothing left of it afterwards."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import msgspec

from nodeagent.network import cni, removal
from nodeagent.network.forwarding import Forwarding
from nodeagent.runtime import cgroups, containerd_cleanup, processes
from nodeagent.runtime.containerd import OwnContainerd
from nodeagent.runtime.cri import CriRuntime

BUILD = Path(__file__).parents[2] / "examples" / "images" / "build.sh"
BUSYBOX = "wherry.local/busybox:1"
BUSYBOX_2 = "wherry.local/busybox:2"


@cache
def images() -> Path:
    """The folder of the image archives, built once per machine and version of what builds them."""
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(BUILD.parent.iterdir()))).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"wherry-images-{os.getuid()}-{version[:12]}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([str(BUILD), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def command(*arguments: str) -> str:
    """Runs a quick program to its end and returns what it says."""
    return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=30).stdout


class Lab(msgspec.Struct, frozen=True):
    own: OwnContainerd
    runtime: CriRuntime
    directory: Path
    network: cni.PodNetwork


@asynccontextmanager
async def containerd(
    *, node: str = "node", netns: str = "", pod_cidr: str = "10.199.0.0/24", load: bool = True
) -> AsyncIterator[Lab]:
    """`netns`: the name of an existing network namespace (`ip netns add`) that is to be the node's network."""
    # Not pytest's tmp_path: a socket's path is at most 107 bytes long.
    directory = Path(tempfile.mkdtemp(prefix="wherry-lab-"))
    enter = ("nsenter", f"--net=/var/run/netns/{netns}") if netns else ()
    own = OwnContainerd(directory, enter=enter)
    network = cni.PodNetwork(bridge=own.bridge, pod_cidr=pod_cidr, data_directory=own.layout.cni_data)
    runtime = CriRuntime(own.address, node, own.cgroup_root)
    try:
        cni.lay(network, own.layout.cni_conf)
        await Forwarding(node, own.bridge, enter).lay([pod_cidr])
        await own.start()
        if load:
            for archive in sorted(images().glob("*.tar")):
                await runtime.load_archive(archive)
        yield Lab(own, runtime, directory, network)
    finally:
        runtime.close()
        await own.cleanup()
        await asyncio.to_thread(shutil.rmtree, directory)


async def power_off(own: OwnContainerd) -> None:
    """As when the machine loses its power: every process, mount, device and rule is gone, what is on disk stays."""
    pid = own.pid()
    if pid is not None:
        await processes.kill([pid])
    await containerd_cleanup.end_all(own)
    cgroups.remove_cgroup(own.cgroup_root)
    await removal.remove(own.bridge, own.enter)


def left_over(lab: Lab) -> list[str]:
    """What is still there of a containerd that was cleaned up; processes, mounts, devices, cgroups, files."""
    mark = str(lab.own.layout.root)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(f"process {entry.name}")
            except OSError:
                continue
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line]
    found += [str(path) for path in Path("/sys/class/net").iterdir() if path.name == lab.own.bridge]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{lab.own.cgroup_root}")]
    found += [mark] if lab.directory.exists() else []
    return found + [line for line in command("nft", "list", "ruleset").splitlines() if lab.own.bridge in line]
