"""NodeResourcesBalancedAllocation: nodes on which CPU and memory are taken evenly are liked better.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins; the score is how much more or less even they
are with the pod than without it.
"""

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import BEST, Score
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.resources import CPU, MEMORY

NAME = "NodeResourcesBalancedAllocation"


def prepare_score(asked: PodClass) -> Score | None:
    """None for a pod that requests neither."""
    cpu, memory = asked.cpu, asked.memory
    if not cpu and not memory:
        return None

    def score(info: NodeInfo) -> int:
        used_cpu, used_memory = info.requested.get(CPU, 0), info.requested.get(MEMORY, 0)
        after = _evenness(info, used_cpu + cpu, used_memory + memory)
        return (3 * BEST // 2 + after - _evenness(info, used_cpu, used_memory)) // 2

    return score


def _evenness(info: NodeInfo, cpu: int, memory: int) -> int:
    if not info.cpu or not info.memory:
        return BEST
    of_cpu, of_memory = cpu / info.cpu, memory / info.memory
    deviation = abs((1.0 if of_cpu > 1 else of_cpu) - (1.0 if of_memory > 1 else of_memory)) / 2
    return int((1 - deviation) * BEST)
