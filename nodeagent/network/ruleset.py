"""What the node's nftables table begins with, and the parts that come from the nodes. Pure.

The address and port of a packet are looked up once, in a map of verdicts, however many Services there are. Only the
first packet of a connection comes here: the kernel translates the others as it did that one.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from nodeagent.network.services import MASQUERADE
from nodeagent.network.table import Element, Part
from schemas.network import NetworkNode

_FAMILIES = (("4", "ip", "ipv4"), ("6", "ip6", "ipv6"))
_MULTICAST = {"4": "224.0.0.0/4", "6": "ff00::/8"}
_LOOPBACK = {"4": "127.0.0.0/8", "6": "::1"}


def declared(bridge: str) -> str:
    """Sets, maps and chains of the table whose pods are behind this bridge."""
    lines = [line for family in _FAMILIES for line in _sets(*family)]
    lines += ["chain refuse {", "  meta l4proto tcp reject with tcp reset", "  reject", "}"]
    lines += _chain("translate", [line for family in _FAMILIES for line in _translate(*family)])
    lines += _chain("refused", [line for family in _FAMILIES for line in _refused(*family)])
    lines += _hook("prerouting", "nat", "prerouting", "dstnat", ["jump translate"])
    lines += _hook("output", "nat", "output", "-100", ["jump translate"])
    leaving = [f"meta mark and {MASQUERADE} != 0 masquerade"]
    leaving += [line for family in _FAMILIES for line in _leaving(bridge, *family)]
    lines += _hook("postrouting", "nat", "postrouting", "srcnat", leaving)
    for hook in ("input", "forward", "output"):
        lines += _hook(f"refuse-{hook}", "filter", hook, "filter - 5", ["ct state new jump refused"])
    lines += _policies()
    return "\n".join(lines) + "\n"


def _policies() -> Iterable[str]:
    """What leaves a pod is looked at first, and what reaches one after it: passing one says nothing of the other.

    Names are answered at the pods' gateway, which every pod may ask.
    """
    replies = "ct state established,related accept"
    names = "meta l4proto { tcp, udp } th dport 53 fib daddr type local accept"
    out = [f"{word} saddr vmap @guarded-out{suffix}" for suffix, word, _ in _FAMILIES]
    into = [f"{word} daddr vmap @guarded-in{suffix}" for suffix, word, _ in _FAMILIES]
    yield from _hook("policy-out", "filter", "forward", "filter", [replies, *out])
    yield from _hook("policy-to-node", "filter", "input", "filter", [replies, names, *out])
    yield from _hook("policy-in", "filter", "forward", "filter + 1", [replies, *into])


def _sets(suffix: str, word: str, type_: str) -> Iterable[str]:
    address = f"{type_}_addr"
    yield f"map services{suffix} {{ type {address} . inet_proto . inet_service : verdict; }}"
    yield f"map refused{suffix} {{ type {address} . inet_proto . inet_service : verdict; }}"
    yield f"map node-ports{suffix} {{ type inet_proto . inet_service : verdict; }}"
    yield f"map refused-ports{suffix} {{ type inet_proto . inet_service : verdict; }}"
    yield f"map guarded-in{suffix} {{ type {address} : verdict; }}"
    yield f"map guarded-out{suffix} {{ type {address} : verdict; }}"
    yield f"set cluster-ips{suffix} {{ type {address}; }}"
    yield f"set pods{suffix} {{ type {address}; flags interval; }}"
    yield f"set own{suffix} {{ type {address}; flags interval; }}"
    yield f"set hairpin{suffix} {{ type {address} . {address}; }}"


def _translate(suffix: str, word: str, type_: str) -> Iterable[str]:
    yield f"{word} daddr . meta l4proto . th dport vmap @services{suffix}"
    local = f"meta nfproto {type_} fib daddr type local {word} daddr != {_LOOPBACK[suffix]}"
    yield f"{local} meta l4proto . th dport vmap @node-ports{suffix}"


def _refused(suffix: str, word: str, type_: str) -> Iterable[str]:
    """Where a Service has no endpoint, and at its address every port that it does not have."""
    yield f"{word} daddr . meta l4proto . th dport vmap @refused{suffix}"
    yield f"{word} daddr @cluster-ips{suffix} goto refuse"
    yield f"meta nfproto {type_} fib daddr type local meta l4proto . th dport vmap @refused-ports{suffix}"


def _leaving(bridge: str, suffix: str, word: str, type_: str) -> Iterable[str]:
    """A pod that reaches itself by its Service would answer itself past the translation; the world knows no pods."""
    yield f"ct status dnat {word} saddr . {word} daddr @hairpin{suffix} masquerade"
    outside = f"{word} daddr != @pods{suffix} {word} daddr != {_MULTICAST[suffix]}"
    yield f'{word} saddr @own{suffix} {outside} oifname != "{bridge}" masquerade'


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *(f"  {rule}" for rule in rules), "}"]


def _hook(name: str, type_: str, hook: str, priority: str, rules: Iterable[str]) -> list[str]:
    return _chain(name, [f"type {type_} hook {hook} priority {priority}; policy accept;", *rules])


def ranges_part(nodes: Mapping[str, NetworkNode], own: Iterable[str]) -> Part:
    """Where pods are, and which of them are here. `own` counts also before the others know of it."""
    here = {str(ip_network(one)) for one in own}
    everywhere = here | {str(ip_network(one, strict=False)) for node in nodes.values() for one in node.pod_cidrs}
    elements: dict[Element, str] = {(f"own{_suffix(one)}", one): "" for one in here}
    return Part(elements=elements | {(f"pods{_suffix(one)}", one): "" for one in everywhere})


def _suffix(address: str) -> str:
    return "6" if ":" in address else "4"
