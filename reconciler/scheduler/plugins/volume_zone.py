"""VolumeZone: a volume that is labelled with a zone or a region is used only there.

https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone
"""

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.storage import Storage, class_of

NAME = "VolumeZone"
_REFUSAL = Refusal(("node(s) had no available volume zone",), lasting=True)
_NEWER = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
_KEYS = (*_NEWER, *_NEWER.values())


def prepare(asked: PodClass, storage: Storage) -> Check | Refusal | None:
    wanted: list[tuple[str, frozenset[str]]] = []
    for name, _ in asked.claims:
        claim = storage.claims.get((asked.namespace, name))
        if claim is None:
            return Refusal((f'persistentvolumeclaim "{name}" not found',), lasting=True)
        if not claim.spec.volume_name:
            if storage.waits_for_consumer(claim):
                continue
            what = "PersistentVolume had no name" if class_of(claim) else "PersistentVolumeClaim had no pv name"
            return Refusal((what,), lasting=True)
        volume = storage.volumes.get(claim.spec.volume_name)
        if volume is None:
            return Refusal((f'persistentvolume "{claim.spec.volume_name}" not found',), lasting=True)
        labels = volume.metadata.labels
        wanted += [(key, frozenset(labels[key].split("__"))) for key in _KEYS if key in labels]
    if not wanted:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        if not any(key in info.labels for key in _KEYS):
            return None  # A node of a fleet without zones.
        return None if all(_found(info, key) in values for key, values in wanted) else _REFUSAL

    return check


def _found(info: NodeInfo, key: str) -> str | None:
    return info.labels.get(key, info.labels.get(_NEWER.get(key, "")))
