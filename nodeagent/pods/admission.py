"""Whether this node takes a pod that is new to it, and what of the node it is given. Pure.

The scheduler has looked at all of this before, but from afar, and not at pods that name their node themselves. Order,
reasons and words are the kubelet's, so that controllers and people know them. A pod that has begun is never asked.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from nodeagent.devices.allocation import Allocated, allocate
from nodeagent.pods.actions import REJECTED, Failure
from nodeagent.pods.confinement import has_strict_groups, needs_apparmor
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.sysctls import forbidden
from nodeagent.runtime.interface import Features
from schemas.core.pod import Pod
from schemas.nodeaffinity import wanted_by
from schemas.podrequests import CPU, MEMORY, PODS, clash, host_ports, requests

_FIRST = (PODS, CPU, MEMORY, "ephemeral-storage")
USERS = 65536
"""In the range of a pod with a user namespace; the first such range is the node's own."""


class Neighbours:
    """What the pods of the node hold together. Grows with each that is admitted."""

    def __init__(self, pods: Iterable[tuple[Pod, Allocated]]) -> None:
        self.used = Counter[str]()
        self.ports = list[tuple[str, str, int]]()
        self.allocated = list[Allocated]()
        for pod, allocated in pods:
            self.add(pod, allocated)

    def add(self, pod: Pod, allocated: Allocated) -> None:
        self.used.update(requests(pod))
        self.used[PODS] += 1
        self.ports += host_ports(pod)
        self.allocated.append(allocated)


def admit(
    pod: Pod, node: NodeFacts, neighbours: Neighbours, labels: Mapping[str, str], features: Features
) -> Allocated | Failure:
    """What the pod is given, or why it cannot run here. `labels`: of the node; empty where they are not known."""
    if why := forbidden(pod, node.unsafe_sysctls):
        return Failure("SysctlForbidden", REJECTED + why)
    given = allocate(pod, node.device_resources, node.devices, neighbours.allocated)
    if isinstance(given, Failure):
        return Failure(given.reason, REJECTED + given.message)
    failure = (
        _too_much(requests(pod), node.allocatable, neighbours.used)
        or _elsewhere(pod, node, labels)
        or _ports_taken(pod, neighbours.ports)
        or _unable(pod, node, features)
    )
    if failure is not None:
        return failure
    if pod.spec.host_users is False:
        return replace(given, first_user=_free_users(one.first_user for one in neighbours.allocated))
    return given


def _too_much(asked: Mapping[str, int], allocatable: Mapping[str, int], used: Mapping[str, int]) -> Failure | None:
    wanted = {**asked, PODS: 1}
    rest = sorted(name for name in wanted if name not in _FIRST)
    for name in (*_FIRST, *rest):
        amount, capacity, taken = wanted.get(name, 0), allocatable.get(name), used.get(name, 0)
        if amount and capacity is not None and taken + amount > capacity:
            text = f"Node didn't have enough resource: {name}, requested: {amount}, used: {taken}, capacity: {capacity}"
            return Failure(f"OutOf{name}", REJECTED + text)
    return None


def _elsewhere(pod: Pod, node: NodeFacts, labels: Mapping[str, str]) -> Failure | None:
    if labels and not wanted_by(pod, node.name, labels):
        return _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    return None


def _ports_taken(pod: Pod, taken: Sequence[tuple[str, str, int]]) -> Failure | None:
    if any(clash(port, taken) for port in host_ports(pod)):
        return _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    return None


def _predicate(name: str, why: str) -> Failure:
    return Failure(name, f"{REJECTED}Predicate {name} failed: {why}")


def _unable(pod: Pod, node: NodeFacts, features: Features) -> Failure | None:
    if has_strict_groups(pod) and not features.supplemental_groups_policy:
        text = "SupplementalGroupsPolicy=Strict is not supported in this node"
        return Failure("SupplementalGroupsPolicyNotSupported", REJECTED + text)
    if needs_apparmor(pod) and not node.has_apparmor:
        return Failure("AppArmor", REJECTED + "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    return None


def _free_users(taken: Iterable[int]) -> int:
    held = set(taken)
    first = USERS
    while first in held:
        first += USERS
    return first
