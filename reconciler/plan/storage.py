"""Storage in a plan: what every cluster has of it, and whose data would be deleted. Pure."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from reconciler.controllers.volumes.localpath import BUILT_IN
from reconciler.store.view import View
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.meta import Object
from schemas.storage import StorageClass

_MOST_NAMED = 5


def classes(objects: Iterable[Object]) -> Iterator[Object]:
    """The class that a cluster without one is given."""
    if not any(isinstance(one, StorageClass) for one in objects):
        yield replace(BUILT_IN, metadata=replace(BUILT_IN.metadata, uid=f"class-{BUILT_IN.metadata.name}"))


def lost_data(before: View, after: View) -> Iterator[str]:
    """Claims that go, and their volumes with them, as a sentence."""
    lost = [f"{claim.metadata.namespace}/{claim.metadata.name}" for claim in _gone(before, after)]
    if lost:
        more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
        yield f"data would be deleted, that of the claims {', '.join(lost[:_MOST_NAMED])}{more}"


def _gone(before: View, after: View) -> Iterator[PersistentVolumeClaim]:
    for claim in before.list(PersistentVolumeClaim):
        left, volume = after.by_uid(claim.metadata.uid), before.get(PersistentVolume, "", claim.spec.volume_name)
        if volume is None or volume.spec.persistent_volume_reclaim_policy != "Delete":
            continue
        if left is None or left.metadata.deletion_timestamp is not None:
            yield claim
