"""NodeResourcesBalancedAllocation: nodes on which CPU and memory are taken evenly are liked better.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins; the score is how much more or less even they
are with the pod than without it.
"""

from collections.abc import Sequence

from reconciler.scheduler.nodeinfo import NodeInfo, evenness
from reconciler.scheduler.plugins.interface import BEST, Column, Score
from reconciler.scheduler.podclass import PodClass

NAME = "NodeResourcesBalancedAllocation"
_EVEN = 3 * BEST // 2


def prepare_score(asked: PodClass) -> Score | None:
    """None for a pod that requests neither."""
    cpu, memory = asked.cpu, asked.memory
    if not cpu and not memory:
        return None

    def score(info: NodeInfo) -> int:
        return (_EVEN + evenness(info, cpu, memory) - info.evenness) // 2

    return score


def prepare_column(asked: PodClass) -> Column:
    """The same of many nodes, without a call for each."""
    cpu, memory = asked.cpu, asked.memory

    def column(infos: Sequence[NodeInfo]) -> list[int]:
        return [
            (
                _EVEN
                + int(
                    (
                        1
                        - abs(
                            (info.cpu - info.free_cpu + cpu) / info.cpu
                            - (info.memory - info.free_memory + memory) / info.memory
                        )
                        / 2
                    )
                    * BEST
                )
                - info.evenness
            )
            // 2
            if info.free_cpu >= cpu and info.free_memory >= memory and info.cpu and info.memory
            else (_EVEN + evenness(info, cpu, memory) - info.evenness) // 2
            for info in infos
        ]

    return column
