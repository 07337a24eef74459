"""The cluster as the scheduler sees it: nodes and what is taken on them, and all that filters and scores look at.

Built once and kept up to date pod by pod and node by node. A pod that has ended takes nothing; one that is ending
still does. A pod bound to a node that is not known yet counts as soon as that node is. `log` tells, in order, which
node changed and which class of pods came or went there, so that an answer given before is brought up to date by
looking at these nodes alone (`standings` are such answers); what changes the fleet as a whole (a node that comes,
goes or has other labels, a namespace) begins a new `epoch` instead.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from reconciler.scheduler.alike import States
from reconciler.scheduler.classes import Classes
from reconciler.scheduler.images import Images
from reconciler.scheduler.kinship import OWNERS, Kinship
from reconciler.scheduler.nodeinfo import NodeInfo, PlacedPod
from reconciler.scheduler.plugins.image_architecture import LABEL as ARCHITECTURE
from reconciler.scheduler.plugins.image_architecture import misfits
from reconciler.scheduler.podclass import PodClass, key_of
from reconciler.scheduler.storage import Key, Storage
from schemas.apps import ReplicaSet, StatefulSet
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.meta import Object
from schemas.policy import PodDisruptionBudget
from schemas.storage import StorageClass

if TYPE_CHECKING:
    from reconciler.scheduler.standing import Standing

COUNTED = (
    Namespace,
    StorageClass,
    PersistentVolume,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    Node,
    ReplicaSet,
    ReplicationController,
    Service,
    StatefulSet,
    Pod,
)
"""What a snapshot takes in, in the order in which it is best given."""
TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
"""Labels of a node that its pods bear too, so that what runs in them can read them."""
_STORED = (PersistentVolume, PersistentVolumeClaim, StorageClass)
_SHORTEST_LOG = 1024

Entry = tuple[NodeInfo, PodClass | None, int]
"""A node that changed, and the class of pods of which it has one more (1) or less (-1)."""


class Snapshot:
    """All nodes by name, and what else there is. `generation` grows with what changes on nodes."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self.images, self.kin, self.storage, self.states = Images(), Kinship(), Storage(), States()
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.budgets: dict[Key, PodDisruptionBudget] = {}
        self.claim_users: dict[Key, dict[NodeInfo, int]] = {}
        self.nominated: dict[str, NodeInfo] = {}
        self.classes = Classes()
        self.epoch = self.generation = self.taints_version = self.claims_version = 0
        self.log: list[Entry] = []
        self.log_start = 0
        self.standings: dict[bytes, Standing] = {}
        self._ordered: list[NodeInfo] | None = None
        self._domains: dict[str, dict[str, list[NodeInfo]]] = {}
        self._unknown: dict[str, NodeInfo] = {}
        self._pods: dict[str, PlacedPod] = {}
        self._taints: dict[tuple[tuple[str, str, str], ...], int] = {(): 0}
        for found in objects:
            self.put(found)

    def put(self, object_: Object) -> None:
        """Takes in an object as it is now."""
        if isinstance(object_, Pod):
            self._put_pod(object_)
        elif isinstance(object_, Node):
            self._put_node(object_)
        elif isinstance(object_, Namespace):
            if self.namespaces.get(object_.metadata.name) != object_.metadata.labels:
                self.namespaces[object_.metadata.name] = object_.metadata.labels
                self._begin_epoch()
        elif isinstance(object_, PodDisruptionBudget):
            self.budgets[(object_.metadata.namespace, object_.metadata.name)] = object_
            self.generation += 1
        elif isinstance(object_, _STORED):
            self.storage.put(object_)
        elif isinstance(object_, (Service, *OWNERS)):
            self.kin.put(object_)

    def drop(self, object_: Object) -> None:
        """Forgets an object that was deleted."""
        if isinstance(object_, Pod):
            self._drop_pod(object_.metadata.uid)
            self.withdraw(object_)
        elif isinstance(object_, Node):
            self._drop_node(object_.metadata.name)
        elif isinstance(object_, Namespace):
            self.namespaces.pop(object_.metadata.name, None)
            self._begin_epoch()
        elif isinstance(object_, PodDisruptionBudget):
            self.budgets.pop((object_.metadata.namespace, object_.metadata.name), None)
            self.generation += 1
        elif isinstance(object_, _STORED):
            self.storage.drop(object_)
        elif isinstance(object_, (Service, *OWNERS)):
            self.kin.drop(object_)

    def limit_volumes(self, node: str, limits: Mapping[str, int]) -> None:
        """How many volumes of each CSI driver the node can hold."""
        info = self._info(node)
        info.volume_limits = limits
        self._changed(info)

    def ordered(self) -> list[NodeInfo]:
        """The nodes by name; `rank` is the place of each."""
        if self._ordered is None:
            self._ordered = [self.nodes[name] for name in sorted(self.nodes)]
            for rank, info in enumerate(self._ordered):
                info.rank = rank
        return self._ordered

    def domains(self, key: str) -> Mapping[str, list[NodeInfo]]:
        """The nodes by the value of a label."""
        found = self._domains.get(key)
        if found is None:
            found = self._domains[key] = {}
            for info in self.ordered():
                if key in info.labels:
                    found.setdefault(info.labels[key], []).append(info)
        return found

    def stamp(self) -> tuple[int, ...]:
        """Another one whenever more has changed than what `log` tells."""
        return self.epoch, self.taints_version, self.claims_version, self.storage.version, self.images.changes

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        return self.namespaces.get(namespace, {})

    def class_of(self, pod: Pod, node_name: str = "", *, terminating: bool = False) -> PodClass:
        """The class of the pod; the one that is known where there is one."""
        key = key_of(pod, node_name, terminating=terminating)
        return self.classes.get(key) or PodClass(pod, key, node_name, terminating=terminating)

    def place(self, pod: Pod, node: str, asked: PodClass | None = None) -> None:
        """Counts the pod as bound to the node."""
        uid = pod.metadata.uid
        if uid in self._pods:
            self._drop_pod(uid)
        if self.nominated:
            self.withdraw(pod)
        info = self.nodes.get(node) or self._info(node)
        if asked is None:
            asked = self.class_of(pod, terminating=pod.metadata.deletion_timestamp is not None)
        else:
            asked = self._labelled(asked, info)
            asked = self.classes.get(asked.key) or asked
        placed = self._pods[uid] = PlacedPod(pod, asked, info)
        info.put(placed)
        if not asked.nodes:
            self.classes.add(asked)
        asked.nodes[info] = asked.nodes.get(info, 0) + 1
        if asked.claims:
            self._use(asked, info, 1)
        self._changed(info, asked, 1)

    def _labelled(self, asked: PodClass, info: NodeInfo) -> PodClass:
        """The class that pods of this one are of on the node."""
        lent = {key: info.labels[key] for key in TOPOLOGY if key in info.labels and key not in asked.labels}
        if not lent:
            return asked
        values = (*lent, *lent.values())
        found = asked.variants.get(values)
        if found is None:
            metadata = structs.replace(asked.pod.metadata, labels=lent | asked.labels)
            found = asked.variants[values] = self.class_of(structs.replace(asked.pod, metadata=metadata))
        return found

    def bound(self, pod: Pod) -> None:
        """What a pod that is placed becomes, so that it is known again when it comes back."""
        placed = self._pods.get(pod.metadata.uid)
        if placed is not None:
            placed.pod = pod

    def node_of(self, uid: str) -> str:
        """Where the pod counts, or an empty text."""
        placed = self._pods.get(uid)
        return placed.info.name if placed is not None else ""

    def nominate(self, pod: Pod, node: str) -> None:
        """Holds a place on the node for the pod, against pods of no higher priority."""
        self.withdraw(pod)
        info = self._info(node)
        info.nominated[pod.metadata.uid] = (pod, self.class_of(pod))
        self.nominated[pod.metadata.uid] = info
        self._changed(info)

    def withdraw(self, pod: Pod) -> None:
        """The pod holds a place no longer."""
        info = self.nominated.pop(pod.metadata.uid, None)
        if info is not None:
            del info.nominated[pod.metadata.uid]
            self._changed(info)
            self._forget(info)

    def refused_by(self, image: str) -> frozenset[str]:
        """The architectures on which the image is known not to run."""
        if not self.images.has_misfits:
            return frozenset()
        kinds = {name: info.labels.get(ARCHITECTURE, "") for name, info in self.nodes.items()}
        return self.images.refused_by(image, kinds)

    def _put_pod(self, pod: Pod) -> None:
        if pod.status.phase in ("Succeeded", "Failed"):
            self._drop_pod(pod.metadata.uid)
            self.withdraw(pod)
        elif pod.spec.node_name:
            placed = self._pods.get(pod.metadata.uid)
            if placed is not None and placed.info.name == pod.spec.node_name and _asks_the_same(placed, pod):
                placed.pod, placed.info.bound = pod, None
            else:
                self.place(pod, pod.spec.node_name)
            info = self.nodes.get(pod.spec.node_name)
            self.images.tell(pod.metadata.uid, misfits(pod), info.labels.get(ARCHITECTURE, "") if info else "")
        else:
            self._drop_pod(pod.metadata.uid)
            if pod.status.nominated_node_name and pod.metadata.deletion_timestamp is None:
                self.nominate(pod, pod.status.nominated_node_name)
            else:
                self.withdraw(pod)

    def _drop_pod(self, uid: str) -> None:
        placed = self._pods.pop(uid, None)
        if placed is None:
            return
        self.images.tell(uid, frozenset(), "")
        info, asked = placed.info, placed.asked
        info.drop(uid)
        left = asked.nodes[info] - 1
        if left:
            asked.nodes[info] = left
        else:
            del asked.nodes[info]
            if not asked.nodes:
                self.classes.drop(asked)
        if asked.claims:
            self._use(asked, info, -1)
        self._changed(info, asked, -1)
        self._forget(info)

    def _forget(self, info: NodeInfo) -> None:
        """A node that is not there is remembered for as long as a pod is bound or nominated to it."""
        if info.node is None and not info.pods and not info.nominated:
            self._unknown.pop(info.name, None)

    def _use(self, asked: PodClass, info: NodeInfo, by: int) -> None:
        self.claims_version += 1
        for name, _ in asked.claims:
            key = (asked.namespace, name)
            users = self.claim_users.setdefault(key, {})
            users[info] = users.get(info, 0) + by
            if not users[info]:
                del users[info]
            if not users:
                del self.claim_users[key]

    def _info(self, name: str) -> NodeInfo:
        return self.nodes.get(name) or self._unknown.setdefault(name, NodeInfo(name))

    def _put_node(self, node: Node) -> None:
        name = node.metadata.name
        info = self._info(name)
        old = info.node
        if old is None:
            self._unknown.pop(name, None)
            self.nodes[name] = info
            self._begin_epoch()
        elif old.metadata.labels != node.metadata.labels:
            self._begin_epoch()
        info.known(node)
        taints = self._taints.setdefault(_told(node), len(self._taints))
        if taints != info.taints:
            info.taints = taints
            self.taints_version += 1
        if old is None or old.status.images != node.status.images:
            self.images.report(info, {image: one.size_bytes or 0 for one in node.status.images for image in one.names})
        self._changed(info)

    def _drop_node(self, name: str) -> None:
        info = self.nodes.pop(name, None)
        if info is None:
            return
        self.images.report(info, {})
        info.node, info.labels, info.taints = None, {}, 0
        if info.pods or info.nominated:
            self._unknown[name] = info
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.generation += 1
        self.epoch += 1
        self._ordered = None
        self._domains.clear()

    def _changed(self, info: NodeInfo, asked: PodClass | None = None, by: int = 0) -> None:
        self.generation += 1
        log = self.log
        log.append((info, asked, by))
        if len(log) > _SHORTEST_LOG and len(log) > 4 * len(self.nodes):
            gone = len(log) // 2
            del log[:gone]
            self.log_start += gone


def _told(node: Node) -> tuple[tuple[str, str, str], ...]:
    """What taints and a cordon say."""
    cordon = (("", "", ""),) if node.spec.unschedulable else ()
    return (*((one.key, one.effect, one.value) for one in node.spec.taints), *cordon)


def _asks_the_same(placed: PlacedPod, pod: Pod) -> bool:
    """Whether the pod is as it was but for its status."""
    old, terminating = placed.pod, pod.metadata.deletion_timestamp is not None
    if (old.metadata.deletion_timestamp is not None) != terminating:
        return False
    same = old.spec is pod.spec and old.metadata.labels is pod.metadata.labels
    return same or placed.asked.key == key_of(pod, terminating=terminating)
