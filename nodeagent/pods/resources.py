"""Requests and limits of a container as the kernel's numbers.

The formulae are the kubelet's: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/,
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior.
"""

from collections.abc import Iterator

from nodeagent.pods.node import NodeFacts
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.qos import qos_class
from schemas.quantity import milli, value

MIN_SHARES = 2
CPU_PERIOD = 100_000
MIN_QUOTA = 1_000
NODE_CRITICAL = "system-node-critical"
"""The priority class whose containers are the last to be killed for memory."""


def all_containers(pod: Pod) -> Iterator[Container]:
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from debuggers(pod)


def debuggers(pod: Pod) -> Iterator[Container]:
    """The ephemeral containers, as containers; they have no probes, hooks, ports or resources."""
    for one in pod.spec.ephemeral_containers:
        fields = {name: getattr(one, name) for name in one.__struct_fields__ if name != "target_container_name"}
        yield Container(**fields)


def is_sidecar(pod: Pod, container: Container) -> bool:
    """True of an init container with `restartPolicy: Always`; for a main container it says only when it restarts."""
    return container.restart_policy == "Always" and any(container.name == one.name for one in pod.spec.init_containers)


def cpu_request(container: Container) -> int:
    """Thousandths of a core; without a request the limit stands for it."""
    amounts = container.resources
    return milli(amounts.requests.get("cpu", amounts.limits.get("cpu", 0)))


def memory_request(container: Container) -> int:
    amounts = container.resources
    return value(amounts.requests.get("memory", amounts.limits.get("memory", 0)))


def cpu_limit(container: Container) -> int:
    return milli(container.resources.limits.get("cpu", 0))


def memory_limit(container: Container) -> int:
    return value(container.resources.limits.get("memory", 0))


def cpu_shares(container: Container) -> int:
    return max(MIN_SHARES, cpu_request(container) * 1024 // 1000)


def cpu_quota(container: Container) -> int:
    """Microseconds of each `CPU_PERIOD`; 0: no limit."""
    limit = cpu_limit(container)
    return max(MIN_QUOTA, limit * CPU_PERIOD // 1000) if limit else 0


def oom_score_adj(pod: Pod, container: Container, memory_capacity: int) -> int:
    """How early the kernel kills this container when memory is short: -997 last, 1000 first."""
    if pod.spec.priority_class_name == NODE_CRITICAL:
        return -997
    quality = qos_class(pod)
    if quality != "Burstable":
        return -997 if quality == "Guaranteed" else 1000
    score = _burstable_score(container, memory_capacity)
    if is_sidecar(pod, container):
        score = min(score, *(_burstable_score(main, memory_capacity) for main in pod.spec.containers))
    return score


def _burstable_score(container: Container, memory_capacity: int) -> int:
    score = 1000 - 1000 * memory_request(container) // max(memory_capacity, 1)
    return min(max(score, 3), 999)


def resource_amount(container: Container, resource: str, node: NodeFacts) -> tuple[int, bool]:
    """What a `resourceFieldRef` means: the amount, and whether it counts thousandths (CPU).

    A limit that is not set is what the node can give. Raises `ValueError` for an unknown resource.
    """
    side, _, name = resource.partition(".")
    if side not in ("limits", "requests") or not name:
        raise ValueError(f"unsupported container resource: {resource}; expected limits.NAME or requests.NAME")
    amounts = container.resources
    written = amounts.limits.get(name) if side == "limits" else amounts.requests.get(name, amounts.limits.get(name))
    if name == "cpu":
        return milli(written) if written is not None else _fallback(side, node.allocatable_cpu), True
    whole = {"memory": node.allocatable_memory, "ephemeral-storage": node.allocatable_storage}
    if name not in whole and not name.startswith("hugepages-"):
        raise ValueError(f"unsupported container resource: {resource}; expected cpu, memory or ephemeral-storage")
    return value(written) if written is not None else _fallback(side, whole.get(name, 0)), False


def _fallback(side: str, allocatable: int) -> int:
    return allocatable if side == "limits" else 0
