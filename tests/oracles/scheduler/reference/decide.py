"""One decision: the nodes that can take a pod and their scores, or why none can and who would have to leave."""

from collections import Counter

from schemas.core.pod import Pod
from tests.oracles.scheduler.reference.demands import Demands
from tests.oracles.scheduler.reference.preemption import preempted
from tests.oracles.scheduler.reference.refusals import Impossible, SchedulerError
from tests.oracles.scheduler.reference.scores import scores
from tests.oracles.scheduler.reference.verdict import Decision, counted, refusals
from tests.oracles.scheduler.reference.world import World, key_of

_GATED = "Scheduling is blocked due to non-empty scheduling gates"


def decide(pod: Pod, world: World) -> Decision:
    if pod.spec.scheduling_gates:
        return Decision(reason="SchedulingGated", message=_GATED)
    if not world.nodes:
        return Decision(reason="Unschedulable", message="no nodes available to schedule pods")
    asked = Demands(pod)
    try:
        refused = refusals(asked, world)
    except Impossible as impossible:
        told = counted(len(world.nodes), Counter({"Preemption is not helpful for scheduling": len(world.nodes)}))
        rest = "not eligible due to preemptionPolicy=Never." if pod.spec.preemption_policy == "Never" else told
        head = f"0/{len(world.nodes)} nodes are available: {impossible}."
        return Decision(reason="Unschedulable", message=f"{head} preemption: {rest}")
    feasible = [node for name, node in world.nodes.items() if name not in refused]
    kept = world.nominated.get(key_of(pod))
    if kept is not None and kept.node in world.nodes and kept.node not in refused:
        feasible = [world.nodes[kept.node]]
    names = frozenset(node.metadata.name for node in feasible)
    if not feasible:
        return preempted(asked, refused, world)
    try:
        return Decision(names, scores(asked, feasible, world) if len(feasible) > 1 else {}, refusals=refused)
    except SchedulerError as error:
        return Decision(reason="SchedulerError", message=str(error), refusals=refused)
