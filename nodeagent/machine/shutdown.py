"""In which order pods end when the machine goes down, and how long each has. Pure.

https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#graceful-node-shutdown: groups by priority,
the lowest first, each with its time. In one thing a node of ours differs: pods that would run again are not over
when their machine goes down, for it may come up again where there is no control plane to replace them.
"""

from collections.abc import Callable, Sequence

from nodeagent.machine.ranking import is_critical
from schemas.core.pod import Pod

Graces = Sequence[tuple[int, float]]
"""Seconds, by the lowest priority that they are for; ordered."""
CRITICAL = 2_000_000_000


def group_of(pod: Pod, graces: Graces) -> int:
    """The index of the group that the pod belongs to: of those below the first, to the first."""
    priority = max(pod.spec.priority or 0, CRITICAL) if is_critical(pod) else pod.spec.priority or 0
    return max((number for number, (least, _) in enumerate(graces) if priority >= least), default=0)


def begun(graces: Graces, until: int) -> Callable[[Pod], float | None]:
    """How long each pod has when the groups up to this index have begun to end; None: it runs on."""

    def grace(pod: Pod) -> float | None:
        group = group_of(pod, graces)
        return graces[group][1] if group <= until else None

    return grace
