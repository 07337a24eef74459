"""The network of the pods of one node: the CNI configuration that containerd runs for each sandbox.

Per pod the bridge plugin does only what must be done in the pod's namespace. Masquerading, which it would do with
several calls of iptables for every pod, is in the node's own nftables table. Host ports are the portmap plugin's,
which does need iptables (Debian's containernetworking-plugins depends on it).
"""

import ipaddress
import json
import re
from pathlib import Path

import msgspec

from nodeagent.files import write_if_changed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
CONFLIST = "10-wherry.conflist"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")


class PodNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """`bridge` names everything that is made: the device, the network, the nftables table. At most 15 letters."""

    bridge: str
    pod_cidr: str
    """One range, or one of each family with a comma between."""
    data_directory: Path
    """Where host-local notes which addresses are given out."""
    mtu: int = 0
    """0: as the node's own."""


def conflist(network: PodNetwork) -> str:
    """Raises `ValueError` when a name or CIDR cannot be."""
    _checked(network)
    bridge = {
        "type": "bridge",
        "bridge": network.bridge,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(network.data_directory),
            "ranges": [[{"subnet": str(one)}] for one in ranges(network.pod_cidr)],
            "routes": [{"dst": EVERYWHERE[one.version]} for one in ranges(network.pod_cidr)],
        },
    }
    if network.mtu:
        bridge["mtu"] = network.mtu
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}]
    document = {"cniVersion": "1.0.0", "name": network.bridge, "plugins": plugins}
    return json.dumps(document, indent=2) + "\n"


def ranges(pod_cidr: str) -> tuple[Network, ...]:
    """Each range. Raises `ValueError`."""
    return tuple(ipaddress.ip_network(one) for one in pod_cidr.split(","))


def gateway(pod_cidr: str) -> str:
    """The node's own address on the pods' bridge: the first of the range, and of the first range if there are two."""
    return str(next(ranges(pod_cidr)[0].hosts()))


def _checked(network: PodNetwork) -> None:
    if not _NAME.fullmatch(network.bridge):
        raise ValueError(f"{network.bridge!r} is no name for a bridge: 1 to 15 letters, digits, '-', '_' or '.'")
    if any(one.num_addresses < 4 for one in ranges(network.pod_cidr)):
        raise ValueError(f"the pod CIDR {network.pod_cidr} has no room for a pod; use /24 or larger")


def lay(network: PodNetwork, conf_directory: Path) -> None:
    """Has the configuration where containerd reads it. Repeating it is harmless. Raises `ValueError`, `OSError`."""
    write_if_changed(conf_directory / CONFLIST, conflist(network))
