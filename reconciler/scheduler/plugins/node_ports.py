"""NodePorts: a port of the host belongs to one pod.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
"""

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.resources import clash

NAME = "NodePorts"
_REFUSAL = Refusal(("node(s) didn't have free ports for the requested pod ports",))


def prepare(asked: PodClass) -> Check | None:
    ports = asked.ports
    if not ports:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        return _REFUSAL if info.ports and any(clash(port, info.ports) for port in ports) else None

    return check
