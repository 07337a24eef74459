"""Looks at the disk that images lie on, and removes those that nobody needs when it fills.

Every five minutes and after each pull; a look reads, and writes nothing where no image has fallen out of use.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Literal

from msgspec import structs

from nodeagent.images.collecting import Seen, everything_unused, judge, without
from nodeagent.images.pulls import Images
from nodeagent.images.record import Record
from nodeagent.images.settings import ImageCollection
from nodeagent.runtime.interface import Image, Runtime, RuntimeFailure

log = logging.getLogger(__name__)

LOOK_SECONDS = 300.0

Tell = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Takes an Event of the node: type, reason, message."""


class Collector:
    """`kept`: full names of images that stay. `changed` is called after some went."""

    def __init__(
        self,
        runtime: Runtime,
        images: Images,
        record: Record,
        settings: ImageCollection,
        *,
        kept: Callable[[], Collection[str]],
        now: Callable[[], float],
        tell: Tell,
        changed: Callable[[], None],
    ) -> None:
        self._runtime, self._images, self._record = runtime, images, record
        self._settings, self._kept, self._now = settings, kept, now
        self._tell, self._changed = tell, changed
        self._seen = Seen(released=record.content.released)
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()

    def look_soon(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                await self.collect()
            except RuntimeFailure as error:
                log.info("cannot look at images now error=%s", error)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def collect(self) -> int:
        """Removes what the marks of the disk call for. Returns the bytes of what went. Raises `RuntimeFailure`."""
        async with self._one:
            images = await self._look()
            disk = await self._runtime.image_disk()
            verdict = judge(images, self._everything_kept(), self._seen, disk, self._settings, self._now())
            freed = await self._remove(verdict.doomed)
        if verdict.wanted > freed:
            self._tell(
                "Warning",
                "FreeDiskSpaceFailed",
                f"Failed to garbage collect required amount of images. Attempted to free {verdict.wanted} bytes, "
                f"but only found {freed} bytes eligible to free.",
            )
        return freed

    async def free_everything(self) -> int:
        """Removes every image that nobody needs, for a node short of disk. Returns bytes. Raises `RuntimeFailure`."""
        async with self._one:
            return await self._remove(everything_unused(await self._look(), self._everything_kept(), self._seen))

    async def _look(self) -> Sequence[Image]:
        images, used = await self._runtime.list_images(), await self._runtime.images_in_use()
        self._seen = self._seen.looked(images, used, self._now())
        self._remember()
        self._images.gone([image.id for image in images])
        return images

    def _everything_kept(self) -> Collection[str]:
        return {*self._kept(), *self._images.under_way()}

    async def _remove(self, doomed: Sequence[Image]) -> int:
        gone = {}
        for image in doomed:
            try:
                await self._runtime.remove_image(image.id)
            except RuntimeFailure as error:
                log.warning("cannot remove image names=%s error=%s", _names(image), error)
                continue
            gone[image.id] = image.size
            log.info("removed image that nobody needs names=%s bytes=%d", _names(image), image.size)
        if gone:
            self._seen = without(self._seen, gone)
            self._remember()
            self._changed()
        return sum(gone.values())

    def _remember(self) -> None:
        self._record.put(structs.replace(self._record.content, released=self._seen.released))


def _names(image: Image) -> str:
    return ",".join(image.tags or image.digests) or image.id
