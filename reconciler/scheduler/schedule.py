"""The scheduler's decision: (pod, snapshot) → node, or why there is none.

The whole fleet is considered. Among nodes of equal score the first by name is taken, so that the same cluster gives
the same answer. What a refusal says are the kube-scheduler's words and counts.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.scheduler import filters
from reconciler.scheduler.decision import GATED, UNSCHEDULABLE, Decision
from reconciler.scheduler.filters import Refusal
from reconciler.scheduler.nodeaffinity import named_nodes
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.scores import scores
from reconciler.scheduler.snapshot import NodeInfo, Snapshot
from schemas.core.pod import Pod

_NOT_NAMED = Refusal(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), True)


def schedule(pods: Iterable[Pod], snapshot: Snapshot, profile: Profile = PLAIN) -> list[Decision]:
    """One pod after another; each that finds a node counts there for the next."""
    decisions = []
    for pod in pods:
        decision = _decide(pod, snapshot)
        if decision.node:
            snapshot.place(pod, decision.node)
        decisions.append(decision)
    return decisions


def _decide(pod: Pod, snapshot: Snapshot) -> Decision:
    """The best node for the pod."""
    if pod.spec.scheduling_gates:
        return Decision(reason=GATED, message="Scheduling is blocked due to non-empty scheduling gates")
    if not snapshot.nodes:
        return Decision(reason=UNSCHEDULABLE, message="no nodes available to schedule pods")
    feasible, refused = candidates(pod, snapshot)
    if not feasible:
        return Decision(reason=UNSCHEDULABLE, message=explanation(pod, refused, len(snapshot.nodes)))
    if len(feasible) == 1:
        return Decision(feasible[0].name)
    return Decision(best(pod, feasible, snapshot))


def candidates(pod: Pod, snapshot: Snapshot) -> tuple[list[NodeInfo], list[Refusal]]:
    """The nodes that can take the pod, and why the others cannot."""
    asked = filters.question(pod)
    named = named_nodes(pod)
    feasible, refused = [], []
    for info in snapshot.nodes.values():
        why = _NOT_NAMED if named is not None and info.name not in named else filters.refusal(asked, info)
        if why is None:
            feasible.append(info)
        else:
            refused.append(why)
    return feasible, refused


def fits(pod: Pod, info: NodeInfo) -> bool:
    """Whether this one node can take the pod."""
    return filters.refusal(filters.question(pod), info) is None


def best(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> str:
    totals = [sum(column) for column in zip(*scores(pod, nodes, snapshot).values(), strict=True)]
    return min(zip(totals, nodes, strict=True), key=lambda pair: (-pair[0], pair[1].name))[1].name


def explanation(pod: Pod, refused: Sequence[Refusal], nodes: int) -> str:
    """`0/3 nodes are available: …`, with what preemption could do about it."""
    reasons = Counter(reason for one in refused for reason in one.reasons)
    text = f"0/{nodes} nodes are available: {_counted(reasons)}."
    if pod.spec.preemption_policy == "Never":
        return f"{text} preemption: not eligible due to preemptionPolicy=Never."
    helpless = Counter(
        "Preemption is not helpful for scheduling" if one.lasting else "No preemption victims found for incoming pod"
        for one in refused
    )
    return f"{text} preemption: 0/{nodes} nodes are available: {_counted(helpless)}."


def _counted(reasons: Counter[str]) -> str:
    """In the order of the texts with their numbers in front, as the kube-scheduler has it."""
    return ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
