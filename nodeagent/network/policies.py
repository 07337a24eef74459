"""NetworkPolicies as rules: which connections may leave and reach the pods of this node. Pure.

A pod that a policy holds, in a direction, passes only what some policy lets pass in that direction; a pod that none
holds passes everything. Each node guards its own pods: what leaves them, and what reaches them. Replies always pass,
and so does what the node itself says to its pods, such as probes. Follows
https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Literal

from nodeagent.network.table import Element, Part
from schemas.network import NetworkPolicyBody, PolicyBlock, PolicyPort, PolicyRule

Direction = Literal["in", "out"]
_END: Mapping[Direction, str] = {"in": "saddr", "out": "daddr"}
_OWN: Mapping[Direction, str] = {"in": "daddr", "out": "saddr"}

PolicyParts = dict[str, Part]


def policy_parts(
    policies: Mapping[str, NetworkPolicyBody], ranges: Sequence[str], placed: Mapping[str, Sequence[str]]
) -> PolicyParts:
    """By key: the rules of each policy that holds a pod here, and, under `guards`, the way from each pod to them.

    `ranges`: where this node's pods have their addresses. `placed`: addresses of this node's pods by uid, for those
    that the reconciler does not know yet.
    """
    own = [ip_network(one) for one in ranges]
    parts: PolicyParts = {}
    ways: dict[tuple[Direction, str], list[str]] = {}
    for key, policy in sorted(policies.items()):
        addresses = [*policy.pods, *(one for uid in policy.unplaced for one in placed.get(uid, ()))]
        here = [one for one in addresses if any(ip_address(one) in range_ for range_ in own)]
        if not here:
            continue
        chains = dict(_chains(policy))
        parts[key] = Part(chains=chains)
        for direction, rules in _directions(policy):
            if rules is not None:
                for address in here:
                    ways.setdefault((direction, address), []).append(_name(policy, direction))
    parts["guards"] = _guards(ways)
    return parts


def _directions(policy: NetworkPolicyBody) -> Iterator[tuple[Direction, tuple[PolicyRule, ...] | None]]:
    yield "in", policy.ingress
    yield "out", policy.egress


def _name(policy: NetworkPolicyBody, direction: Direction) -> str:
    return f"policy/{policy.namespace}/{policy.name}/{direction}"


def _chains(policy: NetworkPolicyBody) -> Iterator[tuple[str, tuple[str, ...]]]:
    for direction, rules in _directions(policy):
        if rules is not None:
            yield _name(policy, direction), tuple(line for rule in rules for line in _lines(rule, direction))


def _guards(ways: Mapping[tuple[Direction, str], list[str]]) -> Part:
    """Each held pod's own chain: through all its policies, and what none has let pass is dropped."""
    chains: dict[str, tuple[str, ...]] = {}
    elements: dict[Element, str] = {}
    for (direction, address), names in ways.items():
        chain = f"guard-{direction}/{address.replace(':', '_')}"
        chains[chain] = (*(f"jump {name}" for name in names), "drop")
        elements[f"guarded-{direction}{'6' if ':' in address else '4'}", address] = f"goto {chain}"
    return Part(chains=chains, elements=elements)


def _lines(rule: PolicyRule, direction: Direction) -> Iterator[str]:
    ports = [_port(one) for one in rule.ports] or [""]
    for family in ("ip", "ip6"):
        targets = _of_family(rule.targets, family)
        if rule.targets and not targets:
            continue
        own = f"{family} {_OWN[direction]} {_set(targets)} " if targets else ""
        if rule.anyone and not own:
            if family == "ip":
                yield from (f"{port}accept" for port in ports)
            continue
        for peer in _peers(rule, direction, family):
            yield from (f"{own}{peer}{port}accept" for port in ports)


def _peers(rule: PolicyRule, direction: Direction, family: str) -> Iterator[str]:
    if rule.anyone:
        yield ""
        return
    end = f"{family} {_END[direction]}"
    if pods := _of_family(rule.pods, family):
        yield f"{end} {_set(pods)} "
    for block in rule.blocks:
        if _family(block.cidr) == family:
            yield f"{end} {block.cidr} {_excepted(block, end)}"


def _excepted(block: PolicyBlock, end: str) -> str:
    return f"{end} != {_set(block.excepted)} " if block.excepted else ""


def _port(port: PolicyPort) -> str:
    protocol = f"meta l4proto {port.protocol.lower()} "
    if not port.first:
        return protocol
    numbers = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
    return f"{protocol}th dport {numbers} "


def _of_family(addresses: Sequence[str], family: str) -> list[str]:
    return [one for one in addresses if _family(one) == family]


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _set(values: Sequence[str]) -> str:
    return f"{{ {', '.join(values)} }}"
