"""Which new pods a node takes that is short of something, or is going down. Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-conditions
"""

from collections.abc import Set

from nodeagent.machine.ranking import is_critical
from nodeagent.pods.actions import Failure
from schemas.core.pod import Pod
from schemas.qos import qos_class

MEMORY_PRESSURE = "MemoryPressure"
MEMORY_TAINT = "node.kubernetes.io/memory-pressure"
SHUTTING_DOWN = Failure("NodeShutdown", "Pod was rejected as the node is shutting down.")


def refusal(pod: Pod, conditions: Set[str]) -> Failure | None:
    """Why the node does not take this pod. Memory pressure keeps away BestEffort pods that do not tolerate it."""
    if not conditions or is_critical(pod):
        return None
    if conditions == {MEMORY_PRESSURE} and (qos_class(pod) != "BestEffort" or _tolerates_memory_pressure(pod)):
        return None
    shown = " ".join(sorted(conditions))
    return Failure("Evicted", f"Pod was rejected: The node had condition: [{shown}]. ")


def _tolerates_memory_pressure(pod: Pod) -> bool:
    return any(
        one.effect in ("", "NoSchedule")
        and (one.key == MEMORY_TAINT or (not one.key and one.operator == "Exists"))
        and (one.operator == "Exists" or not one.value)
        for one in pod.spec.tolerations
    )
