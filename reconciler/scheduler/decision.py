"""What becomes of a pod that was looked at: values, which `loop` and the plan carry out."""

from collections.abc import Mapping

import msgspec

from schemas.core.pod import Pod
from schemas.meta import Object

UNSCHEDULABLE, GATED, ERROR = "Unschedulable", "SchedulingGated", "SchedulerError"
DISRUPTION_TARGET, PREEMPTED = "DisruptionTarget", "PreemptionByScheduler"
"""Type and reason of the condition that a victim bears."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A node, or why there is none.

    `reason` and `message` are those of the condition `PodScheduled`, empty where the pod was placed. With
    `nominated_node` there is room on that node once the `victims` (which are yet to be asked to end) and those that are
    ending already have gone; the `displaced`, less important, were nominated to it and are no longer. Where a pod that
    was placed has claims that are not bound yet (`waits`), `objects` are its claims and their volumes as they are to be
    written first; the pod is bound when they are. `blocked_by` names the plugins that refused a node, so that only what
    concerns them wakes the pod.
    """

    node: str = ""
    reason: str = ""
    message: str = ""
    nominated_node: str = ""
    victims: tuple[Pod, ...] = ()
    displaced: tuple[Pod, ...] = ()
    waits: bool = False
    objects: tuple[Object, ...] = ()
    blocked_by: frozenset[str] = frozenset()
    tried_in_vain: frozenset[str] = frozenset()
    """Plugins that refused the pod even without those that preemption could make go."""


class Verdict(msgspec.Struct, frozen=True):
    """Of one node: the first plugin that refuses it and why, or the weighted score of each plugin that has one."""

    plugin: str = ""
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, int] = {}

    @property
    def feasible(self) -> bool:
        return not self.plugin

    @property
    def total(self) -> int:
        return sum(self.scores.values())


class Explanation(msgspec.Struct, frozen=True):
    """`nodes` by name. `chosen` is empty where no node can take the pod; `message` says so in the scheduler's words.

    Where one node alone is feasible nothing is scored.
    """

    nodes: Mapping[str, Verdict]
    chosen: str = ""
    message: str = ""
