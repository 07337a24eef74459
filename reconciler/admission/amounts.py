"""What a pod asks for and is limited to, over all its containers, as exact amounts. Pure.

Containers that run side by side add up, those that run before them count where they need more
(https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers).
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.meta import Quantity
from schemas.quantity import exact, total

Side = Literal["requests", "limits"]
Amounts = dict[str, Quantity]


def added(amounts: Iterable[Mapping[str, Quantity]]) -> Amounts:
    """The sum of each resource."""
    found: dict[str, list[Quantity]] = {}
    for each in amounts:
        for name, quantity in each.items():
            found.setdefault(name, []).append(quantity)
    return {name: total(quantities) for name, quantities in found.items()}


def of_pod(pod: Pod, side: Side) -> Amounts:
    """Of the whole pod, with its overhead; a limit only where there is one."""
    running, sidecars, before = list[Mapping[str, Quantity]](), list[Mapping[str, Quantity]](), Amounts()
    for container in pod.spec.init_containers:
        own = _of(container, side)
        if container.restart_policy == "Always":
            sidecars.append(own)
            before = _larger(before, added(sidecars))
        else:
            before = _larger(before, added((*sidecars, own)))
    running = [*(_of(container, side) for container in pod.spec.containers), *sidecars]
    found = _larger(added(running), before)
    if pod.spec.resources is not None:
        found |= getattr(pod.spec.resources, side)
    overhead = pod.spec.overhead
    if side == "limits":
        overhead = {name: quantity for name, quantity in overhead.items() if name in found}
    return added((found, overhead)) if overhead else found


def _of(container: Container, side: Side) -> Mapping[str, Quantity]:
    amounts: Mapping[str, Quantity] = getattr(container.resources, side)
    return amounts


def _larger(one: Amounts, other: Amounts) -> Amounts:
    found = dict(one)
    for name, quantity in other.items():
        if name not in found or exact(quantity) > exact(found[name]):
            found[name] = quantity
    return found
