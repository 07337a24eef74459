"""The quality of service of a pod, which follows from what its containers ask for.

Pure (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
"""

from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.meta import Quantity
from schemas.quantity import milli, value


def qos_class(pod: Pod) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`."""
    guaranteed, any_amount = True, False
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        amounts = (_cpu(container), _memory(container))
        any_amount |= any(request or limit for request, limit in amounts)
        guaranteed &= all(limit and request == limit for request, limit in amounts)
    if not any_amount:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _cpu(container: Container) -> tuple[int, int]:
    request, limit = _amounts(container, "cpu")
    return milli(request), milli(limit)


def _memory(container: Container) -> tuple[int, int]:
    request, limit = _amounts(container, "memory")
    return value(request), value(limit)


def _amounts(container: Container, resource: str) -> tuple[Quantity, Quantity]:
    """Request and limit; without a request the limit stands for it."""
    limit = container.resources.limits.get(resource, 0)
    return container.resources.requests.get(resource, limit), limit
