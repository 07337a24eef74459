"""NodeName: a pod that names its node runs there or nowhere.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename
"""

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass

NAME = "NodeName"
_REFUSAL = Refusal(("node(s) didn't match the requested node name",), lasting=True)


def prepare(asked: PodClass) -> Check | None:
    wanted = asked.node_name
    if not wanted:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        return None if info.name == wanted else _REFUSAL

    return check
