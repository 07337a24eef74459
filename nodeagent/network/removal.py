"""Takes away what was made of the network of a node, whatever state it is in, and nothing of another owner."""

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress

from nodeagent.network.announcing import device_name
from nodeagent.network.commands import NetworkFailure, run
from nodeagent.network.routing import protocol, tunnel_name
from nodeagent.network.securing import secured_name


async def remove(bridge: str, enter: Sequence[str] = ()) -> None:
    """The bridge, the table, routes, tunnels, and what a dead containerd has left of host ports. Harmless to repeat.

    Devices of pods go with the pods' network namespaces.
    """
    # Adding first makes deleting an absent table no error.
    await run((*enter, "nft", "-f", "-"), f"add table inet {bridge}\ndelete table inet {bridge}\n")
    for family in ("-4", "-6"):
        ours = ("proto", str(protocol(bridge)))
        if (await run((*enter, "ip", family, "route", "show", *ours))).strip():
            await run((*enter, "ip", family, "route", "flush", *ours))
    links = {link["ifname"] for link in json.loads(await run((*enter, "ip", "-json", "link")) or "[]")}
    for name in links & {bridge, tunnel_name(bridge), device_name(bridge), secured_name(bridge)}:
        with suppress(NetworkFailure):  # gone meanwhile
            await run((*enter, "ip", "link", "delete", name))
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
