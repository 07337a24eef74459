"""The network of the pods of one node: the CNI configuration that containerd runs for each sandbox.

Per pod the bridge plugin does only what must be done in the pod's namespace. Masquerading, which it would do with
several calls of iptables for every pod, is in the node's own nftables table. Host ports are the portmap plugin's,
which does need iptables (Debian's containernetworking-plugins depends on it).
"""

import ipaddress
import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from nodeagent.files import write_if_changed
from nodeagent.network.commands import NetworkFailure, run

CONFLIST = "10-wherry.conflist"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")


class PodNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """`bridge` names everything that is made: the device, the network, the nftables table. At most 15 letters."""

    bridge: str
    pod_cidr: str
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
            "ranges": [[{"subnet": network.pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    if network.mtu:
        bridge["mtu"] = network.mtu
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}]
    document = {"cniVersion": "1.0.0", "name": network.bridge, "plugins": plugins}
    return json.dumps(document, indent=2) + "\n"


def _checked(network: PodNetwork) -> None:
    if not _NAME.fullmatch(network.bridge):
        raise ValueError(f"{network.bridge!r} is no name for a bridge: 1 to 15 letters, digits, '-', '_' or '.'")
    subnet = ipaddress.ip_network(network.pod_cidr)
    if subnet.num_addresses < 4:
        raise ValueError(f"the pod CIDR {network.pod_cidr} has no room for a pod; use /24 or larger")


def lay(network: PodNetwork, conf_directory: Path) -> None:
    """Has the configuration where containerd reads it. Repeating it is harmless. Raises `ValueError`, `OSError`."""
    write_if_changed(conf_directory / CONFLIST, conflist(network))


async def remove(bridge: str, enter: Sequence[str] = ()) -> None:
    """Takes away the bridge, the table and what a dead containerd has left of host ports. Harmless when there is none.

    Devices of pods go with the pods' network namespaces.
    """
    # Adding first makes deleting an absent table no error.
    await run((*enter, "nft", "-f", "-"), f"add table inet {bridge}\ndelete table inet {bridge}\n")
    with suppress(NetworkFailure):  # there is none
        await run((*enter, "ip", "link", "delete", bridge))
    for program in ("iptables", "ip6tables"):
        try:
            rules = await run((*enter, program, "-w", "-t", "nat", "-S"))
        except NetworkFailure:
            continue  # not installed, or no such table in this kernel
        for arguments in leftovers(rules.splitlines(), bridge):
            await run((*enter, program, "-w", "-t", "nat", *arguments))


def leftovers(rules: Sequence[str], network: str) -> list[list[str]]:
    """iptables' arguments that take away the portmap plugin's rules of a network, given what `iptables -t nat -S` says.

    The plugin's common chains go when no other network uses them any more.
    """
    parsed = [shlex.split(rule) for rule in rules]
    ours = [rule for rule in parsed if rule[:2] == ["-A", "CNI-HOSTPORT-DNAT"] and _network_of(rule) == network]
    chains = sorted({rule[rule.index("-j") + 1] for rule in ours})
    result = [["-D", *rule[1:]] for rule in ours]
    result += [[action, chain] for chain in chains for action in ("-F", "-X")]
    common = [rule[1] for rule in parsed if rule[0] == "-N" and rule[1].startswith("CNI-HOSTPORT-")]
    if common and not any(rule for rule in parsed if rule[:2] == ["-A", "CNI-HOSTPORT-DNAT"] and rule not in ours):
        result += [
            ["-D", *rule[1:]]
            for rule in parsed
            if rule[0] == "-A" and rule[-1] in common and rule[1] not in {*common, *chains}
        ]
        # Chains that refer to each other can be deleted only when all are empty; ours of single pods are gone by now.
        result += [["-F", chain] for chain in common]
        result += [["-X", chain] for chain in common]
    return result


def _network_of(rule: Sequence[str]) -> str:
    """From the plugin's comment, `dnat name: "<network>" id: "<sandbox>"`."""
    comment = rule[rule.index("--comment") + 1] if "--comment" in rule else ""
    found = re.search(r'name: "([^"]*)"', comment)
    return found[1] if found else ""
