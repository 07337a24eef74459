"""Pods that fill more of the node's disk than they may: by an emptyDir, a container, or all together. Pure.

https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#ephemeral-storage-consumption-management
"""

from collections.abc import Iterator

from nodeagent.machine.ranking import PodUse, Use
from schemas.core.pod import Pod
from schemas.podrequests import limits
from schemas.quantity import value

STORAGE = "ephemeral-storage"


def is_limited(pod: Pod) -> bool:
    """Whether it is worth while to measure the pod at each look."""
    return pod_limit(pod) is not None or any(_size_limits(pod))


def fault(use: PodUse) -> str:
    """Which limit is exceeded, in the kubelet's words; empty: none."""
    return _volume_fault(use) or _pod_fault(use) or _container_fault(use)


def _size_limits(pod: Pod) -> Iterator[tuple[str, str]]:
    """By volume. One in memory cannot grow beyond its limit."""
    for volume in pod.spec.volumes:
        source = volume.empty_dir
        if source is not None and not source.medium and source.size_limit and value(source.size_limit):
            yield volume.name, str(source.size_limit)


def _volume_fault(use: PodUse) -> str:
    for name, limit in _size_limits(use.pod):
        if use.volumes.get(name, Use()).storage > value(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    return ""


def _pod_fault(use: PodUse) -> str:
    limit = pod_limit(use.pod)
    if limit is None or use.total.storage <= limit[0]:
        return ""
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit[1]}. "


def _container_fault(use: PodUse) -> str:
    for container in use.pod.spec.containers:
        limit = container.resources.limits.get(STORAGE)
        if limit is not None and use.containers.get(container.name, Use()).storage > value(limit):
            return f'Container {container.name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


def pod_limit(pod: Pod) -> tuple[int, str] | None:
    """Bytes, and as they are told: what its containers may use together, where any of them is limited."""
    limit = limits(pod).get(STORAGE)
    return None if limit is None else (limit, _shown(limit))


def _shown(size: int) -> str:
    """The largest binary unit that it is a whole number of."""
    for unit, factor in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
