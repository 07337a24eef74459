"""The bridge of a node's pods. It is there before the first pod, for names are answered at its address."""

import json
from collections.abc import Sequence
from ipaddress import ip_interface
from typing import Any

from nodeagent.network.cni import gateway, ranges
from nodeagent.network.commands import NetworkFailure, run


async def lay_bridge(bridge: str, pod_cidr: str, enter: Sequence[str] = ()) -> None:
    """Has the bridge with the gateway's address. Repeating it is harmless. Raises `NetworkFailure`."""
    devices = json.loads(await run((*enter, "ip", "-json", "addr", "show")) or "[]")
    lines = changes(bridge, pod_cidr, devices)
    if lines:
        await run((*enter, "ip", "-batch", "-"), "\n".join(lines) + "\n")


def changes(bridge: str, pod_cidr: str, devices: Sequence[dict[str, Any]]) -> list[str]:
    """The lines for `ip -batch`, from what `ip -json addr` says. Raises `NetworkFailure` if another has the range."""
    wanted = {f"{gateway(str(one))}/{one.prefixlen}" for one in ranges(pod_cidr)}
    own: set[str] | None = None
    for device in devices:
        addresses = {f"{one['local']}/{one['prefixlen']}" for one in device["addr_info"] if one["scope"] != "link"}
        if device["ifname"] == bridge:
            own = addresses
        for address in addresses if device["ifname"] != bridge else ():
            range_ = _overlapped(address, pod_cidr)
            if range_:
                name = device["ifname"]
                raise NetworkFailure(
                    f"the node's pods are to have {range_}, but {name} has {address}: give the cluster another range "
                    f"(`clusterCidr`), or, where nothing needs that device, `ip link delete {name}`"
                )
    made = [] if own is not None else [f"link add {bridge} type bridge"]
    families = {ip_interface(one).version for one in wanted}
    present = {one for one in own or () if ip_interface(one).version in families}
    stale = [f"addr del {one} dev {bridge}" for one in sorted(present - wanted)]
    fresh = [f"addr add {one} dev {bridge}" + (" nodad" if ":" in one else "") for one in sorted(wanted - present)]
    return [*made, *stale, *fresh, *([f"link set {bridge} up"] if made else [])]


def _overlapped(address: str, pod_cidr: str) -> str:
    """The range that the address' network has a part of."""
    network = ip_interface(address).network
    found = (one for one in ranges(pod_cidr) if one.version == network.version and one.overlaps(network))
    return str(next(found, ""))
