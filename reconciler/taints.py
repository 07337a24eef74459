"""Taints of nodes and the tolerations that answer them.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from schemas.core.affinity import Toleration
from schemas.core.node import Taint

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
DISK_PRESSURE = "node.kubernetes.io/disk-pressure"
MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"
NETWORK_UNAVAILABLE = "node.kubernetes.io/network-unavailable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
PID_PRESSURE = "node.kubernetes.io/pid-pressure"
OF_THE_CLUSTER = (
    NOT_READY,
    UNREACHABLE,
    UNSCHEDULABLE,
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    PID_PRESSURE,
)
"""Keys of the taints that follow from a node's state: controllers set and take them away."""


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration is one for this taint."""
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and toleration.value == taint.value
        case "Gt" | "Lt" as operator:
            return _compares(operator, toleration.value, taint.value)
    return False


def _compares(operator: str, tolerated: str, found: str) -> bool:
    """Numeric tolerations (KEP-5471): the taint's value against the toleration's."""
    try:
        return int(found) > int(tolerated) if operator == "Gt" else int(found) < int(tolerated)
    except ValueError:
        return False
