"""What a pod takes on a node.

https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers, KEP-753
(sidecars), KEP-688 (overhead), KEP-2837 (resources of the pod as a whole).
"""

from collections import Counter
from collections.abc import Callable, Mapping

from schemas import quantity
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.meta import Quantity

CPU, MEMORY, PODS = "cpu", "memory", "pods"
Amounts = dict[str, int]
Port = tuple[str, str, int]
"""Address, protocol and number."""

UNSTATED: Amounts = {CPU: 100, MEMORY: 200 * 1024 * 1024}
ANY = "0.0.0.0"


class Demands:
    """A pod on a node, with its amounts: CPU in thousandths, all else in whole units."""

    __slots__ = ("node", "pod", "ports", "requested", "scored")

    def __init__(self, pod: Pod, node: str = "") -> None:
        self.pod, self.node = pod, node
        self.requested = requested(pod, {})
        self.scored = requested(pod, UNSTATED)
        self.ports = ports(pod)


def whole(listed: Mapping[str, Quantity]) -> Amounts:
    return {name: quantity.milli(amount) if name == CPU else quantity.value(amount) for name, amount in listed.items()}


def requested(pod: Pod, unstated: Amounts) -> Amounts:
    """The larger of what runs together and of what each step of starting up takes, then the overhead."""

    def of(container: Container) -> Counter[str]:
        return Counter({**unstated, **whole(container.resources.requests)})

    running, before, peak = Counter[str](), Counter[str](), Counter[str]()
    for container in pod.spec.init_containers:
        if container.restart_policy == "Always":
            before = _each(before, of(container), int.__add__)
            peak = _each(peak, before, max)
        else:
            peak = _each(peak, _each(before, of(container), int.__add__), max)
    for container in pod.spec.containers:
        running = _each(running, of(container), int.__add__)
    total = _each(_each(running, before, int.__add__), peak, max)
    if pod.spec.resources is not None:
        for name, amount in whole(pod.spec.resources.requests).items():
            if name in (CPU, MEMORY) or name.startswith("hugepages-"):
                total[name] = amount
    return dict(_each(total, Counter(whole(pod.spec.overhead)), int.__add__))


def _each(one: Counter[str], other: Counter[str], how: Callable[[int, int], int]) -> Counter[str]:
    return Counter({name: how(one[name], other[name]) for name in {**one, **other}})


def ports(pod: Pod) -> list[Port]:
    """Ports of the host."""
    sidecars = [one for one in pod.spec.init_containers if one.restart_policy == "Always"]
    return [
        (port.host_ip or ANY, port.protocol or "TCP", port.host_port)
        for container in [*pod.spec.containers, *sidecars]
        for port in container.ports
        if port.host_port > 0
    ]
