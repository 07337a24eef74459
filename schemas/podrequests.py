"""What a pod asks of a node: amounts of each resource, and ports of the host. Scheduler and node reckon alike.

CPU counts in thousandths, all else in whole units. Follows
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers and KEP-753
(sidecars), KEP-688 (overhead), KEP-2837 (resources of the pod as a whole).
"""

from collections.abc import Callable, Iterable, Mapping

from schemas import quantity
from schemas.core.container import Container
from schemas.core.pod import Pod, PodSpec
from schemas.meta import Quantity

CPU, MEMORY, PODS = "cpu", "memory", "pods"
Amounts = dict[str, int]


def amounts(listed: Mapping[str, Quantity]) -> Amounts:
    return {name: quantity.milli(q) if name == CPU else quantity.value(q) for name, q in listed.items()}


def requests(pod: Pod, unstated: Mapping[str, int] | None = None) -> Amounts:
    """What the pod needs: the larger of what runs together and of what starts it, and its overhead.

    `unstated` is taken for what a container does not request.
    """
    running = _largest(pod.spec, lambda container: _of(container, unstated))
    if pod.spec.resources is not None:
        running |= _of_the_whole(pod.spec.resources.requests)
    _add(running, amounts(pod.spec.overhead))
    return running


def limits(pod: Pod) -> Amounts:
    """What the pod may take at most: of each resource that any of its containers is limited in."""
    running = _largest(pod.spec, lambda container: amounts(container.resources.limits))
    if pod.spec.resources is not None:
        running |= _of_the_whole(pod.spec.resources.limits)
    _add(running, {name: amount for name, amount in amounts(pod.spec.overhead).items() if name in running})
    return running


def written(spec: PodSpec) -> dict[str, Quantity]:
    """What its containers need together, as a manifest would say it."""
    found = _largest(spec, lambda container: amounts(container.resources.requests))
    return {name: _thousandths(amount) if name == CPU else _bytes(amount) for name, amount in found.items()}


def _thousandths(amount: int) -> str:
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def _bytes(amount: int) -> str:
    mebibytes, rest = divmod(amount, 1024 * 1024)
    return str(amount) if rest or not amount else f"{mebibytes}Mi"


def is_of_the_whole(name: str) -> bool:
    """Whether a pod as a whole can ask for it."""
    return name in (CPU, MEMORY) or name.startswith("hugepages-")


def _of_the_whole(listed: Mapping[str, Quantity]) -> Amounts:
    return {name: amount for name, amount in amounts(listed).items() if is_of_the_whole(name)}


def _largest(spec: PodSpec, of: Callable[[Container], Amounts]) -> Amounts:
    running: Amounts = {}
    for container in spec.containers:
        _add(running, of(container))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.init_containers:
        needed = of(container)
        if container.restart_policy == "Always":
            _add(running, needed)
            _add(sidecars, needed)
            needed = dict(sidecars)
        else:
            _add(needed, sidecars)
        _raise(starting, needed)
    _raise(running, starting)
    return running


def _of(container: Container, unstated: Mapping[str, int] | None) -> Amounts:
    stated = amounts(container.resources.requests)
    return {**unstated, **stated} if unstated else stated


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: Amounts, other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        total[name] = max(total.get(name, 0), amount)


HostPort = tuple[str, str, int]
"""Address, protocol and port."""
_ANY_ADDRESS = ("", "0.0.0.0")


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    """The ports of the host that the pod takes."""
    lasting = [one for one in pod.spec.init_containers if one.restart_policy == "Always"]
    return tuple(
        ("0.0.0.0" if port.host_ip in _ANY_ADDRESS else port.host_ip, port.protocol or "TCP", port.host_port)
        for container in (*pod.spec.containers, *lasting)
        for port in container.ports
        if port.host_port > 0
    )


def clash(wanted: HostPort, taken: Iterable[HostPort]) -> bool:
    """Whether the port is taken, on that address or on all."""
    address, protocol, port = wanted
    return any(
        other_port == port and other_protocol == protocol and (address == other or "0.0.0.0" in (address, other))
        for other, other_protocol, other_port in taken
    )
