"""Classes of equal pods: those that ask the same of the cluster, so that the question is answered once.

Two pods are of one class where all that any filter or score looks at is equal: namespace, labels, priority, owner,
requests, ports, images, affinity, tolerations, spread constraints, volumes. Pods that are ending are classes of
their own, because spread constraints pass over them.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.scheduler.resources import CPU, MEMORY, UNSTATED, host_ports, requests
from reconciler.scheduler.terms import terms_of
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.volume import Volume
from schemas.meta import controller_of

if TYPE_CHECKING:
    from reconciler.scheduler.nodeinfo import NodeInfo

_encode = msgspec.msgpack.Encoder().encode


class PodClass:
    """What pods of one class ask for. `nodes` counts those that are placed; `pod` is one of them.

    Where a node lends its pods labels (region and zone), `variants` holds the classes that they are of there. Otherwise
    those that are placed are of the same class as before: `node_name` is what a pod without a place demands.
    """

    __slots__ = (
        "amounts",
        "claims",
        "cpu",
        "disks",
        "key",
        "labels",
        "memory",
        "namespace",
        "node_name",
        "nodes",
        "pod",
        "ports",
        "priority",
        "requested",
        "scored_cpu",
        "scored_memory",
        "terminating",
        "terms",
        "variants",
    )

    def __init__(self, pod: Pod, key: bytes, node_name: str, *, terminating: bool) -> None:
        self.pod, self.key, self.terminating = pod, key, terminating
        self.node_name = node_name
        self.namespace, self.labels = pod.metadata.namespace, pod.metadata.labels
        self.priority = pod.spec.priority or 0
        self.requested = {name: amount for name, amount in requests(pod).items() if amount > 0}
        self.amounts = tuple(self.requested.items())
        self.cpu, self.memory = self.requested.get(CPU, 0), self.requested.get(MEMORY, 0)
        scored = requests(pod, UNSTATED)
        self.scored_cpu, self.scored_memory = scored.get(CPU, 0), scored.get(MEMORY, 0)
        self.ports = host_ports(pod)
        self.terms = terms_of(self.namespace, pod.spec.affinity)
        self.claims = claims_of(pod)
        self.disks = tuple(one for one in pod.spec.volumes if _is_disk(one))
        self.nodes: dict[NodeInfo, int] = {}
        self.variants: dict[tuple[str, ...], PodClass] = {}


def key_of(pod: Pod, node_name: str = "", *, terminating: bool = False) -> bytes:
    """Equal for pods of one class."""
    spec, owner = pod.spec, controller_of(pod)
    return _encode(
        (
            pod.metadata.namespace,
            pod.metadata.labels,
            terminating,
            node_name,
            spec.priority or 0,
            spec.preemption_policy,
            (owner.kind, owner.name) if owner is not None else None,
            [_asked(one) for one in spec.containers],
            [_asked(one) for one in spec.init_containers] if spec.init_containers else None,
            spec.node_selector,
            spec.affinity,
            spec.tolerations,
            spec.topology_spread_constraints,
            spec.overhead,
            spec.resources,
            _asked_volumes(pod) if spec.volumes else None,
        )
    )


def _asked(container: Container) -> tuple[Any, ...]:
    return container.image, container.resources, container.ports, container.restart_policy


def _asked_volumes(pod: Pod) -> tuple[Any, ...] | None:
    if all(one.projected is not None or one.empty_dir is not None for one in pod.spec.volumes):
        return None  # As of nearly every pod, whose one volume holds its token.
    claims = claims_of(pod)
    uid = pod.metadata.uid if any(ephemeral for _, ephemeral in claims) else ""
    return claims, [one for one in pod.spec.volumes if _is_disk(one)], uid


def claims_of(pod: Pod) -> tuple[tuple[str, bool], ...]:
    """The claims that the pod's volumes name, and whether each is made for the pod alone (`ephemeral`)."""
    return tuple(
        (one.persistent_volume_claim.claim_name, False)
        if one.persistent_volume_claim is not None
        else (f"{pod.metadata.name}-{one.name}", True)
        for one in pod.spec.volumes
        if one.persistent_volume_claim is not None or one.ephemeral is not None
    )


def _is_disk(volume: Volume) -> bool:
    """Those that some nodes cannot share, by VolumeRestrictions."""
    return (
        volume.gce_persistent_disk is not None
        or volume.aws_elastic_block_store is not None
        or volume.iscsi is not None
        or volume.rbd is not None
    )
