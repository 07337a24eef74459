"""The quality of service of a pod, which follows from what its containers ask for.

Pure (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
"""

from schemas.core.container import ResourceRequirements
from schemas.core.pod import Pod
from schemas.meta import Quantity
from schemas.quantity import milli, value


def qos_class(pod: Pod) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`. Where the pod as a whole has resources, they alone count."""
    guaranteed, any_amount = True, False
    for resources in _counting(pod):
        amounts = (_cpu(resources), _memory(resources))
        any_amount |= any(request or limit for request, limit in amounts)
        guaranteed &= all(limit and request == limit for request, limit in amounts)
    if not any_amount:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _counting(pod: Pod) -> list[ResourceRequirements]:
    whole = pod.spec.resources
    if whole is not None and (whole.requests or whole.limits):
        return [whole]
    return [container.resources for container in (*pod.spec.init_containers, *pod.spec.containers)]


def _cpu(resources: ResourceRequirements) -> tuple[int, int]:
    request, limit = _amounts(resources, "cpu")
    return milli(request), milli(limit)


def _memory(resources: ResourceRequirements) -> tuple[int, int]:
    request, limit = _amounts(resources, "memory")
    return value(request), value(limit)


def _amounts(resources: ResourceRequirements, resource: str) -> tuple[Quantity, Quantity]:
    """Request and limit; without a request the limit stands for it."""
    limit = resources.limits.get(resource, 0)
    return resources.requests.get(resource, limit), limit
