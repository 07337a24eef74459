"""The recorded node that runs containers, played by a real agent over a containerd of its own.

It lives in a network of its own: the process that calls `leave_network` takes all that it starts with it, and the
network goes with the last of them.
"""

import ctypes
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.lab.containerd import images
from tests.oracles.kubernetes.nodes import IMAGES

ADDRESS = "10.210.0.1"
_CLONE_NEWNET = 0x40000000


class RealNode(msgspec.Struct, frozen=True):
    """`images` is a folder of archives that the agent loads."""

    name: str
    images: Path

    def configure(self, directory: Path, broker: dict[str, Any]) -> Path:
        """Writes the agent's configuration."""
        settings = {
            "node": self.name,
            "broker": broker,
            "data": str(directory / self.name),
            "run": str(directory / self.name / "run"),
            "containerd": "own",
            "images": str(self.images),
            "address": ADDRESS,
            "reserved": {"cpu": "0", "memory": "0"},
        }
        path = self._config(directory)
        path.write_text(yaml.safe_dump(settings))
        return path

    def remove(self, directory: Path) -> None:
        """Containers, mounts and containerd; the agent has ended before."""
        command = [sys.executable, "-m", "nodeagent", "cleanup", "--config", str(self._config(directory))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)

    def _config(self, directory: Path) -> Path:
        return directory / f"{self.name}.yaml"


def leave_network() -> None:
    """Puts this process into a new network namespace with a loopback and the node's address. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    for command in (
        "link set lo up",
        "link add eth0 type bridge",
        f"address add {ADDRESS}/16 dev eth0",
        "link set eth0 up",
        "route add default dev eth0",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    # Connections of the cluster's own take no port that a step forwards.
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("20000 40000")


def archives(folder: Path) -> Path:
    """The images of the recordings, in `folder`: one under all names."""
    built = images()
    folder.mkdir()
    os.link(built / "pause.tar", folder / "pause.tar")
    _rename(built / "busybox-1.tar", folder / "recorded.tar", IMAGES)
    return folder


def _rename(archive: Path, target: Path, names: tuple[str, ...]) -> None:
    """Writes a docker-archive of one layer again: with other names for its image, and without users and groups."""
    with tarfile.open(archive) as source:
        held = {member.name: source.extractfile(member) for member in source if member.isfile()}
        files = {name: content.read() for name, content in held.items() if content is not None}
    [image] = json.loads(files["manifest.json"])
    [layer] = image["Layers"]
    plain = _without_users(files[layer])
    config = json.loads(files[image["Config"]])
    config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(plain).hexdigest()}"]
    manifest = [{"Config": "config.json", "RepoTags": list(names), "Layers": ["layer.tar"]}]
    content = {"layer.tar": plain, "config.json": json.dumps(config).encode()}
    _write(target, content | {"manifest.json": json.dumps(manifest).encode()})


def _without_users(layer: bytes) -> bytes:
    found = io.BytesIO()
    whole = layer + bytes(-len(layer) % tarfile.BLOCKSIZE)  # it may end without padding
    with tarfile.open(fileobj=io.BytesIO(whole)) as source, tarfile.open(fileobj=found, mode="w") as copy:
        for member in source:
            if member.name.removeprefix("./") not in ("etc/passwd", "etc/group"):
                copy.addfile(member, source.extractfile(member) if member.isfile() else None)
    return found.getvalue()


def _write(target: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(target, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
