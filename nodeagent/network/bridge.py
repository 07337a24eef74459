"""The bridge of a node's pods. It is there before the first pod, for names are answered at its address."""

import json
from collections.abc import Sequence
from ipaddress import ip_interface, ip_network
from typing import Any

from nodeagent.network.cni import gateway
from nodeagent.network.commands import NetworkFailure, run


async def lay_bridge(bridge: str, pod_cidr: str, enter: Sequence[str] = ()) -> None:
    """Has the bridge with the gateway's address. Repeating it is harmless. Raises `NetworkFailure`."""
    devices = json.loads(await run((*enter, "ip", "-json", "addr", "show")) or "[]")
    lines = changes(bridge, pod_cidr, devices)
    if lines:
        await run((*enter, "ip", "-batch", "-"), "\n".join(lines) + "\n")


def changes(bridge: str, pod_cidr: str, devices: Sequence[dict[str, Any]]) -> list[str]:
    """The lines for `ip -batch`, from what `ip -json addr` says. Raises `NetworkFailure` if another has the range."""
    range_ = ip_network(pod_cidr)
    wanted = f"{gateway(pod_cidr)}/{range_.prefixlen}"
    own: set[str] | None = None
    for device in devices:
        addresses = {f"{one['local']}/{one['prefixlen']}" for one in device["addr_info"] if one["scope"] != "link"}
        if device["ifname"] == bridge:
            own = addresses
        for address in addresses if device["ifname"] != bridge else ():
            network = ip_interface(address).network
            if network.version == range_.version and network.overlaps(range_):
                name = device["ifname"]
                raise NetworkFailure(
                    f"the node's pods are to have {pod_cidr}, but {name} has {address}: give the cluster another range "
                    f"(`clusterCidr`), or, where nothing needs that device, `ip link delete {name}`"
                )
    made = [] if own is not None else [f"link add {bridge} type bridge"]
    stale = [f"addr del {one} dev {bridge}" for one in sorted(own or ()) if one != wanted and _same(one, wanted)]
    fresh = [f"addr add {wanted} dev {bridge}"] if wanted not in (own or ()) else []
    return [*made, *stale, *fresh, *([f"link set {bridge} up"] if made else [])]


def _same(one: str, other: str) -> bool:
    return ip_interface(one).version == ip_interface(other).version
