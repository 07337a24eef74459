"""From what was seen of the machine to findings: pure. A function a check; each asks for what the agent really uses."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import field

from nodeagent.doctor.findings import Finding, fault, ok, unknown, warning

OLDEST_CONTAINERD = (1, 6)
CONTROLLERS = ("cpu", "memory", "pids")
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
PACKAGES = {"containerd": "containerd", "runc": "runc", "nft": "nftables", "ip": "iproute2", "mount": "mount"}
KERNEL = {
    "overlay": "layers of images",
    "bridge": "the network of pods",
    "veth": "the network of pods",
    "nf_tables": "Services and network policies",
    "br_netfilter": "Services within a node",
}
"""Features that a node cannot do without, and what for."""
TUNNELS = ("vxlan", "wireguard")
FEW_FREE = 1024**3
LITTLE_MEMORY = 400 * 1024**2
EARLIEST_YEAR = 2025
_PI = "cgroup_enable=memory cgroup_memory=1"


class Containerd(msgspec.Struct, frozen=True, kw_only=True):
    """`own`: the agent starts it. `disabled`: plugins that its configuration switches off. `answer`: what CRI said,
    its name and version; else `error` says why not."""

    own: bool = False
    version: str = ""
    socket: str = "/run/containerd/containerd.sock"
    config: str = "/etc/containerd/config.toml"
    disabled: tuple[str, ...] = ()
    answer: str = ""
    error: str = ""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Of the data directory. `device` as the kernel names it."""

    path: str
    free: int = 0
    total: int = 0
    filesystem: str = ""
    device: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at. `programs`: where each lies, empty where it is not installed. `features`: whether the kernel
    has each; None where that is not to be found out. `broker_error`: why it does not let us in, empty when it does,
    None when it was not asked."""

    is_root: bool = True
    config: str = ""
    config_error: str = ""
    model: str = ""
    cmdline_file: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    cni_directory: str = ""
    containerd: Containerd = Containerd()
    controllers: frozenset[str] = frozenset()
    cgroup_version: int = 2
    features: Mapping[str, bool | None] = field(default_factory=dict)
    is_clock_synchronised: bool | None = None
    year: int = EARLIEST_YEAR
    memory: int = 0
    disk: Disk = Disk(path="/")
    broker: str = ""
    broker_error: str | None = None


def findings(seen: Seen) -> list[Finding]:
    """In the order in which a person would mend them."""
    return [
        *_config(seen),
        *_programs(seen),
        *_containerd(seen),
        *_cni(seen),
        *_cgroups(seen),
        *_kernel(seen),
        *_memory(seen),
        *_disk(seen),
        *_clock(seen),
        *_broker(seen),
    ]


def _config(seen: Seen) -> Iterator[Finding]:
    if seen.config_error:
        yield fault("configuration", seen.config_error, f"sudoedit {seen.config}")
    else:
        yield ok("configuration", seen.config)


def _programs(seen: Seen) -> Iterator[Finding]:
    missing = [name for name, path in seen.programs.items() if not path]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        yield fault("programs", f"not installed: {', '.join(missing)}", f"sudo apt-get install {packages}")
    else:
        yield ok("programs", ", ".join(seen.programs))


def _containerd(seen: Seen) -> Iterator[Finding]:
    told = seen.containerd
    if told.version and _numbers(told.version)[:2] < OLDEST_CONTAINERD:
        oldest = ".".join(map(str, OLDEST_CONTAINERD))
        text = f"version {told.version} is too old: {oldest} or later is needed"
        yield fault("containerd", text, "sudo apt-get install --only-upgrade containerd")
        return
    if told.own:
        yield ok("containerd", f"version {told.version}; the agent starts one of its own")
        return
    switched_off = [name for name in told.disabled if name in ("cri", "io.containerd.grpc.v1.cri")]
    if switched_off:
        text = f"{told.config} switches the CRI plugin off, as Docker's packages ship it"
        yield fault("containerd", text, _without_disabled(told.config))
    elif told.answer:
        yield ok("containerd", f"{told.answer} answers on {told.socket}")
    elif not seen.is_root:
        yield unknown("containerd", f"only root may ask {told.socket}")
    else:
        mend = "sudo systemctl enable --now containerd"
        yield fault("containerd", told.error or f"nobody listens on {told.socket}", mend)


def _without_disabled(config: str) -> str:
    return rf"sudo sed -i 's/^\( *disabled_plugins\b.*\)/#\1/' {config} && sudo systemctl restart containerd"


def _numbers(version: str) -> tuple[int, ...]:
    """`1.6.20~ds1` is 1.6.20."""
    parts = version.removeprefix("v").split(".")
    digits = ("".join(letter for letter in part[:4] if letter.isdigit()) for part in parts[:2])
    return tuple(int(one or 0) for one in digits)


def _cni(seen: Seen) -> Iterator[Finding]:
    if seen.cni_directory:
        yield ok("CNI plugins", seen.cni_directory)
    else:
        text = f"not all of {', '.join(CNI_PLUGINS)} are in /usr/lib/cni or /opt/cni/bin"
        yield fault("CNI plugins", text, "sudo apt-get install containernetworking-plugins")


def _cgroups(seen: Seen) -> Iterator[Finding]:
    missing = [name for name in CONTROLLERS if name not in seen.controllers]
    if not missing:
        yield ok("cgroups", f"version {seen.cgroup_version} with {', '.join(CONTROLLERS)}")
        return
    text = f"the kernel was booted without {', '.join(missing)}: limits of pods cannot be kept"
    if "memory" in missing and seen.cmdline_file:
        where = f" (Raspberry Pi OS: {seen.model})" if "Raspberry" in seen.model else ""
        yield fault("cgroups", text + where, f"sudo sed -i '1 s/$/ {_PI}/' {seen.cmdline_file} && sudo reboot")
    else:
        flags = " ".join(f"cgroup_enable={name}" for name in missing)
        yield fault("cgroups", text, f"add to the kernel's command line and boot anew: {flags}")


def _kernel(seen: Seen) -> Iterator[Finding]:
    lacking = [name for name in KERNEL if seen.features.get(name) is False]
    if lacking:
        why = "; ".join(f"{name} for {KERNEL[name]}" for name in lacking)
        yield fault("kernel", f"without {why}", _load(lacking))
    else:
        yield ok("kernel", ", ".join(KERNEL))
    tunnels = [name for name in TUNNELS if seen.features.get(name) is False]
    if tunnels:
        text = f"without {', '.join(tunnels)}: pods of nodes that share no network cannot reach each other by it"
        yield warning("tunnels", text, _load(tunnels))
    else:
        yield ok("tunnels", ", ".join(TUNNELS))


def _load(names: list[str]) -> str:
    modules = " ".join(names)
    return f"sudo modprobe -a {modules}    # where that fails: sudo apt-get install linux-modules-extra-$(uname -r)"


def _memory(seen: Seen) -> Iterator[Finding]:
    shown = f"{seen.memory // 1024**2} MiB"
    if seen.memory < LITTLE_MEMORY:
        text = f"{shown}: little is left for pods"
        yield warning("memory", text, "lower `reserved.memory` and `evictionHard` in the configuration")
    else:
        yield ok("memory", shown)


def _disk(seen: Seen) -> Iterator[Finding]:
    disk = seen.disk
    kind = "an SD card or eMMC" if disk.device.startswith("mmcblk") else disk.device or "unknown device"
    text = f"{disk.free // 1024**2} MiB free of {disk.total // 1024**2} MiB at {disk.path} ({disk.filesystem}, {kind})"
    if disk.free < max(FEW_FREE, disk.total // 10):
        mend = f"make room, or name another `data` in the configuration: du -xh {disk.path} | sort -h | tail"
        yield warning("disk", f"{text}: images and pods need more", mend)
    elif disk.filesystem in ("tmpfs", "ramfs"):
        text = f"{disk.path} is in memory: what the node has accepted is gone after a reboot"
        yield fault("disk", text, "name a `data` directory on a disk in the configuration")
    elif disk.filesystem in ("vfat", "exfat", "ntfs", "fuseblk"):
        text = f"{disk.path} is on {disk.filesystem}, where images cannot be unpacked"
        yield fault("disk", text, "name a `data` directory on ext4, xfs or btrfs in the configuration")
    else:
        yield ok("disk", text)


def _clock(seen: Seen) -> Iterator[Finding]:
    if seen.year < EARLIEST_YEAR:
        text = f"it is not {seen.year}: certificates and tokens will not be taken"
        yield fault("clock", text, "sudo timedatectl set-ntp true    # or: sudo apt-get install chrony")
    elif seen.is_clock_synchronised is False:
        mend = "sudo timedatectl set-ntp true    # or: sudo apt-get install chrony"
        yield warning("clock", "nothing keeps it right", mend)
    else:
        yield ok("clock", "kept right" if seen.is_clock_synchronised else "set")


def _broker(seen: Seen) -> Iterator[Finding]:
    if seen.broker_error is None:
        return
    if not seen.broker_error:
        yield ok("broker", seen.broker)
        return
    text = f"{seen.broker}: {seen.broker_error}"
    if "user name or password" in seen.broker_error:
        yield fault("broker", text, "write the broker's password for this node into broker.passwordFile")
    elif "certificate" in seen.broker_error.lower():
        yield fault("broker", text, "name the authority of the broker's certificate in broker.caFile")
    elif "broker.passwordFile" in text or "broker.caFile" in text:
        yield fault("broker", text, "name a file that the agent may read")
    else:
        yield fault(
            "broker", text, "check broker.url, the broker, and the firewall between: outgoing TCP is all it needs"
        )
