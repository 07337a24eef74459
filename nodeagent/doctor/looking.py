"""Looks at the machine for `checks`. Every look is bounded in time, and one that fails is told, not raised."""

import asyncio
import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

from nodeagent.config import Config, load_config
from nodeagent.daemon import OWN
from nodeagent.doctor.checks import CNI_PLUGINS, KERNEL, PACKAGES, TUNNELS, Containerd, Disk, Seen
from nodeagent.machine.clock import is_synchronised
from nodeagent.machine.parsing import parse_meminfo
from nodeagent.runtime.containerd import search_path
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import RuntimeFailure
from schemas.configuration import BadConfiguration

SECONDS = 10.0
CNI_PLACES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
CONFIG_TOML = Path("/etc/containerd/config.toml")
CMDLINES = (Path("/boot/firmware/cmdline.txt"), Path("/boot/cmdline.txt"))
REFUSED = (134, 135)


async def look(path: Path, *, config_toml: Path = CONFIG_TOML, ask_broker: bool = True) -> Seen:
    """`config_toml`: of the system's containerd."""
    config, config_error = None, ""
    try:
        config = load_config(path)
    except BadConfiguration as error:
        config_error = str(error)
    data = config.data if config else Path("/var/lib")
    controllers, cgroup_version = _controllers()
    return Seen(
        is_root=os.geteuid() == 0,
        config=str(path),
        config_error=config_error,
        model=_text(Path("/proc/device-tree/model")).strip("\0\n"),
        cmdline_file=next((str(file) for file in CMDLINES if file.exists()), ""),
        programs={name: shutil.which(name, path=search_path()) or "" for name in PACKAGES},
        cni_directory=_cni_directory(),
        containerd=await _containerd(config, config_toml),
        controllers=controllers,
        cgroup_version=cgroup_version,
        features={name: has_feature(name) for name in (*KERNEL, *TUNNELS)},
        is_clock_synchronised=is_synchronised(),
        year=time.gmtime().tm_year,
        memory=parse_meminfo(_text(Path("/proc/meminfo"))).get("MemTotal", 0),
        disk=_disk(data),
        broker=_shown(config) if config else "",
        broker_error=await _broker_error(config) if config and ask_broker else None,
    )


def _cni_directory() -> str:
    complete = (place for place in CNI_PLACES if all((place / name).exists() for name in CNI_PLUGINS))
    return str(next(complete, ""))


async def _containerd(config: Config | None, config_toml: Path) -> Containerd:
    version = _containerd_version()
    if config is not None and config.containerd == OWN:
        return Containerd(own=True, version=version)
    told = Containerd(
        version=version,
        socket=config.containerd if config else Containerd().socket,
        config=str(config_toml),
        disabled=disabled_plugins(_text(config_toml)),
    )
    runtime = CriRuntime(Path(told.socket), "doctor")
    answer, error = "", ""
    try:
        async with asyncio.timeout(SECONDS):
            answer = await runtime.version()
    except (RuntimeFailure, TimeoutError) as failure:
        error = str(failure)
    finally:
        runtime.close()
    return Containerd(
        version=told.version,
        socket=told.socket,
        config=told.config,
        disabled=told.disabled,
        answer=answer,
        error=error,
    )


def disabled_plugins(text: str) -> tuple[str, ...]:
    """Of a `config.toml`; a file that is none switches nothing off, for containerd does not start with it."""
    try:
        found = tomllib.loads(text).get("disabled_plugins", [])
    except tomllib.TOMLDecodeError:
        return ()
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def _containerd_version() -> str:
    program = shutil.which("containerd", path=search_path())
    if program is None:
        return ""
    words = _said(program, "--version").split()
    return words[2] if len(words) > 2 else ""


def _controllers() -> tuple[frozenset[str], int]:
    unified = _text(Path("/sys/fs/cgroup/cgroup.controllers")).split()
    if unified:
        return frozenset(unified), 2
    rows = (line.split() for line in _text(Path("/proc/cgroups")).splitlines() if not line.startswith("#"))
    return frozenset(row[0] for row in rows if len(row) == 4 and row[3] == "1"), 1


def has_feature(name: str) -> bool | None:
    """Whether the kernel has this module: loaded, built in, or to be loaded. None where it does not list its own."""
    if Path("/sys/module", name).exists():
        return True
    if name == "overlay" and "\toverlay" in _text(Path("/proc/filesystems")):
        return True
    folder = Path("/lib/modules", os.uname().release)
    lists = [_text(folder / file) for file in ("modules.builtin", "modules.dep")]
    if any(f"/{name}.ko" in text for text in lists):
        return True
    return False if any(lists) else None


def _disk(data: Path) -> Disk:
    """Of the directory, or of the nearest above it that is there."""
    there = next((path for path in (data, *data.parents) if path.exists()), Path("/"))
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return Disk(path=str(there))
    device, filesystem = _mount_of(there)
    return Disk(path=str(there), free=usage.free, total=usage.total, filesystem=filesystem, device=device)


def _mount_of(path: Path) -> tuple[str, str]:
    """The device's name and the kind of file system, of the mount that the path lies on."""
    best, found = "", ("", "")
    resolved = str(path.resolve())
    for line in _text(Path("/proc/self/mounts")).splitlines():
        device, point, kind = line.split(" ")[:3]
        below = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(best):
            best, found = point, (device.rpartition("/")[2], kind)
    return found


def _shown(config: Config) -> str:
    try:
        return config.broker.shown()
    except BadConfiguration:
        return "broker"


async def _broker_error(config: Config) -> str:
    """Why the broker does not let us in. It is asked under another name, so that no agent is thrown out for it."""
    import ssl

    import aiomqtt

    try:
        config.broker.check()
        place = config.broker.endpoint()
        client = aiomqtt.Client(
            place.host,
            place.port,
            username=place.username or None,
            password=place.password or None,
            identifier=f"wherry-doctor-{os.getpid()}",
            protocol=aiomqtt.ProtocolVersion.V311,
            timeout=SECONDS,
            tls_context=ssl.create_default_context(cafile=config.broker.ca_file) if place.tls else None,
        )
        async with asyncio.timeout(SECONDS), client:
            return ""
    except aiomqtt.MqttCodeError as error:
        if getattr(error.rc, "value", 0) in REFUSED:
            return "the broker refuses user name or password"
        return str(error)
    except TimeoutError:
        return f"no answer in {SECONDS:.0f} s"
    except (aiomqtt.MqttError, OSError, BadConfiguration) as error:
        return str(error) or type(error).__name__


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
