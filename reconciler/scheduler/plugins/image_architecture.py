"""ImageArchitecture: an image is not tried again on a kind of CPU that it has failed on.

Not one of kube-scheduler's: a fleet of small machines mixes arm64, armv7 and amd64. Known is what runtimes say of pods
that are there; it is forgotten with the last of them, and where a node of that kind has the image.
"""

import re
from collections.abc import Callable

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.image_locality import tagged, wanted
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from schemas.core.pod import Pod

NAME = "ImageArchitecture"
LABEL = "kubernetes.io/arch"
_REFUSAL = Refusal(("node(s) didn't match the CPU architecture of the image",), lasting=True)
_SAID = re.compile(r"no match for platform|exec format error|it is built for \S+/\S+, and this node is")
"""How containerd, the kernel and Wherry's own agent tell of it."""


def misfits(pod: Pod) -> frozenset[str]:
    """Images of the pod's containers that do not run where it is."""
    found = set()
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        state = status.state
        waiting = state.waiting if state is not None else None
        ended = state.terminated if state is not None else None
        told = (waiting.message if waiting is not None else "") or (ended.message if ended is not None else "")
        if told and _SAID.search(told):
            found.add(status.name)
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return frozenset(tagged(one.image) for one in containers if one.name in found)


def prepare(asked: PodClass, refused_by: Callable[[str], frozenset[str]]) -> Check | None:
    """`refused_by` says on which architectures an image is known not to run."""
    refused = frozenset(kind for name in dict.fromkeys(wanted(asked)) for kind in refused_by(name))
    if not refused:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        return _REFUSAL if info.labels.get(LABEL) in refused else None

    return check
