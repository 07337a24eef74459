"""When a pod has to leave its node: by the node's taints and its own tolerations, and by what it says of lost nodes.

A toleration counts from the taint's `timeAdded`, so that a restart neither shortens nor prolongs it. A pod that is
fenced leaves a silent node only when nothing of it is left to run there: by then its agent has stopped it
(`schemas.nodeloss`), and another one may start.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from reconciler.controllers.nodestate import LOST
from reconciler.controllers.silence import Silence
from reconciler.taints import tolerates
from schemas.core.node import Taint
from schemas.core.pod import Pod
from schemas.nodeloss import OnNodeLoss, is_fenced, on_node_loss, over_seconds

PROOF_SECONDS = 1.0
"""How soon a look that waits for the broker's proof is repeated."""


class Leave(msgspec.Struct, frozen=True):
    """In so many seconds (0: now); `is_over`: nothing of the pod is left, so that no agent need confirm its end."""

    seconds: float
    is_over: bool = False


def leaving(pod: Pod, executing: Sequence[Taint], silence: Silence | None, now: datetime) -> Leave | None:
    """When the pod leaves its node, None while nothing drives it away.

    `silence` is that of a node that cannot be heard, as far as it is known.
    """
    told = pod.metadata.deletion_timestamp is not None
    due = 0.0 if told else tolerated(pod, executing, now)
    if due is None:
        return None
    if silence is not None and is_fenced(pod):
        return Leave(max(due, counted_out(pod, silence)), is_over=True)
    return None if told else Leave(due)


def counted_out(pod: Pod, silence: Silence) -> float:
    """Seconds until nothing of a fenced pod is left to run on a node that is silent."""
    total = over_seconds(pod)
    if silence.proven >= total:
        return 0.0
    return max(PROOF_SECONDS, total - silence.seconds)


def tolerated(pod: Pod, executing: Sequence[Taint], now: datetime) -> float | None:
    """Seconds until the taints evict the pod (0: now), None where it tolerates them for good."""
    stays = on_node_loss(pod.metadata.annotations) is OnNodeLoss.STAY
    shortest: float | None = None
    for taint in executing:
        if stays and taint.key in LOST:
            continue
        tolerations = [one for one in pod.spec.tolerations if tolerates(one, taint)]
        if not tolerations:
            return 0
        limits = [one.toleration_seconds for one in tolerations if one.toleration_seconds is not None]
        if not limits:
            continue
        since = taint.time_added or now
        left = (since + timedelta(seconds=max(0, min(limits))) - now).total_seconds()
        shortest = left if shortest is None else min(shortest, left)
    return None if shortest is None else max(0.0, shortest)
