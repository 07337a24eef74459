"""The machine that this node is, read from the system in one place."""

import json
import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from nodeagent.config import Config
from nodeagent.devices.present import present
from nodeagent.machine.clock import is_synchronised
from nodeagent.machine.parsing import architecture, parse_meminfo, parse_os_release
from nodeagent.node import Machine
from nodeagent.pods.node import parse_resolver


def machine(config: Config) -> Machine:
    """Reads the system. What a machine does not tell is left empty."""
    memory = parse_meminfo(_text("/proc/meminfo"))
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=memory.get("MemTotal", 0),
        storage=shutil.disk_usage(config.data).total,
        is_clock_synchronised=is_synchronised(),
        addresses=(config.address,) if config.address else _addresses(),
        hostname=socket.gethostname(),
        architecture=architecture(platform.machine()),
        kernel=platform.release(),
        os_image=parse_os_release(_text("/etc/os-release")),
        machine_id=_text("/etc/machine-id").strip(),
        boot_id=_text("/proc/sys/kernel/random/boot_id").strip(),
        resolver=parse_resolver(_text("/etc/resolv.conf")),
        hosts_file=_text("/etc/hosts"),
        huge_pages=_huge_pages(Path("/sys/kernel/mm/hugepages")),
        devices=present(config.devices),
        has_apparmor=_text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
        has_cgroup_v2=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
    )


def _huge_pages(folder: Path) -> dict[int, int]:
    """Those set aside when the system booted or by its administrator, by their size."""
    names = (entry.name for entry in folder.glob("hugepages-*kB"))
    sizes = {int(name.removeprefix("hugepages-").removesuffix("kB")): name for name in names}
    return {size * 1024: int(_text(str(folder / name / "nr_hugepages")) or 0) for size, name in sizes.items()}


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _addresses() -> tuple[str, ...]:
    """The source addresses of the default routes, IPv4 first; a node without a route has the first of its links'."""
    found: list[str] = []
    for family, far in (("-4", "192.0.2.1"), ("-6", "2001:db8::1")):
        routes = _ip(family, "route", "get", far)
        found += [route["prefsrc"] for route in routes if "prefsrc" in route]
    if not found:
        links = _ip("-4", "address", "show", "scope", "global", "up")
        found = [address["local"] for link in links for address in link.get("addr_info", ())][:1]
    return tuple(found)


def _ip(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, timeout=10, check=False)
    answer: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    return answer
