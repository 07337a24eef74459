"""NodeUnschedulable: a cordoned node takes only pods that tolerate it.

https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration
"""

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.taints import UNSCHEDULABLE, tolerates
from schemas.core.node import Taint

NAME = "NodeUnschedulable"
_CORDON = Taint(effect="NoSchedule", key=UNSCHEDULABLE)
_REFUSAL = Refusal(("node(s) were unschedulable",), lasting=True)


def _check(info: NodeInfo) -> Refusal | None:
    return _REFUSAL if info.taints and info.node is not None and info.node.spec.unschedulable else None


def prepare(asked: PodClass) -> Check | None:
    return None if any(tolerates(one, _CORDON) for one in asked.pod.spec.tolerations) else _check
