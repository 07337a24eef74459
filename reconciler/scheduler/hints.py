"""Which filters a change of the cluster could make take a pod that they refused before.

The counterpart of kube-scheduler's queueing hints (KEP-4247): a pod that fits nowhere is looked at again only after a
change that concerns a filter which refused it.
"""

from reconciler.scheduler.plugins import (
    image_architecture,
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    pod_topology_spread,
    taint_toleration,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from schemas.core.node import Node
from schemas.core.pod import Pod

NONE: frozenset[str] = frozenset()
_AROUND = frozenset((inter_pod_affinity.NAME, pod_topology_spread.NAME))
ROOM = _AROUND | {
    node_ports.NAME,
    node_resources_fit.NAME,
    volume_restrictions.NAME,
    node_volume_limits.NAME,
    image_architecture.NAME,
}
STORAGE = frozenset((volume_binding.NAME, volume_zone.NAME, volume_restrictions.NAME, node_volume_limits.NAME))
NAMESPACES = frozenset((inter_pod_affinity.NAME,))
_LABELS = _AROUND | {node_affinity.NAME, volume_binding.NAME, volume_zone.NAME}


def of_pod(old: Pod | None, new: Pod | None) -> frozenset[str]:
    """A pod that counts on a node, did so, or held a place on one."""
    was, is_ = _where(old), _where(new)
    if was and was != is_:
        return ROOM
    if not is_:
        return NONE
    if not was or old is None or new is None:
        return _AROUND
    if old.spec is not new.spec and old.spec != new.spec:
        return ROOM
    ending = (old.metadata.deletion_timestamp is None) != (new.metadata.deletion_timestamp is None)
    return _AROUND if ending or old.metadata.labels != new.metadata.labels else NONE


def _where(pod: Pod | None) -> str:
    """The node on which the pod takes room."""
    if pod is None or pod.status.phase in ("Succeeded", "Failed"):
        return ""
    return pod.spec.node_name or pod.status.nominated_node_name


def of_node(old: Node, new: Node) -> frozenset[str]:
    """A node that was there before and is now."""
    found: frozenset[str] = NONE
    if old.metadata.labels != new.metadata.labels:
        found |= _LABELS
    if old.spec is not new.spec:
        if old.spec.taints != new.spec.taints:
            found |= {taint_toleration.NAME, pod_topology_spread.NAME}
        if old.spec.unschedulable != new.spec.unschedulable:
            found |= {node_unschedulable.NAME}
    if old.status.allocatable != new.status.allocatable or old.status.capacity != new.status.capacity:
        found |= {node_resources_fit.NAME}
    if old.status.images != new.status.images:
        found |= {image_architecture.NAME}
    return found
