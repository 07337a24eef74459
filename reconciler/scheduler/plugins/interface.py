"""What a plugin is: a module that prepares, for one class of pods, what is asked of each node.

A filter's `prepare` returns None where the class asks nothing of the kind, a `Refusal` where no node at all can serve
(kube-scheduler's PreFilter), or a function that says of one node why not. A function that scores returns the plain
score of one node before its weight.
"""

from collections.abc import Callable, Sequence

import msgspec

from reconciler.scheduler.nodeinfo import BEST, NodeInfo

__all__ = ["BEST", "Check", "Column", "Refusal", "Score", "Select"]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a node cannot take a pod. `lasting`: it could not even if other pods left it."""

    reasons: tuple[str, ...]
    lasting: bool = False


Check = Callable[[NodeInfo], Refusal | None]
Score = Callable[[NodeInfo], int]
Select = Callable[[Sequence[NodeInfo]], Sequence[NodeInfo]]
"""A check of many nodes at once: those that it does not refuse."""
Column = Callable[[Sequence[NodeInfo]], list[int]]
"""A score of many nodes at once."""
