"""A cluster as the reference sees it: plain dictionaries, and nothing that follows from them."""

from collections.abc import Iterable, Iterator

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
from tests.oracles.scheduler.reference.demands import Demands

Key = tuple[str, str]
"""Namespace and name."""

_ENDED = ("Succeeded", "Failed")


def key_of(object_: Object) -> Key:
    return object_.metadata.namespace, object_.metadata.name


class World:
    """`limits`: for each node and CSI driver the number of volumes that can be attached (CSINode)."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self.nodes: dict[str, Node] = {}
        self.pods: dict[Key, Demands] = {}
        self.nominated: dict[Key, Demands] = {}
        self.namespaces: dict[str, dict[str, str]] = {}
        self.selectors: dict[tuple[str, str, str], Object] = {}
        self.budgets: dict[Key, PodDisruptionBudget] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.claims: dict[Key, PersistentVolumeClaim] = {}
        self.classes: dict[str, StorageClass] = {}
        self.limits: dict[str, dict[str, int]] = {}
        self.image_sizes: dict[str, int] = {}
        for one in objects:
            self.put(one)

    def put(self, one: Object) -> None:
        match one:
            case Pod():
                self._put_pod(one)
            case Node():
                self.nodes[one.metadata.name] = one
                for image in one.status.images:
                    for name in image.names:
                        self.image_sizes.setdefault(name, image.size_bytes or 0)
            case Namespace():
                self.namespaces[one.metadata.name] = one.metadata.labels
            case Service() | ReplicaSet() | StatefulSet() | ReplicationController():
                self.selectors[(one.kind, *key_of(one))] = one
            case PodDisruptionBudget():
                self.budgets[key_of(one)] = one
            case PersistentVolume():
                self.volumes[one.metadata.name] = one
            case PersistentVolumeClaim():
                self.claims[key_of(one)] = one
            case StorageClass():
                self.classes[one.metadata.name] = one

    def _put_pod(self, pod: Pod) -> None:
        self.pods.pop(key_of(pod), None)
        if pod.spec.node_name and pod.status.phase not in _ENDED:
            self.pods[key_of(pod)] = Demands(pod, pod.spec.node_name)

    def place(self, pod: Pod, node: str) -> None:
        """Binds the pod."""
        self.nominated.pop(key_of(pod), None)
        self.pods[key_of(pod)] = Demands(pod, node)

    def nominate(self, pod: Pod, node: str) -> None:
        """The pod waits for others to leave the node; less important ones that did so, too, no longer do."""
        ours = pod.spec.priority or 0
        self.nominated = {
            key: one for key, one in self.nominated.items() if one.node != node or (one.pod.spec.priority or 0) >= ours
        }
        self.nominated[key_of(pod)] = Demands(pod, node)

    def drop(self, one: Object) -> None:
        key, name = key_of(one), one.metadata.name
        match one:
            case Pod():
                self.pods.pop(key, None)
                self.nominated.pop(key, None)
            case Node():
                self.nodes.pop(name, None)
            case Namespace():
                self.namespaces.pop(name, None)
            case Service() | ReplicaSet() | StatefulSet() | ReplicationController():
                self.selectors.pop((one.kind, *key), None)
            case PodDisruptionBudget():
                self.budgets.pop(key, None)
            case PersistentVolume():
                self.volumes.pop(name, None)
            case PersistentVolumeClaim():
                self.claims.pop(key, None)
            case StorageClass():
                self.classes.pop(name, None)

    def on(self, node: str) -> Iterator[Demands]:
        """The pods on a node, ending ones included."""
        return (one for one in self.pods.values() if one.node == node)

    def with_pods(self, pods: dict[Key, Demands]) -> "World":
        """The same cluster with other pods on its nodes."""
        other = World()
        other.__dict__.update(self.__dict__)
        other.pods = pods
        return other
