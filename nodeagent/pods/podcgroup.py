"""The cgroup around a pod: what its containers ask for together, and may take together.

The sums are the kubelet's (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/, KEP-2837 for resources of the
pod as a whole): a limit holds for the pod where it holds for each of its containers, or where the pod itself has it.
"""

from collections.abc import Iterable

from nodeagent.pods.node import NodeFacts
from nodeagent.pods.resources import CPU_PERIOD, MIN_QUOTA, MIN_SHARES
from nodeagent.runtime.interface import PodCgroup
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.podrequests import CPU, MEMORY, limits, requests
from schemas.qos import qos_class
from schemas.quantity import value

_PARENTS = {"Guaranteed": "", "Burstable": "burstable", "BestEffort": "besteffort"}
HUGE = "hugepages-"
_UNITS = ("B", "KB", "MB", "GB")


def pod_cgroup(pod: Pod, node: NodeFacts) -> PodCgroup:
    asked, most = requests(pod), limits(pod)
    quota = most.get(CPU, 0) * CPU_PERIOD // 1000 if _holds_for_all(pod, CPU) else 0
    return PodCgroup(
        parent=_PARENTS[qos_class(pod)],
        cpu_shares=max(MIN_SHARES, asked.get(CPU, 0) * 1024 // 1000),
        cpu_quota=max(MIN_QUOTA, quota) if quota else 0,
        cpu_period=CPU_PERIOD,
        memory_limit=memory_limit_of(pod),
        pids_limit=node.pids_limit,
        hugepages={page_name(size): most.get(huge_resource(size), 0) for size in node.page_sizes},
    )


def memory_limit_of(pod: Pod) -> int:
    """Bytes for the pod as a whole; 0: none."""
    return limits(pod).get(MEMORY, 0) if _holds_for_all(pod, MEMORY) else 0


def container_hugepages(container: Container, sizes: Iterable[int]) -> dict[str, int]:
    """Bytes by page size: none of those that it is not given."""
    found = container.resources.limits
    return {page_name(size): value(found.get(huge_resource(size), 0)) for size in sizes}


def _holds_for_all(pod: Pod, resource: str) -> bool:
    whole = pod.spec.resources
    if whole is not None and resource in whole.limits:
        return True
    return all(resource in one.resources.limits for one in (*pod.spec.init_containers, *pod.spec.containers))


def page_name(size: int) -> str:
    """`2MB`, as the kernel names the files of its cgroups."""
    unit = 0
    while size >= 1024 and size % 1024 == 0 and unit < len(_UNITS) - 1:
        size, unit = size // 1024, unit + 1
    return f"{size}{_UNITS[unit]}"


def huge_resource(size: int) -> str:
    """`hugepages-2Mi`."""
    return HUGE + page_name(size).removesuffix("B") + "i"
