"""The nodes as the scheduler sees them: what they have, what is taken, and by which pods.

Built once and kept up to date pod by pod and node by node. A pod that has ended takes nothing; one that is ending
still does. A pod bound to a node that is not known yet counts as soon as that node is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from reconciler.scheduler.resources import UNSTATED, Amounts, HostPort, amounts, host_ports, requests
from reconciler.scheduler.spreadcounts import SpreadCounts
from schemas.apps import ReplicaSet, StatefulSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.meta import LabelSelector, LabelSelectorRequirement, Object, Ref, controller_of, ref_of

COUNTED = (Node, ReplicaSet, ReplicationController, Service, StatefulSet, Pod)
"""What a snapshot takes in, in the order in which it is best given."""


class PlacedPod:
    """A pod on a node, and what it takes there."""

    __slots__ = ("labels", "namespace", "node", "ports", "requested", "scored", "terminating", "uid")

    def __init__(self, pod: Pod, node: str) -> None:
        self.uid = pod.metadata.uid
        self.node: str = node
        self.namespace = pod.metadata.namespace
        self.labels = pod.metadata.labels
        self.terminating = pod.metadata.deletion_timestamp is not None
        self.requested = requests(pod)
        self.scored = requests(pod, UNSTATED)
        self.ports = host_ports(pod)


class NodeInfo:
    """A node: `allocatable`, what its pods have `requested`, and what they count as in scores."""

    __slots__ = ("allocatable", "images", "name", "node", "pods", "ports", "requested", "scored")

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Node | None = None
        self.allocatable: Amounts = {}
        self.images: dict[str, int] = {}
        self.pods: dict[str, PlacedPod] = {}
        self.requested: Counter[str] = Counter()
        self.scored: Counter[str] = Counter()
        self.ports: Counter[HostPort] = Counter()

    @property
    def labels(self) -> Mapping[str, str]:
        return self.node.metadata.labels if self.node is not None else {}

    def put(self, placed: PlacedPod) -> None:
        self.pods[placed.uid] = placed
        self.requested.update(placed.requested)
        self.scored.update(placed.scored)
        self.ports.update(placed.ports)

    def drop(self, uid: str) -> None:
        placed = self.pods.pop(uid)
        self.requested.subtract(placed.requested)
        self.scored.subtract(placed.scored)
        self.ports.subtract(placed.ports)
        self.ports = +self.ports


class Snapshot:
    """All nodes by name, and the selectors by which pods of one kind are spread."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self.image_nodes: Counter[str] = Counter()
        self._unknown: dict[str, NodeInfo] = {}
        self._counts = SpreadCounts()
        self._pods: dict[str, str] = {}
        self._services: dict[str, dict[str, dict[str, str]]] = {}
        self._sets: dict[Ref, LabelSelector] = {}
        for found in objects:
            self.put(found)

    def put(self, object_: Object) -> None:
        """Takes in an object as it is now."""
        if isinstance(object_, Pod):
            self._put_pod(object_)
        elif isinstance(object_, Node):
            self._put_node(object_)
        elif isinstance(object_, Service):
            services = self._services.setdefault(object_.metadata.namespace, {})
            services[object_.metadata.name] = object_.spec.selector
        elif isinstance(object_, ReplicaSet | StatefulSet):
            self._sets[ref_of(object_)] = object_.spec.selector
        elif isinstance(object_, ReplicationController):
            self._sets[ref_of(object_)] = LabelSelector(match_labels=object_.spec.selector)

    def drop(self, object_: Object) -> None:
        """Forgets an object that was deleted."""
        if isinstance(object_, Pod):
            self._drop_pod(object_.metadata.uid)
        elif isinstance(object_, Node):
            self._drop_node(object_.metadata.name)
        elif isinstance(object_, Service):
            self._services.get(object_.metadata.namespace, {}).pop(object_.metadata.name, None)
        elif isinstance(object_, ReplicaSet | StatefulSet | ReplicationController):
            self._sets.pop(ref_of(object_), None)

    def place(self, pod: Pod, node: str) -> None:
        """Counts the pod as bound to the node."""
        self._drop_pod(pod.metadata.uid)
        info = self.nodes.get(node) or self._unknown.setdefault(node, NodeInfo(node))
        placed = PlacedPod(pod, node)
        info.put(placed)
        self._counts.change(placed, 1)
        self._pods[pod.metadata.uid] = node

    def node_of(self, uid: str) -> str:
        """Where the pod counts, or an empty text."""
        return self._pods.get(uid, "")

    def _put_pod(self, pod: Pod) -> None:
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            self.place(pod, pod.spec.node_name)
        else:
            self._drop_pod(pod.metadata.uid)

    def _drop_pod(self, uid: str) -> None:
        name = self._pods.pop(uid, "")
        info = self.nodes.get(name) or self._unknown.get(name)
        if info is not None:
            self._counts.change(info.pods[uid], -1)
            info.drop(uid)

    def _put_node(self, node: Node) -> None:
        name = node.metadata.name
        info = self.nodes.get(name)
        if info is None:
            info = self._unknown.pop(name) if name in self._unknown else NodeInfo(name)
            self.nodes[name] = info
        self._count_images(info, -1)
        info.node = node
        info.allocatable = amounts(node.status.allocatable or node.status.capacity)
        info.images = {image: one.size_bytes or 0 for one in node.status.images for image in one.names}
        self._count_images(info, 1)

    def _drop_node(self, name: str) -> None:
        if name not in self.nodes:
            return
        info = self.nodes.pop(name)
        self._count_images(info, -1)
        info.node, info.images = None, {}
        if info.pods:
            self._unknown[name] = info

    def _count_images(self, info: NodeInfo, by: int) -> None:
        for image in info.images:
            self.image_nodes[image] += by

    def placed(self, namespace: str, selector: LabelSelector) -> Mapping[str, int]:
        """How many pods that the selector picks are on each node; nodes that have none are left out."""
        everything = (*self.nodes.values(), *self._unknown.values())
        return self._counts.of(namespace, selector, (one for info in everything for one in info.pods.values()))

    def spread_selector(self, pod: Pod) -> LabelSelector | None:
        """What picks the pods that this one is one of several of: by its Services and its controller."""
        labels: dict[str, str] = {}
        for selector in self._services.get(pod.metadata.namespace, {}).values():
            if selector and selector.items() <= pod.metadata.labels.items():
                labels |= selector
        expressions: tuple[LabelSelectorRequirement, ...] = ()
        owner = controller_of(pod)
        if owner is not None:
            found = self._sets.get(Ref(owner.kind, pod.metadata.namespace, owner.name))
            if found is not None:
                labels |= found.match_labels
                expressions = found.match_expressions
        return LabelSelector(expressions, labels) if labels or expressions else None
