"""PodTopologySpread as it is by default: pods of one Service or ReplicaSet prefer different nodes and zones.

Only the built-in constraints of the kube-scheduler, for pods that state none of their own
(https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints).
"""

import math
from collections.abc import Mapping, Sequence

from reconciler.scheduler.nodeaffinity import wanted_by
from reconciler.scheduler.snapshot import NodeInfo, Snapshot
from schemas.core.pod import Pod

_HOSTNAME, _ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
_HOST_SKEW, _ZONE_SKEW = 3, 5


def pod_topology_spread(pod: Pod, nodes: Sequence[NodeInfo], snapshot: Snapshot) -> Sequence[int] | None:
    """From 0 (most of its kind) to 100 (fewest) for each node, None where the pod is one of a kind."""
    selector = None if pod.spec.topology_spread_constraints else snapshot.spread_selector(pod)
    if selector is None:
        return None
    placed = snapshot.placed(pod.metadata.namespace, selector)
    zones = _zone_counts(pod, placed, nodes, snapshot)
    host_weight, zone_weight = math.log(len(nodes) + 2), math.log(len(zones) + 2)
    raw = []
    for info in nodes:
        score = 0.0
        if _HOSTNAME in info.labels:
            score += placed.get(info.name, 0) * host_weight + _HOST_SKEW - 1
        if _ZONE in info.labels:
            score += zones[info.labels[_ZONE]] * zone_weight + _ZONE_SKEW - 1
        raw.append(math.floor(score + 0.5))
    fewest, most = min(raw), max(raw)
    return [100 * (most + fewest - one) // most if most else 100 for one in raw]


def _zone_counts(
    pod: Pod, placed: Mapping[str, int], nodes: Sequence[NodeInfo], snapshot: Snapshot
) -> Mapping[str, int]:
    """Pods of the kind in each zone of the candidates, on all nodes that the pod's affinity allows."""
    zones = {info.labels.get(_ZONE, ""): 0 for info in nodes}  # Nodes without a zone are one in the weights.
    if zones.keys() == {""}:
        return zones
    for name, number in placed.items():
        info = snapshot.nodes.get(name)
        zone = info.labels.get(_ZONE, "") if info is not None else None
        if zone in zones and info is not None and wanted_by(pod, name, info.labels):
            zones[zone] += number
    return zones
