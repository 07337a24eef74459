"""The conditions of a node, in the kubelet's reasons and words. Pure.

https://kubernetes.io/docs/reference/node/node-status/#condition. The clock's is one of the kind that the node problem
detector adds: nothing follows from it, but a person sees why certificates and timestamps may be wrong.
"""

from collections.abc import Set

import msgspec

from schemas.core.node import NodeCondition

SHUTTING_DOWN = "node is shutting down"
_PRESSURES = {
    "MemoryPressure": (
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`runtime`: its name and version, empty while it does not answer. `network`: None before it was laid, empty when
    it is there, else why it is not."""

    runtime: str = ""
    pressures: Set[str] = frozenset()
    network: str | None = None
    is_going_down: bool = False


def conditions(health: Health, *, is_clock_synchronised: bool | None) -> tuple[NodeCondition, ...]:
    """What the node is short of, its network and clock, and last whether it is ready."""
    told = [_condition(type_, type_ in health.pressures, *words) for type_, words in _PRESSURES.items()]
    if health.network is not None:
        missing = ("NoRouteCreated", f"the node has no pod network: {health.network}")
        there = ("RouteCreated", "the node has its pod network")
        told.append(_condition("NetworkUnavailable", bool(health.network), missing, there))
    if is_clock_synchronised is not None:
        wrong = ("ClockNotSynchronised", "nothing keeps the clock right: install chrony or enable systemd-timesyncd")
        right = ("ClockSynchronised", "the kernel's clock is kept right")
        told.append(_condition("ClockNotSynchronised", not is_clock_synchronised, wrong, right))
    return (*told, _ready(health))


def _condition(type_: str, holds: bool, yes: tuple[str, str], no: tuple[str, str]) -> NodeCondition:
    reason, message = yes if holds else no
    return NodeCondition(type=type_, status="True" if holds else "False", reason=reason, message=message)


def _ready(health: Health) -> NodeCondition:
    faults = ["container runtime is down"] if not health.runtime else []
    faults += [SHUTTING_DOWN] if health.is_going_down else []
    if faults:
        return NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=", ".join(faults))
    return NodeCondition(type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status")
