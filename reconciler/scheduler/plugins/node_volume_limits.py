"""NodeVolumeLimits: how many volumes of a CSI driver a node can hold.

https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

from collections import Counter
from collections.abc import Iterator

from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.plugins.interface import Check, Refusal
from reconciler.scheduler.podclass import PodClass
from reconciler.scheduler.storage import Storage, class_of

NAME = "NodeVolumeLimits"
_REFUSAL = Refusal(("node(s) exceed max volume count",))
_Handle = tuple[str, str]
"""Driver, and what names the volume there."""


def prepare(asked: PodClass, storage: Storage) -> Check | None:
    new = set(_handles(asked, storage))
    if not new:
        return None

    def check(info: NodeInfo) -> Refusal | None:
        limits = info.volume_limits
        if not limits:
            return None
        attached = {one for placed in info.pods.values() for one in _handles(placed.asked, storage)}
        there, more = Counter(driver for driver, _ in attached), Counter(driver for driver, _ in new - attached)
        exceeded = any(there[one] + number > limits[one] for one, number in more.items() if one in limits)
        return _REFUSAL if exceeded else None

    return check


def _handles(asked: PodClass, storage: Storage) -> Iterator[_Handle]:
    """Volumes of CSI drivers; one that is yet to be made goes by its claim."""
    for name, _ in asked.claims:
        claim = storage.claims.get((asked.namespace, name))
        if claim is None:
            continue
        volume = storage.volumes.get(claim.spec.volume_name)
        if volume is not None and volume.spec.csi is not None:
            yield volume.spec.csi.driver, volume.spec.csi.volume_handle
        elif volume is None and (found := storage.classes.get(class_of(claim))) is not None:
            yield found.provisioner, f"{asked.namespace}/{name}"
