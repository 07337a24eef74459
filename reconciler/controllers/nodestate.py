"""What the controllers ask about a node: is it ready, is it lost, which of its taints evict."""

from collections.abc import Collection

from reconciler.taints import NOT_READY, UNREACHABLE
from schemas import conditions
from schemas.core.node import Node, Taint

LOST = (NOT_READY, UNREACHABLE)
"""Taints of a node that is lost, or says that it cannot run pods."""
_TAINTS = {"False": NOT_READY, "Unknown": UNREACHABLE}


def readiness(node: Node) -> str:
    """`True`, `False`, `Unknown`, or nothing where the node has never said."""
    found = conditions.find(node.status.conditions, "Ready")
    return found.status if found is not None else ""


def is_ready(node: Node) -> bool:
    return readiness(node) == "True"


def is_lost(node: Node) -> bool:
    return readiness(node) in _TAINTS


def is_silent(node: Node) -> bool:
    """Its agent cannot be heard; one that says itself that it is not ready still tells how its pods are."""
    return readiness(node) == "Unknown"


def lost_taint(node: Node) -> str:
    """The key of the taint of a node that is lost, else nothing."""
    return _TAINTS.get(readiness(node), "")


def executing(node: Node, keys: Collection[str]) -> tuple[Taint, ...]:
    """The node's taints of these keys that evict pods."""
    return tuple(taint for taint in node.spec.taints if taint.effect == "NoExecute" and taint.key in keys)
