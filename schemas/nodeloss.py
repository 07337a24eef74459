"""What becomes of a pod whose node is lost: `wherry.dev/on-node-loss`, written on the pod template of a workload.

`stay` waits for the node, `move` replaces the pod as Kubernetes does, `fence` has the agent end the pod by itself when
it has had no word of the reconciler for `wherry.dev/lease-seconds`. Reconciler and agent count by the same two
annotations, which therefore never change once a pod is there. Without the first the rules of Kubernetes hold
(https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions).
"""

from collections.abc import Mapping
from enum import StrEnum

from schemas.core.pod import Pod

ANNOTATION = "wherry.dev/on-node-loss"
LEASE_ANNOTATION = "wherry.dev/lease-seconds"
DEFAULT_LEASE = 20
SHORTEST_LEASE, LONGEST_LEASE = 2, 24 * 3600
RENEWALS = 3
"""How often within a lease the agent asks for another one."""
DEFAULT_GRACE = 30
SHORTEST_GRACE = 2.0
"""Seconds that a container always has between SIGTERM and SIGKILL."""
MARGIN = 5.0
"""Seconds for what no clock tells: a start that was under way, an agent that restarts, clocks that run unevenly."""


class OnNodeLoss(StrEnum):
    STAY = "stay"
    MOVE = "move"
    FENCE = "fence"


def on_node_loss(annotations: Mapping[str, str]) -> OnNodeLoss | None:
    """What is asked for, None where nothing is, or nothing that is known."""
    asked = annotations.get(ANNOTATION, "")
    return OnNodeLoss(asked) if asked in set(OnNodeLoss) else None


def is_fenced(pod: Pod) -> bool:
    return on_node_loss(pod.metadata.annotations) is OnNodeLoss.FENCE


def is_lease(text: str) -> bool:
    """Whether this is a lease in whole seconds."""
    return text.isascii() and text.isdigit() and len(text) <= 5 and SHORTEST_LEASE <= int(text) <= LONGEST_LEASE


def lease_seconds(pod: Pod) -> float:
    """For how long after its node's last word of the reconciler the pod may run."""
    asked = pod.metadata.annotations.get(LEASE_ANNOTATION, "")
    return float(asked) if is_lease(asked) else float(DEFAULT_LEASE)


def over_seconds(pod: Pod) -> float:
    """How long after the reconciler's last word to its node nothing of a fenced pod is left to run."""
    asked = pod.spec.termination_grace_period_seconds
    granted = pod.metadata.deletion_grace_period_seconds
    grace = max(SHORTEST_GRACE, DEFAULT_GRACE if asked is None else asked, granted or 0)
    return lease_seconds(pod) + grace + MARGIN
