"""Which images go when the disk fills: pure.

As the kubelet collects (https://kubernetes.io/docs/concepts/architecture/garbage-collection/#container-image-lifecycle):
above the high mark images go until the disk is at the low one, those first whose last use is the longest ago, and
none that came less than the minimum age ago. Times are of the monotonic clock; what outlives the agent is the order in
which images fell out of use.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec import field, structs

from nodeagent.images.references import full
from nodeagent.images.settings import ImageCollection
from nodeagent.runtime.interface import Image, ImageDisk


class Seen(msgspec.Struct, frozen=True):
    """`since`: by id, when this agent first saw an image, or last saw it in use. `released` as in `Remembered`."""

    since: Mapping[str, float] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    released: tuple[str, ...] = ()

    def looked(self, images: Iterable[Image], used: Collection[str], now: float) -> "Seen":
        """After another look."""
        present = [image.id for image in images]
        since = {id_: now if id_ in used else self.since.get(id_, now) for id_ in present}
        freed = sorted(self.used - frozenset(used))
        order = dict.fromkeys(id_ for id_ in (*self.released, *freed) if id_ in since and id_ not in used)
        for id_ in freed:  # to the end, where it was released before
            if id_ in order:
                del order[id_]
                order[id_] = None
        return Seen(since, frozenset(used) & since.keys(), tuple(order))


class Verdict(msgspec.Struct, frozen=True):
    """`doomed` in the order in which they go. `wanted` bytes should become free, `found` will."""

    doomed: tuple[Image, ...] = ()
    wanted: int = 0
    found: int = 0


def judge(
    images: Sequence[Image],
    kept: Collection[str],
    seen: Seen,
    disk: ImageDisk,
    settings: ImageCollection,
    now: float,
) -> Verdict:
    """`kept` are full names of images that stay whatever they weigh."""
    free = [image for image in images if not _stays(image, kept, seen)]
    order = {id_: number for number, id_ in enumerate(seen.released, 1)}
    free.sort(key=lambda image: (order.get(image.id, 0), seen.since.get(image.id, now), -image.size, image.id))
    old = [image for image in free if _is_old(seen, image, now, settings.maximum_age_seconds)]
    wanted = _missing(disk, settings)
    doomed, found = old, sum(image.size for image in old)
    for image in free:
        if found >= wanted:
            break
        if image not in old and now - seen.since.get(image.id, now) >= settings.minimum_age_seconds:
            doomed = [*doomed, image]
            found += image.size
    return Verdict(tuple(doomed), wanted, found)


def everything_unused(images: Sequence[Image], kept: Collection[str], seen: Seen) -> tuple[Image, ...]:
    """For a disk that is all but full: whatever nobody needs, of whatever age."""
    return tuple(image for image in images if not _stays(image, kept, seen))


def _stays(image: Image, kept: Collection[str], seen: Seen) -> bool:
    return image.pinned or image.id in seen.used or any(name in kept for name in names_of(image))


def names_of(image: Image) -> tuple[str, ...]:
    """Those in full under which a pod may know it."""
    return tuple(map(full, (*image.tags, *image.digests)))


def _is_old(seen: Seen, image: Image, now: float, limit: float) -> bool:
    return limit > 0 and now - seen.since.get(image.id, now) > limit


def _missing(disk: ImageDisk, settings: ImageCollection) -> int:
    """Bytes that have to become free; 0 below the high mark."""
    if disk.capacity <= 0 or 100 - disk.available * 100 // disk.capacity < settings.high_percent:
        return 0
    return max(0, disk.capacity * (100 - settings.low_percent) // 100 - disk.available)


def without(seen: Seen, gone: Collection[str]) -> Seen:
    """After these were removed."""
    since = {id_: at for id_, at in seen.since.items() if id_ not in gone}
    return structs.replace(seen, since=since, released=tuple(id_ for id_ in seen.released if id_ not in gone))
