"""Which selector picks the pods that a pod is one of several of: by its Services and by what owns it.

What built-in spread constraints go by
(https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints).
"""

from reconciler.scheduler.podclass import PodClass
from schemas.apps import ReplicaSet, StatefulSet
from schemas.core.replication import ReplicationController
from schemas.core.service import Service
from schemas.meta import LabelSelector, LabelSelectorRequirement, Object, Ref, controller_of, ref_of

OWNERS = (ReplicaSet, ReplicationController, StatefulSet)


class Kinship:
    """Services and owners of pods. `version` grows when a selector comes, goes or changes."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, dict[str, str]]] = {}
        self._owners: dict[Ref, LabelSelector] = {}
        self.version = 0

    def put(self, object_: Object) -> None:
        if isinstance(object_, Service):
            services = self._services.setdefault(object_.metadata.namespace, {})
            if services.get(object_.metadata.name) != object_.spec.selector:
                services[object_.metadata.name] = object_.spec.selector
                self.version += 1
            return
        selector = _selector(object_)
        if selector is not None and self._owners.get(ref_of(object_)) != selector:
            self._owners[ref_of(object_)] = selector
            self.version += 1

    def drop(self, object_: Object) -> None:
        if isinstance(object_, Service):
            self._services.get(object_.metadata.namespace, {}).pop(object_.metadata.name, None)
        else:
            self._owners.pop(ref_of(object_), None)
        self.version += 1

    def selector(self, asked: PodClass) -> LabelSelector | None:
        """None where the pod is one of a kind."""
        labels: dict[str, str] = {}
        for selector in self._services.get(asked.namespace, {}).values():
            if selector and selector.items() <= asked.labels.items():
                labels |= selector
        expressions: tuple[LabelSelectorRequirement, ...] = ()
        owner = controller_of(asked.pod)
        if owner is not None:
            found = self._owners.get(Ref(owner.kind, asked.namespace, owner.name))
            if found is not None:
                labels |= found.match_labels
                expressions = found.match_expressions
        return LabelSelector(expressions, labels) if labels or expressions else None


def _selector(object_: Object) -> LabelSelector | None:
    if isinstance(object_, ReplicaSet | StatefulSet):
        return object_.spec.selector
    if isinstance(object_, ReplicationController):
        return LabelSelector(match_labels=object_.spec.selector)
    return None
