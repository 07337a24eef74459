"""A node whose pods are joined by somebody else's CNI configuration: what there is to do then.

The range of addresses, bridges and ways to other nodes are that one's. Names need an address of their own, since no
bridge has one: a link-local address on a device that leads nowhere, as Kubernetes' NodeLocal DNSCache has it
(https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nodeagent.network.cni import CONFLIST
from nodeagent.network.commands import NetworkFailure, batch, ip

SUFFIXES = (".conflist", ".conf", ".json")
"""Of the files that containerd reads."""


async def lay_existing(device: str, names: str, conf_directory: Path, enter: Sequence[str] = ()) -> None:
    """Has the device with the address `names`. Raises `NetworkFailure` where there is no CNI configuration.

    Ours goes, which containerd might prefer.
    """
    (conf_directory / CONFLIST).unlink(missing_ok=True)
    if not has_configuration(conf_directory):
        raise NetworkFailure(
            f"network.cni: the agent is told to use the existing CNI configuration, and there is none in "
            f"{conf_directory}: install one, or take `cni: existing` out of the agent's configuration"
        )
    await batch("ip", changes(device, names, await ip("addr", "show", enter=enter)), enter)


def has_configuration(conf_directory: Path) -> bool:
    return conf_directory.is_dir() and any(one.suffix in SUFFIXES for one in conf_directory.iterdir())


def changes(device: str, names: str, devices: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines for `ip -batch`, from what `ip -json addr` says. Addresses of another time go.

    The device is a bridge that nothing is joined to: not every kernel has `dummy`.
    """
    found = next((one for one in devices if one["ifname"] == device), None)
    lines = [] if found is not None else [f"link add {device} type bridge", f"link set {device} up"]
    present = {
        one["local"]: f"{one['local']}/{one['prefixlen']}"
        for one in (found or {}).get("addr_info", ())
        if one["scope"] == "global"
    }
    lines += [f"addr del {one} dev {device}" for address, one in present.items() if address != names]
    return lines + ([] if names in present else [f"addr add {names} dev {device} scope global"])
