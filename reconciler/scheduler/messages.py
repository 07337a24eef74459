"""What is said of a pod that no node can take, in kube-scheduler's words and counts.

`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: …`
"""

from collections import Counter

from reconciler.scheduler.localchecks import Said

NO_NODES = "no nodes available to schedule pods"
GATES = "Scheduling is blocked due to non-empty scheduling gates"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
BEING_MADE = "not eligible due to a terminating pod on the nominated node."


def unavailable(nodes: int, reasons: Counter[str]) -> str:
    """In the order of the texts with their numbers in front."""
    counted = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{nodes} nodes are available: {counted}."


def everywhere(nodes: int, said: Said) -> str:
    """Where one reason holds for all nodes before any is looked at."""
    return f"0/{nodes} nodes are available: {', '.join(said.refusal.reasons)}."
